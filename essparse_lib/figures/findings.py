"""The box under a page's title: what was found, the verdict, and what the evidence is limited to."""

from __future__ import annotations

from html import escape

from ..claims.headlines import ELSEWHERE, HEADLINES, Headline
from ..claims.verdict import Verdict
from ..wording import unbroken
from .html import Html


def box(*verdicts: Verdict, words: str = "") -> Html:
    """Return a box with the finding, the verdict and the limit of each claim that a page judges.

    Args:
        verdicts: the verdicts on the page's claims.
        words: what the page shows besides, or its finding where it judges no claim.
    """
    parts = [f"<p>{escape(unbroken(words))}</p>"] if words else []
    limits = dict.fromkeys(_headline(verdict).limit for verdict in verdicts)
    for verdict in verdicts:
        headline = escape(_headline(verdict).claim)
        outcome = f"<strong>{verdict.claim}, {headline[0].lower()}{headline[1:]}: {escape(verdict.outcome)}.</strong>"
        parts.append(f'<p data-claim="{verdict.claim}">{outcome} {escape(unbroken(verdict.finding))}</p>')
    if limits:
        parts.append(f'<p class="limit">Limit: {escape(" ".join(limits))}</p>')
    return Html(f'<div class="finding">{"".join(parts)}</div>')


def _headline(verdict: Verdict) -> Headline:
    """Return the headline of a verdict's claim, which may be named with where it is judged, as in ``C1 in vision``."""
    return ELSEWHERE.get(verdict.claim) or HEADLINES[verdict.claim]
