"""Claim C1: essential sparsity exists in every model and task.

The rule: with 30% of the weights gone, the mean loss over all curves that count is at most one point. The claim agrees
if the whole 95% interval of the mean lies at or below one point, differs if it lies above, and is inconclusive
otherwise. The same is stated at 10, 20, 40 and 50%, for a new task, and for each curve (``rules.three_statements``).

A curve counts if it has three seeds at every sparsity, if its dense model has learned the task, and if it has something
to lose: its drop at the last sparsity lies above one point by its whole interval. Runs that learn nothing once they are
pruned are results, and count; they are named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..analysis.curves import EPSILON, MIN_SEEDS, Curve
from ..analysis.curves import curves as curves_of
from ..analysis.essential import essential_sparsity
from ..analysis.estimate import Estimate
from ..analysis.pooled import Effect, Range
from ..records.store import Record
from ..specs.study import Study
from ..specs.trial import Pruning
from ..wording import listing
from .paper import ESSENTIAL_RANGE
from .phrases import (
    NOT_LEARNED,
    NOTHING_TO_LOSE,
    Place,
    introduced,
    missing_models,
    not_counted,
    statement_clauses,
    undecided,
)
from .pools import Pool, Reason, drops_of_curves
from .rules import (
    Decision,
    average_number,
    average_outcome,
    complete_models,
    model_averages,
    model_clauses,
    place_of,
    three_statements,
    verdict_by,
)
from .verdict import Clause, Number, Statement, Verdict, not_run

CLAIM = "C1"

#: Least essential sparsity that the claim takes: where it is judged.
THRESHOLD = ESSENTIAL_RANGE[0]

#: The sparsities at which the loss is stated.
STATED = (0.1, 0.2, 0.3, 0.4, 0.5)

#: The sparsities around the threshold at which other readings are tried.
NEAR = (0.2, 0.25, 0.3)

#: The drops that the claim allows, in points.
ALLOWED = Range(high=EPSILON)


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """The curves of a study, by whether they count.

    Attributes:
        study: the study.
        counted: the curves that decide.
        unlearned: model and task of complete curves whose dense model has not learned the task.
        insensitive: model and task of learned curves that have nothing to lose.
        elsewhere: model and task of curves that are not measured at the threshold.
        too_few_seeds: model and task of curves of models that the study runs with too few seeds.
        lacking: models that lack records.
    """

    study: Study
    counted: list[Curve]
    unlearned: list[Place]
    insensitive: list[Place]
    elsewhere: list[Place]
    too_few_seeds: list[Place]
    lacking: list[str]


def eligible(study: Study, curves: Sequence[Curve]) -> Eligible | Verdict:
    """Return which curves count, or the verdict where they cannot decide.

    Args:
        study: the study of the curves.
        curves: the study's curves of its main way to prune.
    """
    complete = [curve for curve in curves if len(curve.seeds) >= MIN_SEEDS and curve.complete(study)]
    few = {curve.model for curve in curves if len(study.seeds_of(curve.model)) < MIN_SEEDS}
    models, lacking = complete_models(
        study, lambda model: sum(curve.model == model for curve in complete) == len(study.tasks_of(model))
    )
    of_models = [curve for curve in complete if curve.model in models]
    learned = [curve for curve in of_models if curve.learned()]
    sensitive = [curve for curve in learned if curve.sensitive()]
    counted = [curve for curve in sensitive if THRESHOLD in curve.levels]
    lacking = [model for model in lacking if model not in few]
    missing = [clause.text for clause in missing_models(lacking)]
    if not of_models:
        reason = f"no model has records of {MIN_SEEDS} seeds at every sparsity"
        return not_run(CLAIM, reason, *missing)
    if not learned:
        return undecided(CLAIM, [Clause(text="no dense model learned its task")], [Reason.NOT_LEARNED], lacking)
    if not sensitive:
        why = Clause(text="no curve falls by more than a point: nothing to lose")
        return undecided(CLAIM, [why], [Reason.NOTHING_TO_LOSE], lacking)
    if not counted:
        return not_run(CLAIM, f"no curve is measured at {THRESHOLD:.0%}", *missing)
    return Eligible(
        study=study,
        counted=counted,
        unlearned=[(curve.model, curve.task) for curve in of_models if not curve.learned()],
        insensitive=[(curve.model, curve.task) for curve in learned if not curve.sensitive()],
        elsewhere=[(curve.model, curve.task) for curve in sensitive if THRESHOLD not in curve.levels],
        too_few_seeds=[(curve.model, curve.task) for curve in curves if curve.model in few],
        lacking=lacking,
    )


def drops_at(curves: Sequence[Curve], sparsity: float) -> list[Effect]:
    """Return the drop of each curve at a sparsity; curves that were not measured there have none.

    Args:
        curves: the curves.
        sparsity: fraction of the prunable weights that is gone.
    """
    return drops_of_curves(curves, curves, sparsity, ALLOWED, decides=False).effects


def pools(study: Study, curves: Sequence[Curve]) -> tuple[Pool, ...]:
    """Return the drops at each measured sparsity; those at the threshold decide.

    Args:
        study: the study of the curves.
        curves: the study's curves of its main way to prune.
    """
    evidence = eligible(study, curves)
    counted = evidence.counted if isinstance(evidence, Eligible) else []
    measured = sorted({float(level) for curve in curves for level in curve.levels if level})
    return tuple(
        drops_of_curves(curves, counted, sparsity, ALLOWED, decides=sparsity == THRESHOLD) for sparsity in measured
    )


def pools_near(study: Study, records: Mapping[str, Record], curves: Sequence[Curve]) -> tuple[Pool, ...]:
    """Return the drops of the curves that count at the sparsities in ``NEAR``, those outside the study among them.

    Args:
        study: the study of the curves.
        records: records by the id of their spec.
        curves: the study's curves of its main way to prune.
    """
    evidence = eligible(study, curves)
    counted = evidence.counted if isinstance(evidence, Eligible) else []
    outside = tuple(Pruning(sparsity=sparsity) for sparsity in NEAR if sparsity not in study.sparsities)
    with_others = curves_of(study, records, prunings=(*study.variants[study.main], *outside)) if counted else []
    places = {(curve.model, curve.task) for curve in counted}

    def pool(sparsity: float) -> Pool:
        measured = counted if sparsity in study.sparsities else with_others
        pruning = Pruning(sparsity=sparsity)
        group = [curve for curve in measured if (curve.model, curve.task) in places and pruning in curve.prunings]
        enough = [curve for curve in group if curve.seeds_of(pruning) >= MIN_SEEDS]
        return drops_of_curves(enough, enough, sparsity, ALLOWED, decides=sparsity == THRESHOLD)

    return tuple(pool(sparsity) for sparsity in NEAR)


def statements(counted: Sequence[Curve]) -> tuple[Statement, ...]:
    """Return the three statements at each sparsity, those at the threshold first."""
    result: list[Statement] = []
    for sparsity in dict.fromkeys((THRESHOLD, *STATED)):
        if effects := drops_at(counted, sparsity):
            result += three_statements(effects, ALLOWED, of=f"at {sparsity:.0%}")
    return tuple(result)


def decide(evidence: Eligible) -> Decision[Place]:
    """Return the outcome of the mean drop at the threshold, with the least and greatest essential sparsity."""
    effects = drops_at(evidence.counted, THRESHOLD)
    estimates = [(curve, essential_sparsity(curve)) for curve in evidence.counted]
    least, greatest = (extreme(estimates, key=lambda pair: pair[1].value) for extreme in (min, max))
    of_models = model_averages(effects).items()
    numbers = {
        "mean loss": average_number(effects, ALLOWED),
        **{f"mean loss of {model}": replace(mean, of=model) for model, mean in of_models},
        "least essential sparsity": _percentage(evidence, *least),
        "greatest essential sparsity": _percentage(evidence, *greatest),
    }
    return Decision(average_outcome([effects], ALLOWED), numbers, {}, statements(evidence.counted))


def _percentage(evidence: Eligible, curve: Curve, estimate: Estimate) -> Number:
    return Number(
        estimate=estimate.scaled(100),
        unit="%",
        of=place_of(evidence.counted, curve),
        at_least=bool(estimate.value >= curve.at_tenths.levels.max()),
        paper=(100 * ESSENTIAL_RANGE[0], 100 * ESSENTIAL_RANGE[1]),
    )


def explain(evidence: Eligible, decision: Decision[Place]) -> tuple[Clause, ...]:
    """Return the statements at the threshold in words, what each model says alone, and which curves do not count."""
    several = len(evidence.study.models) > 1
    clauses = statement_clauses(decision.statements[:3])
    clauses += model_clauses(drops_at(evidence.counted, THRESHOLD))
    clauses += _collapsed_runs(evidence.counted)
    clauses += not_counted(evidence.unlearned, several, NOT_LEARNED)
    clauses += not_counted(evidence.insensitive, several, NOTHING_TO_LOSE)
    clauses += not_counted(evidence.elsewhere, several, f"not measured at {THRESHOLD:.0%}")
    clauses += not_counted(evidence.too_few_seeds, several, "for want of seeds")
    clauses += missing_models(evidence.lacking)
    return introduced(f"a loss of at most {EPSILON:g} point: ", clauses)


def _collapsed_runs(curves: Sequence[Curve]) -> list[Clause]:
    """Return the clause on runs at the threshold that learned nothing, which count: one such run is a wide interval."""
    collapsed = []
    for curve in curves:
        scores = curve.scores[:, list(curve.levels).index(THRESHOLD)]
        for seed, score in zip(curve.seeds, scores, strict=True):
            if score <= curve.majority:
                collapsed.append(f"{curve.model} on {curve.task} with seed {seed}")
    if not collapsed:
        return []
    text = f"counted, with {THRESHOLD:.0%} gone, though no better than the commonest class: {listing(collapsed)}"
    return [Clause(text=text, places=tuple(collapsed))]


def judge(study: Study, curves: Sequence[Curve]) -> Verdict:
    """Return the verdict on C1 from a study's curves.

    Args:
        study: the study of the curves.
        curves: the study's curves of its main way to prune.
    """

    def summary(evidence: Eligible) -> str:
        models = dict.fromkeys(curve.model for curve in evidence.counted)
        each = f": {listing(['{}' for _ in models])}" if len(models) > 1 else ""
        return (
            f"with {THRESHOLD:.0%} of the weights removed, scores fall by {{}} on average{each}; the essential "
            "sparsity of the curves that count lies between {} and {}"
        )

    return verdict_by(CLAIM, study, lambda: eligible(study, curves), decide, explain, summary)
