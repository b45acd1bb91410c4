"""Claim C5: essential sparsity holds on the arithmetic problems of SMC-Bench.

The rule has two steps. The first is the assay: *is pre-training used at all?* On each data set the dense pre-trained
model must score above the same model with random weights, which is trained alike, by the whole 95% interval of the
difference. Where it does not, pruning has nothing to take away, and the data set does not count. If it does on none,
the claim cannot be tested here, whatever the curves are.

The second is the criterion of C1, on data sets: with 30% of the weights gone, the lower end of the paper's range, the
mean drop is at most one point. It agrees if the whole 95% interval of the mean lies at or below one point, and differs
if it lies above. Beside it stand what is to be expected on a new data set, and each data set by itself
(``rules.three_statements``). A data set counts if it passes the assay, the dense model beats the commonest equation of
the training set, and there is something to lose: the drop at the last sparsity lies above one point by its whole
interval. A model counts if it has all records, with random weights too, of three seeds on every fold.

The folds of a data set share their texts and most of their training sets. So they are one data set, whose effect is the
mean over its folds. Its interval has three sources of chance: problems, trainings, and the choice of folds
(``analysis.folds``). A data set with one split cannot show the last.

Told beside it, and not judged: the same mean without the problems that stand word for word in the training set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..analysis.advantages import Advantage, advantages, random_curves, without_pretraining
from ..analysis.curves import EPSILON, MIN_SEEDS, Curve, curves
from ..analysis.folds import data_set_curves
from ..analysis.leaks import without_leaked
from ..analysis.pooled import Effect, Range
from ..records.store import Record
from ..specs.study import Study
from ..wording import places_text
from .paper import ESSENTIAL_RANGE
from .phrases import NOTHING_TO_LOSE, Place, introduced, missing_models, not_counted, statement_clauses, undecided
from .pools import Pool, Reason, Uncounted, drops_of_curves
from .rules import (
    Decision,
    average_number,
    average_outcome,
    complete_models,
    place_of,
    three_statements,
    verdict_by,
    within,
)
from .verdict import Clause, Number, Statement, Verdict

CLAIM = "C5"

#: The drops that the claim allows, in points.
ALLOWED = Range(high=EPSILON)

#: Where the drop is judged.
LOWEST = ESSENTIAL_RANGE[0]

_UNUSED = "where pre-trained weights do not beat random ones by the whole interval: pruning has nothing to take away"
_WORDS = {
    Reason.NO_ADVANTAGE: _UNUSED,
    Reason.NOT_LEARNED: "where the dense model does not beat the commonest equation",
    Reason.NOTHING_TO_LOSE: NOTHING_TO_LOSE,
}


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """What the claim reads of one model on one data set.

    Attributes:
        curve: the mean curve over its folds.
        advantage: what pre-training gives there.
        reason: why the data set does not count; None if it does.
    """

    curve: Curve
    advantage: Advantage
    reason: Reason | None

    @property
    def place(self) -> Place:
        """The names of the model and of the data set."""
        return self.curve.model, self.curve.task


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """What decides the claim.

    Attributes:
        data_sets: those of models with all records, whether they count or not.
        pool: the drops with 30% gone.
        unleaked: the drops that count, without the problems that leaked; empty where none leaked.
        lacking: the models that lack records.
    """

    data_sets: list[DataSet]
    pool: Pool
    unleaked: list[Effect]
    lacking: list[str]

    @property
    def counted(self) -> list[DataSet]:
        """The data sets that count."""
        return [each for each in self.data_sets if each.reason is None]


def data_sets(study: Study, records: Mapping[str, Record]) -> tuple[list[DataSet], list[str]]:
    """Return what there is of each data set, of models with all records, and the models that lack some.

    Args:
        study: the study of the figure.
        records: records by the id of their spec.
    """
    pretrained, random = curves(study, records), random_curves(study, records)
    random_study = without_pretraining(study)

    def complete(model: str) -> bool:
        sides = ((study, pretrained), (random_study, random))
        return all(
            {c.task for c in group if c.model == model and len(c.seeds) >= MIN_SEEDS and c.complete(part)}
            == set(study.tasks_of(model))
            for part, group in sides
        )

    models, lacking = complete_models(study, complete)
    by_place = advantages(pretrained, random)
    judged = []
    for curve in data_set_curves([curve for curve in pretrained if curve.model in models]):
        advantage = by_place.get((curve.model, curve.task))
        if advantage is not None:
            judged.append(DataSet(curve=curve, advantage=advantage, reason=_reason(curve, advantage)))
    return judged, lacking


def _reason(curve: Curve, advantage: Advantage) -> Reason | None:
    """Return why a data set does not count, the assay first; None if it does."""
    if not advantage.clear:
        return Reason.NO_ADVANTAGE
    if not curve.learned():
        return Reason.NOT_LEARNED
    return None if curve.sensitive() else Reason.NOTHING_TO_LOSE


def pools(study: Study, records: Mapping[str, Record]) -> tuple[Pool, ...]:
    """Return the drops with 30% of the weights gone, a data set each, whose mean decides.

    Args:
        study: the study of the figure.
        records: records by the id of their spec.
    """
    return (_pool(data_sets(study, records)[0]),)


def _pool(judged: Sequence[DataSet]) -> Pool:
    """Return the drops with 30% gone of those data sets that count, and the others with their reasons."""
    counted = [each.curve for each in judged if each.reason is None]
    pool = drops_of_curves([each.curve for each in judged], counted, LOWEST, ALLOWED, decides=True)
    reasons = {each.place: each.reason for each in judged}
    others = [_with_reason(other, reasons) for other in pool.others]
    return replace(pool, others=tuple(others))


def _with_reason(other: Uncounted, reasons: Mapping[Place, Reason | None]) -> Uncounted:
    """Return a difference that does not count with the reason of this claim, which the assay may give."""
    curve = other.difference.curve
    return replace(other, reason=reasons[curve.model, curve.task] or other.reason)


def eligible(study: Study, records: Mapping[str, Record]) -> Eligible | Verdict:
    """Return what decides, or the verdict where nothing can.

    Args:
        study: the study of the figure.
        records: records by the id of their spec.
    """
    judged, lacking = data_sets(study, records)
    pool = _pool(judged)
    if not pool.counted:
        return undecided(CLAIM, _uncounted(judged), [other.reason for other in pool.others], lacking)
    unleaked = _drops_without_leaked(study, records, pool)
    return Eligible(data_sets=judged, pool=pool, unleaked=unleaked, lacking=lacking)


def _drops_without_leaked(study: Study, records: Mapping[str, Record], pool: Pool) -> list[Effect]:
    """Return the drops that count once more, without the problems that leaked; none where no problem leaked."""
    ids = {trial.id for trial in study.trials()}
    whole = {id_: record for id_, record in records.items() if id_ in ids}
    rest = without_leaked(whole)
    if rest == whole:
        return []
    places = {(each.curve.model, each.curve.task) for each in pool.counted}
    group = [curve for curve in data_set_curves(curves(study, rest)) if (curve.model, curve.task) in places]
    return drops_of_curves(group, group, LOWEST, ALLOWED, decides=False).effects


def _uncounted(judged: Sequence[DataSet]) -> list[Clause]:
    """Return clauses on the data sets that do not count, by the reason."""
    several_models = len({each.curve.model for each in judged}) > 1
    clauses: list[Clause] = []
    for reason, words in _WORDS.items():
        clauses += not_counted([each.place for each in judged if each.reason is reason], several_models, words)
    return clauses


def decide(evidence: Eligible) -> Decision[Place]:
    """Return the outcome of the mean drop, with what pre-training gives at least where it counts."""
    effects = evidence.pool.effects
    numbers = {"mean loss": average_number(effects, ALLOWED), "least advantage": _least_advantage(evidence)}
    if evidence.unleaked:
        numbers["mean loss without leaked problems"] = average_number(evidence.unleaked)
    statements: tuple[Statement, ...] = three_statements(effects, ALLOWED, of=evidence.pool.of)
    return Decision(average_outcome([effects], ALLOWED), numbers, {}, statements)


def _least_advantage(evidence: Eligible) -> Number:
    """Return the smallest of the differences between pre-trained and random weights that count."""
    least = min(evidence.counted, key=lambda each: each.advantage.effect.value)
    place = place_of([each.curve for each in evidence.counted], least.curve)
    return Number(estimate=least.advantage.effect.estimate, unit="points", digits=1, of=place)


def explain(evidence: Eligible, decision: Decision[Place]) -> tuple[Clause, ...]:
    """Return the statements in words, the assay, what is told beside them, and what does not count."""
    places = [each.place for each in evidence.counted]
    several_models = len({model for model, _ in places}) > 1
    clauses = statement_clauses(decision.statements)
    advantage = decision.numbers["least advantage"].text
    clauses.append(
        Clause(
            text=f"pre-trained weights beat random ones {places_text(places, several_models)}, by {advantage} or more",
            places=tuple(places),
        )
    )
    unleaked = decision.numbers.get("mean loss without leaked problems")
    if unleaked is not None:
        outcome = within(unleaked.estimate, ALLOWED)
        text = f"without the problems that stand in the training set: {unleaked.text}, {outcome} (not judged)"
        clauses.append(Clause(text=text))
    clauses += _uncounted(evidence.data_sets)
    clauses += missing_models(evidence.lacking)
    return introduced(f"a loss of at most {EPSILON:g} point: ", clauses)


def judge(study: Study, records: Mapping[str, Record]) -> Verdict:
    """Return the verdict on C5 from records.

    Args:
        study: the study of the figure.
        records: records by the id of their spec.
    """
    summary = (
        f"with {LOWEST:.0%} of the weights removed, the share of right answers falls by {{}} on average; pre-training "
        "gives {} or more"
    )
    return verdict_by(CLAIM, study, lambda: eligible(study, records), decide, explain, summary)
