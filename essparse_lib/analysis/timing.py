"""Models that are pruned before their fine-tuning, compared with the same models pruned after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..specs.study import Study
from .curve import Curve
from .differences import Difference
from .pooled import Effect


@dataclass(frozen=True, kw_only=True)
class TimedCurves:
    """The curves of one model on one task, with the same seeds and dense models.

    Attributes:
        before: pruned before the fine-tuning.
        after: pruned after the fine-tuning, with no training to follow.
    """

    before: Curve
    after: Curve


def timed_curves(study: Study, curves: Sequence[Curve], variant: str) -> list[TimedCurves]:
    """Return the curves of the models that were pruned at both times and whose dense model has learned its task.

    Args:
        study: the study of the curves.
        curves: its curves of models that were pruned before their fine-tuning.
        variant: name of the study's way to prune after the fine-tuning.
    """
    timed = []
    for before in curves:
        if before.grid is None or not before.learned():
            continue
        prunings = study.prunings_of(before.model, before.task, variant)
        after = Curve.of_grid(before.grid, before.model, before.task, variant, prunings)
        if len(after.levels) > 1:
            timed.append(TimedCurves(before=before, after=after))
    return timed


def gains(timed: Sequence[TimedCurves]) -> dict[float, list[Effect]]:
    """Return, by ascending sparsity, what each task gains if the model is pruned before its fine-tuning, in points.

    Tasks that are measured at fewer sparsities than others are left out, so that all sparsities have the same tasks.

    Args:
        timed: curves as ``timed_curves`` returns them.
    """
    shared = {id(each): set(each.before.levels[1:]) & set(each.after.levels[1:]) for each in timed}
    most = max(map(len, shared.values()), default=0)
    effects: dict[float, list[Effect]] = {}
    for each in timed:
        if each.before.grid is None or len(shared[id(each)]) < most:
            continue
        prunings = (*each.before.prunings[1:], *each.after.prunings[1:])
        both = Curve.of_grid(each.before.grid, each.before.model, each.before.task, each.before.variant, prunings)
        late = {pruning.sparsity: pruning for pruning in each.after.prunings[1:]}
        for early in each.before.prunings[1:]:
            if early.sparsity in late:
                effect = Difference(curve=both, pairs=((early, late[early.sparsity]),)).effect()
                effects.setdefault(early.sparsity, []).append(effect)
    return dict(sorted(effects.items()))
