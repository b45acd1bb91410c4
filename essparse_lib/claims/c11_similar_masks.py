"""Claim C11: inside the essential range (up to 40%) the masks' cosine is above 96%, and it falls as sparsity rises.

Similarities are counted, not estimated. The claim agrees if those of all tickets with the one-shot mask, and of all
tickets with each other, lie above 96% at every sparsity up to 40%, and their mean falls from each sparsity to the next,
in every model whose records are complete. It differs otherwise. The other models are named and do not count. What the
study's control gives is reported, and does not count either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from ..analysis.estimate import exact
from ..analysis.similarities import similarities
from ..records.store import Record
from ..specs.study import Study
from ..wording import listing, rates_text
from .paper import COSINES, ESSENTIAL_RANGE
from .phrases import missing_models, with_model
from .rules import Decision, by_outcome, complete_models, verdict_by
from .verdict import Clause, Number, Outcome, Verdict, not_judged

CLAIM = "C11"

#: The end of the essential range, as the claim takes it: 40%; a little more, since sparsities are floats.
_RANGE_END = ESSENTIAL_RANGE[0] + 0.1 + 1e-9


@dataclass(frozen=True, kw_only=True)
class ModelCosines:
    """The cosines between the masks of one model.

    Attributes:
        lowest: least cosine at each sparsity up to 40%, in ascending order of sparsity.
        above: sparsities up to 40% at which all cosines lie above the limit.
        falls: whether the mean cosine falls from each sparsity to the next, beyond 40% too.
    """

    lowest: dict[float, float]
    above: list[float]
    falls: bool

    @property
    def outcome(self) -> Outcome:
        """How the model stands to the claim."""
        agrees = self.falls and len(self.above) == len(self.lowest)
        return Outcome.AGREES if agrees else Outcome.DIFFERS


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """What decides the claim.

    Attributes:
        limit: the cosine that must be exceeded.
        models: the cosines of each model whose records are complete, by its name.
        lacking: the models that lack records.
    """

    limit: float
    models: dict[str, ModelCosines]
    lacking: list[str]


def eligible(study: Study, records: Mapping[str, Record], limit: float = COSINES[0]) -> Eligible | Verdict:
    """Return the cosines of the models that count, or the verdict where there are none.

    Args:
        study: the study, with measurements of the similarity of masks.
        records: records by the id of their spec.
        limit: the cosine that must be exceeded.
    """
    measurements = study.measurements()

    def complete(model: str) -> bool:
        return all(measurement.id in records for measurement in measurements if measurement.model == model)

    models, lacking = complete_models(study, complete)
    if not models:
        some_records = any(measurement.id in records for measurement in measurements)
        return not_judged(CLAIM, "records are missing", some_records=some_records)
    cosines = {model: _cosines(similarities(study, records, model), limit) for model in models}
    return Eligible(limit=limit, models=cosines, lacking=lacking)


def _cosines(by_sparsity: Mapping[float, Sequence[float]], limit: float) -> ModelCosines:
    lowest = {sparsity: min(values) for sparsity, values in by_sparsity.items() if sparsity <= _RANGE_END}
    means = [fmean(by_sparsity[sparsity]) for sparsity in sorted(by_sparsity)]
    return ModelCosines(
        lowest=dict(sorted(lowest.items())),
        above=[sparsity for sparsity, cosine in lowest.items() if cosine > limit],
        falls=all(later < earlier for earlier, later in pairwise(means)),
    )


def decide(evidence: Eligible) -> Decision[str]:
    """Return the outcome of all models that count, and the least cosine of each."""
    outcomes = by_outcome((cosines.outcome, model) for model, cosines in evidence.models.items())
    several = len(evidence.models) > 1
    numbers = {}
    for model, cosines in evidence.models.items():
        least = exact(100 * min(cosines.lowest.values()))
        numbers[f"least cosine of {model}"] = Number(estimate=least, unit="%", digits=1, of=model if several else "")
    outcome = Outcome.DIFFERS if Outcome.DIFFERS in outcomes else Outcome.AGREES
    return Decision(outcome, numbers, outcomes)


def explain(evidence: Eligible) -> tuple[Clause, ...]:
    """Return in words where the cosines of each model lie above the limit and whether they fall."""
    clauses = []
    for model, cosines in evidence.models.items():
        text = with_model(list(evidence.models), model, _cosines_text(cosines, evidence.limit))
        clauses.append(Clause(text=text, outcome=cosines.outcome, places=(model,)))
    return (*clauses, *missing_models(evidence.lacking))


def _cosines_text(cosines: ModelCosines, limit: float) -> str:
    where = "at no sparsity up to 40%"
    if cosines.above:
        where = f"at sparsities of {listing([f'{sparsity:.0%}' for sparsity in cosines.above])}"
    lowest = listing([f"{100 * cosine:.1f}" for cosine in cosines.lowest.values()])
    falls = "falls" if cosines.falls else "does not fall"
    return f"all cosines lie above {limit:.0%} {where} (the least are {lowest}%), and the mean {falls} at every step"


def explain_control(control: Study, records: Mapping[str, Record], limit: float) -> Clause:
    """Return what a control of the study gives, which does not count.

    Args:
        control: a study that changes the learning rate alone.
        records: records by the id of their spec.
        limit: the cosine that must be exceeded.
    """
    rates = rates_text(trial.training.learning_rate for trial in control.trials())
    verdict = judge(control, records, limit)
    return Clause(
        text=f"not counted: {listing(control.models)} fine-tuned at a learning rate of {rates}: {verdict.reason}",
        outcome=verdict.outcome,
        places=tuple(control.models),
    )


def judge(study: Study, records: Mapping[str, Record], limit: float = COSINES[0]) -> Verdict:
    """Return the verdict on C11 from records.

    Args:
        study: the study, with measurements of the similarity of masks.
        records: records by the id of their spec.
        limit: the cosine that must be exceeded.
    """

    def clauses(evidence: Eligible, _: object) -> tuple[Clause, ...]:
        control = study.control
        return (*explain(evidence), *([explain_control(control, records, limit)] if control else []))

    def summary(evidence: Eligible) -> str:
        return f"cosine at least {', '.join('{}' for _ in evidence.models)} up to 40%"

    return verdict_by(CLAIM, study, lambda: eligible(study, records, limit), decide, clauses, summary)
