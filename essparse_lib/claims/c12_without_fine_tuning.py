"""Claim C12: it holds for Vicuna-7B on MMLU, and SparseGPT extends the range.

The model is pruned, asked questions and not trained. The rule has two clauses; the verdict is the less favourable.

*It holds*: with 30% of the weights gone by magnitude, the lower end of the paper's range, a model loses at most one
point on average over the tasks that count. The clause agrees if the whole 95% interval of that mean lies at or below
one point, and differs if it lies above. Beside it stand what is to be expected on a new task, and each task by itself
(``rules.three_statements``).

*SparseGPT extends the range*: the essential sparsity of the mean drop over the same tasks by SparseGPT less that by
magnitude, paired by question. The clause agrees if the whole 95% interval lies above 0, and differs if it lies at or
below 0. Tasks that were asked at fewer sparsities are left out of this mean. The drops are averaged, and not the
essential sparsities, which noise makes too low: in simulations (``tests/test_evaluation_coverage.py``) the intervals of
a mean of these held the truth in 84% of cases only. The noise of the calibration texts is that of the mean, text by
text: one text prunes one model for all tasks, and may be a bad one for all of them.

A task counts if the dense model scores above guessing by its whole interval, and has something to lose: its drop at the
last sparsity by magnitude lies above one point by its whole interval. A model counts if it has all records of both ways
to prune, with three texts for SparseGPT.

Told beside it, and not judged: whether knowledge is lost before language, as later work by some of the same authors has
it. It is the essential sparsity of the mean drop by magnitude over tasks of language less that over tasks of knowledge
and of reading.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..analysis.curves import EPSILON, MIN_SEEDS, Curve
from ..analysis.essential import pooled_essential_sparsity
from ..analysis.estimate import Estimate
from ..analysis.pooled import Effect, Range
from ..specs.likelihood import LIKELIHOOD_TASKS, Domain, LikelihoodKind
from ..specs.study import Study
from ..wording import listing
from .paper import ESSENTIAL_RANGE, VICUNA
from .phrases import NOTHING_TO_LOSE, Place, introduced, missing_models, not_counted, statement_clauses, undecided
from .pools import Pool, Reason, drops_of_curves
from .rules import ON_AVERAGE, Decision, average_number, complete_models, least_favourable, three_statements, verdict_by
from .verdict import Clause, Number, Outcome, Statement, Verdict

CLAIM = "C12"

#: The drops that the claim allows, in points.
ALLOWED = Range(high=EPSILON)

#: Where the drop is judged.
LOWEST = ESSENTIAL_RANGE[0]

_GUESSING = "where the dense model does no better than guessing"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The curves of one model on one task by magnitude and by SparseGPT.

    Attributes:
        magnitude: the curve by magnitude.
        sparsegpt: the curve by SparseGPT.
    """

    magnitude: Curve
    sparsegpt: Curve

    @property
    def counts(self) -> bool:
        """Whether the task counts: enough seeds, a dense model that does not guess, and something to lose."""
        curve = self.magnitude
        return len(curve.seeds) >= MIN_SEEDS and curve.learned() and curve.sensitive()

    @property
    def shift(self) -> Effect:
        """How much more of the weights can go by SparseGPT, in points of sparsity, paired by question."""
        return shift([self])


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """What decides the claim.

    Attributes:
        pairs: the curves that count.
        pool: the drops with 30% gone by magnitude.
        lacking: the models that lack records.
        several_models: whether the study has several models that are pruned both ways.
    """

    pairs: list[Pair]
    pool: Pool
    lacking: list[str]
    several_models: bool


def shift(of_tasks: Sequence[Pair]) -> Effect:
    """Return how much more of the weights can go by SparseGPT until the mean drop over tasks is above ε.

    Args:
        of_tasks: at least one, all of the same levels.

    Returns:
        The difference of the two essential sparsities, in points of sparsity, paired by question.
    """
    by_sparsegpt = pooled_essential_sparsity([pair.sparsegpt for pair in of_tasks])
    return by_sparsegpt - pooled_essential_sparsity([pair.magnitude for pair in of_tasks])


