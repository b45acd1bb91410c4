"""What the objective of a vision model's pre-training does to its prunability and its zeros: claim C7."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from ..analysis.curves import Curve
from ..analysis.effects import Effect, detectable_ratio, effect, task_means
from ..analysis.essential import resampled_essential
from ..analysis.estimate import Estimate
from ..records.store import Record
from ..specs.pretraining import ImagePretraining
from ..specs.study import Study
from ..wording import listing
from . import verdict
from .emergence import RELATIVE
from .paper import MORE_ZEROS
from .verdict import Outcome, Verdict


@dataclass(frozen=True)
class Comparison:
    """Models of one way to pre-train against those of another.

    Attributes:
        name: such as ``DINO less supervised``.
        more: the first models, by name, one a pre-training.
        less: the second ones.
    """

    name: str
    more: tuple[str, ...]
    less: tuple[str, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.more, *self.less)


def learned(study: Study, found: Sequence[Curve], models: Sequence[str]) -> list[str]:
    """The study's tasks on which each of these models has all records, and learned the task without pruning.

    Where a model has learned nothing, pruning costs it nothing, and it would seem the most robust of all. Left out is
    a task whose classes some of the models have ``seen`` in their pre-training, from many more labels than the
    fine-tuning has: a difference may be that of the labels, whichever way it points.
    """
    good = {(c.model, c.task) for c in found if c.complete(study) and c.learned()}
    known = seen(study, models)
    new = [task for task in study.tasks if task not in known]
    return [task for task in new if models and all((model, task) in good for model in models)]


def seen(study: Study, models: Sequence[str]) -> set[str]:
    """The tasks whose classes some of these models were pre-trained to tell."""
    found = (study.pretrained[model] for model in models if model in study.pretrained)
    return {p.task for p in found if isinstance(p, ImagePretraining) and p.objective == "supervised"}


def essential_effect(
    study: Study, found: Sequence[Curve], compared: Comparison, tasks: Sequence[str] | None = None
) -> Effect:
    """On the essential sparsity, as a fraction: the mean over the tasks that all models compared have learned.

    Args:
        tasks: those that count, where it is not all of these.
    """
    counted = learned(study, found, compared.models) if tasks is None else tasks
    means = task_means(_of(found, compared), counted, lambda curve: resampled_essential(curve)[0])
    return effect({model: float(value) for model, value in means.items()}, compared.more, compared.less)


def drop_effects(study: Study, found: Sequence[Curve], compared: Comparison) -> dict[float, Effect]:
    """By sparsity, on the drop in points against the dense model: the mean over the same tasks.

    A difference above 0 says that the first models lose more.
    """
    tasks = learned(study, found, compared.models)
    means = task_means(_of(found, compared), tasks, lambda curve: curve.drops()[0])
    levels = enumerate(study.sparsities if means else ())
    return {
        level: effect({m: float(drops[i]) for m, drops in means.items()}, compared.more, compared.less)
        for i, level in levels
    }


def _of(found: Sequence[Curve], compared: Comparison) -> list[Curve]:
    return [curve for curve in found if curve.model in compared.models]


def zero_shares(study: Study, records: Mapping[str, Record]) -> dict[str, dict[str, float]]:
    """By reading and by model, the percentage of the prunable weights that is zero, in the weights as they were saved.

    The readings are those of measurements of kind ``zeros``, then those of kind ``distribution``, where weights are
    normalised first.
    """
    found: dict[str, dict[str, float]] = {}
    for kind in ("zeros", "distribution"):
        for asked in study.measurements():
            if asked.kind == kind and asked.id in records:
                values = records[asked.id].values
                size, counts = _raw(values) if kind == "zeros" else _normalised(values)
                for reading, count in counts.items():
                    found.setdefault(reading, {})[asked.model] = 100 * count / size
    return found


#: What a scaler is fitted to, by its name in measurements.
_SCOPES = {"layer": "each layer", "model": "the model"}


def _raw(values: Mapping) -> tuple[int, dict[str, int]]:
    return sum(size for _, _, size in values["places"]), {r: sum(own) for r, own in values["zeros"].items()}


def _normalised(values: Mapping) -> tuple[int, dict[str, int]]:
    counts = {
        f"{scaler} of {_SCOPES[over]}, below {threshold:g}": count
        for scaler, by_scope in values["zeros"].items()
        for over, own in by_scope.items()
        for threshold, count in zip(values["thresholds"], own, strict=True)
    }
    return values["model"]["size"], counts


def excess(shares: Mapping[str, float], compared: Comparison) -> Estimate:
    """How many percent more zeros the first models have: of the means, with the range over all pairs of models.

    The paper's 14.37% is such a number, of one pair. NaN where a model has no record or the second ones no zeros.

    >>> found = excess({"a": 3.0, "b": 2.0}, Comparison("", more=("a",), less=("b",)))
    >>> found.value, found.low, found.high
    (50.0, 50.0, 50.0)
    """
    if not compared.more or not compared.less or any(shares.get(model) is None for model in compared.models):
        return Estimate(math.nan, math.nan, math.nan)
    more, less = ([shares[model] for model in group] for group in (compared.more, compared.less))
    if not all(less):
        return Estimate(math.nan, math.nan, math.nan)
    pairs = [100 * (one / other - 1) for one in more for other in less]
    return Estimate(100 * (fmean(more) / fmean(less) - 1), min(pairs), max(pairs))


def c7(
    study: Study,
    records: Mapping[str, Record],
    found: Sequence[Curve],
    compared: Comparison,
    beside: Sequence[Comparison] = (),
) -> Verdict:
    """C7: self-supervised pre-training prunes better than supervised, on every task, and gives more zeros.

    The pre-trained model is the unit, not the seed of its fine-tuning: 95% t-intervals from the spread between
    pre-trainings, as for C9. Agrees if the essential sparsity (the mean over the tasks that all models compared have
    learned) and the zeros (``RELATIVE``, of the weights as they were saved) of the first models both exceed those of
    the second by the whole interval; differs if one of them lies below by the whole interval; is inconclusive
    otherwise, and always so where there is one pre-training each, as at paper scale: what the objective does cannot
    then be told from what another seed does, nor, in the paper, from what other images do. How each task stands is
    told, and decides nothing; so is a task whose classes the supervised models have ``seen``.

    Args:
        found: the study's curves.
        compared: what decides: self-supervised against supervised, after equally many images.
        beside: what else is told.
    """
    if study.scale == "tiny":
        return verdict.untested("C7")
    if not compared.more or not compared.less:
        return Verdict(
            claim="C7", outcome="not tested at this scale", reason="it takes models of either way to pre-train"
        )
    zeros = zero_shares(study, records)
    complete = [(curve.model, curve.task) for curve in found if curve.complete(study)]
    there = [
        model
        for model in compared.models
        if model in zeros.get(RELATIVE, {}) and all((model, task) in complete for task in study.tasks_of(model))
    ]
    if len(there) < len(compared.models):
        outcome: Outcome = "inconclusive" if there else "not tested at this scale"
        of = len(compared.models)
        return Verdict(
            claim="C7", outcome=outcome, reason=f"{of - len(there)} of the {of} models compared lack records"
        )
    tasks = learned(study, found, compared.models)
    if not tasks:
        lacking = "there is no task that all models learned without pruning, and that none was pre-trained to tell"
        return Verdict(claim="C7", outcome="inconclusive", reason=lacking)
    essential = essential_effect(study, found, compared).difference
    more_zeros = effect(zeros[RELATIVE], compared.more, compared.less).difference
    outcomes = [verdict.above_zero(estimate) for estimate in (essential, more_zeros)]
    by_task = verdict.by_outcome(
        (verdict.above_zero(essential_effect(study, found, compared, [task]).difference), task) for task in tasks
    )
    told: dict[Outcome, str] = {"agrees": "higher", "differs": "lower", "inconclusive": "undecided"}
    parts = [
        f"{compared.name}: essential sparsity {essential.text(0, 100)} points of sparsity, zeros {RELATIVE} "
        f"{more_zeros.text(3)} percent of the weights{_as_excess(excess(zeros[RELATIVE], compared))}",
        "task by task, essential sparsity is "
        + ", ".join(f"{words} on {listing(by_task[o])}" for o, words in told.items() if o in by_task),
        *(_beside(study, found, zeros, other) for other in beside),
    ]
    known = seen(study, compared.models)
    parts += [_seen(study, found, compared, task) for task in study.tasks if task in known]
    unlearned = [task for task in study.tasks if task not in (*tasks, *known)]
    parts += [f"not counted: {listing(unlearned)}, which not every model learned"] if unlearned else []
    sizes = len(compared.more), len(compared.less)
    if sum(sizes) > 2:
        times = detectable_ratio(*sizes)
        parts.append(f"a difference shows if it is {times:.1f} times as large as the spread between such pre-trainings")
    else:
        parts.append("one pre-training each shows no spread, so that nothing can be told from chance")
    measured = f"essential sparsity {essential.text(0, 100)} points of sparsity, zeros {more_zeros.text(3)} percent"
    return Verdict(claim="C7", outcome=verdict.least(outcomes), reason="; ".join(parts), measured=measured)


def _beside(study: Study, found: Sequence[Curve], zeros: Mapping[str, Mapping[str, float]], other: Comparison) -> str:
    essential = essential_effect(study, found, other).difference
    share = effect(zeros.get(RELATIVE, {}), other.more, other.less).difference
    if math.isnan(essential.value) or math.isnan(share.value):
        return f"{other.name}: records are missing"
    return f"{other.name}: essential sparsity {essential.text(0, 100)} points, zeros {share.text(3)} percent"


def _seen(study: Study, found: Sequence[Curve], compared: Comparison, task: str) -> str:
    essential = essential_effect(study, found, compared, [task]).difference
    return (
        f"not counted: {task}, whose classes the supervised models were pre-trained to tell, with a difference of "
        f"{essential.text(0, 100)} points of sparsity"
    )


def _as_excess(percent: Estimate) -> str:
    if math.isnan(percent.value):
        return ""
    more = Estimate(percent.value, math.nan, math.nan)
    return f", {more.text(1)}% more (in the paper {MORE_ZEROS:.2f}%, by a reading that it does not state)"
