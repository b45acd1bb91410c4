"""Verdicts: whether the records agree with a claim, by a stated rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .curves import Curve, Estimate
from .essential import EPSILON, essential_sparsity
from .grid import Study
from .paper import ESSENTIAL_RANGE

Outcome = Literal["agrees", "differs", "inconclusive", "not tested at this scale"]

#: Fewer seeds than this decide nothing.
SEEDS = 3


@dataclass(frozen=True)
class Verdict:
    """A claim's name, how the records stand to it, and why, in a sentence."""

    claim: str
    outcome: Outcome
    reason: str


def against(estimate: Estimate, threshold: float) -> Outcome:
    """Whether an estimate is at least the threshold: its whole 95% interval must lie on one side."""
    if estimate.low >= threshold:
        return "agrees"
    return "differs" if estimate.high < threshold else "inconclusive"


def c1(study: Study, curves: Sequence[Curve]) -> Verdict:
    """C1: every model and task keeps its performance when 30% of its weights go.

    Agrees if the 95% interval of the essential sparsity lies at or above 30% for every curve, differs if it
    lies below for any. Curves whose dense model has not learned the task say nothing and are not counted.
    """
    threshold = ESSENTIAL_RANGE[0]
    if study.scale == "tiny":
        return Verdict("C1", "not tested at this scale", "the models at this scale are random and very small")
    whole = [model for model in study.models if len(study.seeds_of(model)) >= SEEDS]
    expected = sum(len(study.tasks_of(model)) for model in whole)
    complete = [c for c in curves if len(c.seeds) >= SEEDS and c.complete(study)]
    counted = [c for c in complete if c.learned()]
    if len(complete) < expected or not whole:
        return Verdict(
            "C1",
            "inconclusive" if complete else "not tested at this scale",
            f"{expected - len(complete)} of {expected} curves lack records of {SEEDS} seeds at every sparsity"
            if whole
            else f"no model has the {SEEDS} seeds that a verdict takes",
        )
    if not counted:
        return Verdict("C1", "inconclusive", "no dense model learned its task")
    by_outcome: dict[Outcome, list[str]] = {}
    for curve in counted:
        by_outcome.setdefault(against(essential_sparsity(curve), threshold), []).append(_name(study, curve))
    outcome: Outcome = next(o for o in ("differs", "inconclusive", "agrees") if o in by_outcome)
    parts = [f"{o} on {_listing(tasks)}" for o, tasks in by_outcome.items()]
    left_out = [_name(study, c) for c in complete if not c.learned()]
    if left_out:
        parts.append(f"not counted: {_listing(left_out)}, where the dense model does not beat the commonest class")
    few = [c for c in curves if c.model not in whole]
    if few:
        parts.append(f"not counted for want of seeds: {_listing([_name(study, c) for c in few])}")
    rule = f"a loss of at most {EPSILON:g} point with {threshold:.0%} of the prunable weights gone"
    return Verdict("C1", outcome, f"{rule}: {'; '.join(parts)}")


def _name(study: Study, curve: Curve) -> str:
    return curve.task if len(study.models) == 1 else f"{curve.model} on {curve.task}"


def _listing(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
