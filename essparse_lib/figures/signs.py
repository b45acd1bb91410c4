"""The sign of a difference as tables write it, and what the signs mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ..analysis.contrasts import MARGIN, Standing
from ..wording import MINUS

SIGNS = {Standing.BETTER: "+", Standing.WORSE: MINUS, Standing.EQUIVALENT: "≈", Standing.UNDECIDED: "?"}

#: What the signs say of a whole 95% interval.
MEANINGS = {
    Standing.BETTER: "above zero",
    Standing.WORSE: "below zero",
    Standing.EQUIVALENT: f"within {MARGIN:g} point of zero",
    Standing.UNDECIDED: "may be chance",
}

#: In place of a sign, where the dense model has not learned the task.
NO_SIGN = "—"


def legend(standings: Iterable[Standing]) -> str:
    """Return in Markdown what the signs in a table mean, and how many of its differences have each.

    >>> legend([Standing.WORSE, Standing.WORSE, Standing.UNDECIDED])
    'Signs, by the whole 95% interval: **−** below zero (2 of 3); **?** may be chance (1 of 3).'
    """
    counts = Counter(standings)
    parts = [
        f"**{SIGNS[each]}** {MEANINGS[each]} ({counts[each]} of {counts.total()})" for each in SIGNS if counts[each]
    ]
    return f"Signs, by the whole 95% interval: {'; '.join(parts)}." if parts else ""