def at_every_sparsity(of_tasks: Sequence[Pair]) -> list[Pair]:
    """Return those of the tasks that were asked at the most sparsities."""
    most = max((len(pair.magnitude.levels) for pair in of_tasks), default=0)
    return [pair for pair in of_tasks if len(pair.magnitude.levels) == most]


def pairs(study: Study, by_magnitude: Sequence[Curve], by_sparsegpt: Sequence[Curve]) -> tuple[list[Pair], list[str]]:
    """Return the curves of the models that have all records, whether they count or not, and the models that lack some.

    Args:
        study: the study of the curves.
        by_magnitude: its curves by magnitude.
        by_sparsegpt: its curves by SparseGPT.
    """
    magnitude, sparsegpt = _by_place(by_magnitude), _by_place(by_sparsegpt)

    def complete(model: str) -> bool:
        places = [(model, task) for task in answered_tasks(study, model)]
        return all(
            place in of_variant and of_variant[place].complete(study)
            for of_variant in (magnitude, sparsegpt)
            for place in places
        )

    models, lacking = complete_models(study, complete)
    compared = [model for model in study.models if sparsegpt_variant(study) in study.variants_of(model)]
    of_models = [
        Pair(magnitude=curve, sparsegpt=sparsegpt[place])
        for place, curve in magnitude.items()
        if place[0] in models and place[0] in compared
    ]
    return of_models, [model for model in lacking if model in compared]


def sparsegpt_variant(study: Study) -> str:
    """Return the name of the study's variant that prunes by SparseGPT at every sparsity."""
    return next(
        name
        for name, prunings in study.variants.items()
        if all(pruning.method == "sparsegpt" and not pruning.pattern for pruning in prunings)
    )


def answered_tasks(study: Study, model: str) -> list[str]:
    """Return a model's tasks that have answers, which texts have not."""
    rows = {task: LIKELIHOOD_TASKS.get(task) for task in study.tasks_of(model)}
    return [task for task, row in rows.items() if row is None or row.kind is not LikelihoodKind.TEXT]


def _by_place(group: Iterable[Curve]) -> dict[Place, Curve]:
    return {(curve.model, curve.task): curve for curve in group}


def pools(study: Study, by_magnitude: Sequence[Curve], by_sparsegpt: Sequence[Curve]) -> tuple[Pool, ...]:
    """Return the drops with 30% of the weights gone by magnitude, whose mean decides.

    Args:
        study: the study of the curves.
        by_magnitude: its curves by magnitude.
        by_sparsegpt: its curves by SparseGPT.
    """
    return (_pool(pairs(study, by_magnitude, by_sparsegpt)[0]),)


def _pool(of_models: Sequence[Pair]) -> Pool:
    counted = [pair.magnitude for pair in of_models if pair.counts]
    return drops_of_curves([pair.magnitude for pair in of_models], counted, LOWEST, ALLOWED, decides=True)


def eligible(study: Study, by_magnitude: Sequence[Curve], by_sparsegpt: Sequence[Curve]) -> Eligible | Verdict:
    """Return what decides, or the verdict where nothing can.

    Args:
        study: the study of the curves.
        by_magnitude: its curves by magnitude.
        by_sparsegpt: its curves by SparseGPT.
    """
    of_models, lacking = pairs(study, by_magnitude, by_sparsegpt)
    counted = [pair for pair in of_models if pair.counts]
    several_models = len({pair.magnitude.model for pair in of_models} | set(lacking)) > 1
    pool = _pool(of_models)
    if not counted:
        return undecided(CLAIM, _uncounted(pool, several_models), [other.reason for other in pool.others], lacking)
    return Eligible(pairs=counted, pool=pool, lacking=lacking, several_models=several_models)


def _uncounted(pool: Pool, several_models: bool) -> list[Clause]:
    """Return clauses on what does not count, by the reason."""
    words = {
        Reason.NOT_LEARNED: _GUESSING,
        Reason.NOTHING_TO_LOSE: NOTHING_TO_LOSE,
        Reason.FEW_SEEDS: f"which have fewer than {MIN_SEEDS} seeds",
    }
    places: dict[Reason, list[Place]] = {reason: [] for reason in words}
    for other in pool.others:
        curve = other.difference.curve
        places[other.reason].append((curve.model, curve.task))
    clauses: list[Clause] = []
    for reason, text in words.items():
        clauses += not_counted(places[reason], several_models, text)
    return clauses


def language_before_knowledge(counted: Sequence[Pair]) -> Estimate | None:
    """Return how much more of the weights can go on tasks of language than on tasks of knowledge and of reading.

    Args:
        counted: the curves that count.

    Returns:
        The difference of the essential sparsities of the mean drops by magnitude, in points of sparsity; None where one
        of the two kinds has no task that counts.
    """
    language, knowledge = [], []
    for pair in at_every_sparsity(counted):
        row = LIKELIHOOD_TASKS.get(pair.magnitude.task)
        if row is not None and row.domain is Domain.LANGUAGE:
            language.append(pair.magnitude)
        elif row is not None and row.domain in (Domain.KNOWLEDGE, Domain.READING):
            knowledge.append(pair.magnitude)
    if not language or not knowledge:
        return None
    return (pooled_essential_sparsity(language) - pooled_essential_sparsity(knowledge)).estimate


def decide(evidence: Eligible) -> Decision[str]:
    """Return the less favourable outcome of the two clauses, and their numbers."""
    statements = three_statements(evidence.pool.effects, ALLOWED, of=evidence.pool.of)
    gained = shift(at_every_sparsity(evidence.pairs)).estimate
    number = Number(estimate=gained, unit="points of sparsity", digits=1, allowed=(0.0, math.inf))
    shifted = Statement(sense=ON_AVERAGE, of="SparseGPT's shift", outcome=extends(gained), number=number)
    numbers = {"mean loss": average_number(evidence.pool.effects, ALLOWED), "shift": number}
    ahead = language_before_knowledge(evidence.pairs)
    if ahead is not None:
        numbers["language ahead of knowledge"] = Number(estimate=ahead, unit="points of sparsity", digits=1)
    outcome = least_favourable({statements[0].outcome, shifted.outcome})
    return Decision(outcome, numbers, {}, (*statements, shifted))


def extends(gained: Estimate) -> Outcome:
    """Return whether a shift of the essential sparsity lies above 0 by its whole 95% interval, or at or below 0.

    >>> [extends(Estimate(value, value - 2, value + 2)).value for value in (3, 1, -2)]
    ['agrees', 'inconclusive', 'differs']
    """
    if gained.low > 0:
        return Outcome.AGREES
    return Outcome.DIFFERS if gained.high <= 0 else Outcome.INCONCLUSIVE


def explain(evidence: Eligible, decision: Decision[str]) -> tuple[Clause, ...]:
    """Return the statements in words, what is told beside them, and what does not count."""
    models = list(dict.fromkeys(pair.magnitude.model for pair in evidence.pairs))
    other = "" if models == [VICUNA] else f" and not on the paper's {VICUNA}"
    clauses = statement_clauses(decision.statements)
    ahead = decision.numbers.get("language ahead of knowledge")
    if ahead is not None:
        clauses.append(
            Clause(text=f"essential sparsity on language less that on knowledge and reading: {ahead.text} (not judged)")
        )
    clauses += _uncounted(evidence.pool, evidence.several_models)
    clauses += missing_models(evidence.lacking)
    rule = f"a loss of at most {EPSILON:g} point and a shift above 0, on {listing(models)}{other}: "
    return introduced(rule, clauses)


def judge(study: Study, by_magnitude: Sequence[Curve], by_sparsegpt: Sequence[Curve]) -> Verdict:
    """Return the verdict on C12 from a study's curves by magnitude and by SparseGPT.

    Args:
        study: the study of the curves.
        by_magnitude: its curves by magnitude.
        by_sparsegpt: its curves by SparseGPT.
    """
    summary = (
        f"with {LOWEST:.0%} of the weights removed by magnitude, accuracy falls by {{}} on average; SparseGPT moves "
        "the essential sparsity by {}"
    )
    return verdict_by(CLAIM, study, lambda: eligible(study, by_magnitude, by_sparsegpt), decide, explain, summary)
