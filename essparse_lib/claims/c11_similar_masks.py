"""Claim C11: inside the essential range (up to 40%) the masks' cosine is above 96%, and it falls as sparsity rises.

Similarities are counted, not estimated, and are told as a mean with its range: lowest and highest over the pairs of
masks (a ticket and the one-shot mask, or two tickets) and the seeds. How alike masks are depends on how far training
moves the weights, and that on the learning rate. So the unit is a model at a learning rate; the rates of the study's
control count as well. A model at a rate agrees if the mean cosine lies above 96% at every sparsity up to 40% and falls
from each sparsity to the next, beyond 40% too, and differs otherwise.

The claim agrees if all models agree at all rates, differs if none agrees at any, and otherwise depends on the setting:
it then holds under some settings only, which are named. A model that lacks records is named and does not count.
"""

from __future__ import annotations

import math
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
from .phrases import missing_models
from .rules import Decision, by_outcome, complete_models, verdict_by
from .verdict import Clause, Number, Outcome, Verdict, not_run

CLAIM = "C11"

#: The end of the essential range, as the claim takes it: 40%; a little more, since sparsities are floats.
_RANGE_END = ESSENTIAL_RANGE[0] + 0.1 + 1e-9


@dataclass(frozen=True, kw_only=True)
class Cosines:
    """The cosines between the masks of one model whose tickets were found at one learning rate.

    Attributes:
        model: name of the model.
        rate: the learning rate in words, or the rates where its tasks have several.
        limit: the cosine that the means must exceed.
        by_sparsity: cosines of all pairs of masks over all seeds, by ascending sparsity.
    """

    model: str
    rate: str
    limit: float
    by_sparsity: Mapping[float, Sequence[float]]

    @property
    def name(self) -> str:
        """Model and learning rate in words."""
        return f"{self.model} at a learning rate of {self.rate}"

    @property
    def inside(self) -> dict[float, Sequence[float]]:
        """The cosines at sparsities up to 40%."""
        return {sparsity: values for sparsity, values in self.by_sparsity.items() if sparsity <= _RANGE_END}

    @property
    def falls(self) -> bool:
        """Whether the mean falls from each sparsity to the next, beyond 40% too."""
        means = [fmean(values) for values in self.by_sparsity.values()]
        return all(later < earlier for earlier, later in pairwise(means))

    @property
    def least_mean(self) -> float:
        """The least of the mean cosines at the sparsities up to 40%."""
        return min(fmean(values) for values in self.inside.values())

    @property
    def outcome(self) -> Outcome:
        """How the model at this rate stands to the claim."""
        return Outcome.AGREES if self.falls and self.least_mean > self.limit else Outcome.DIFFERS

    @property
    def text(self) -> str:
        """The mean at each sparsity up to 40%, whether it falls, and the range of single pairs, in words."""
        means = listing([f"{100 * fmean(values):.1f}" for values in self.inside.values()])
        sparsities = listing([f"{100 * sparsity:.4g}" for sparsity in self.inside])
        every = [100 * value for values in self.inside.values() for value in values]
        falls = "falls" if self.falls else "does not fall"
        return (
            f"the mean cosine is {means}% at {sparsities}% sparsity and {falls} at every step; single pairs of masks "
            f"have {min(every):.1f} to {max(every):.1f}%"
        )


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """What decides the claim.

    Attributes:
        limit: the cosine that must be exceeded.
        cosines: the cosines of each model at each learning rate whose records are complete.
        lacking: the models that lack records.
    """

    limit: float
    cosines: Sequence[Cosines]
    lacking: Sequence[str]


def eligible(study: Study, records: Mapping[str, Record], limit: float = COSINES[0]) -> Eligible | Verdict:
    """Return the cosines of the models that count, or the verdict where there are none.

    Args:
        study: the study, with measurements of the similarity of masks, and perhaps a control at another learning rate.
        records: records by the id of their spec.
        limit: the cosine that the means must exceed.
    """
    cosines, lacking = _complete(study, records, limit)
    if not cosines:
        return not_run(CLAIM, "records are missing")
    for control in study.controls:
        of_control, lacking_of_control = _complete(control, records, limit)
        cosines, lacking = [*cosines, *of_control], [*lacking, *lacking_of_control]
    return Eligible(limit=limit, cosines=cosines, lacking=lacking)


def _complete(study: Study, records: Mapping[str, Record], limit: float) -> tuple[list[Cosines], list[str]]:
    """Return the cosines of a study's models whose records are complete, and the other models with their rates."""
    measurements, trials = study.measurements(), study.trials()

    def complete(model: str) -> bool:
        return all(measurement.id in records for measurement in measurements if measurement.model == model)

    def rate(model: str) -> str:
        return rates_text(trial.training.learning_rate for trial in trials if trial.model == model)

    models, lacking = complete_models(study, complete)
    cosines = []
    for model in models:
        by_sparsity = dict(sorted(similarities(study, records, model).items()))
        cosines.append(Cosines(model=model, rate=rate(model), limit=limit, by_sparsity=by_sparsity))
    return cosines, [f"{model} at {rate(model)}" for model in lacking]


def decide(evidence: Eligible) -> Decision[str]:
    """Return the outcome of all models at all rates, and the least mean cosine of each."""
    outcomes = by_outcome((cosines.outcome, cosines.name) for cosines in evidence.cosines)
    numbers = {}
    for cosines in evidence.cosines:
        least, place = exact(100 * cosines.least_mean), f"{cosines.model} at {cosines.rate}"
        numbers[f"least mean cosine of {place}"] = Number(
            estimate=least,
            unit="%",
            digits=1,
            of=place,
            allowed=(100 * evidence.limit, math.inf),
            paper=(100 * COSINES[0], 100 * COSINES[1]),
        )
    outcome = next(iter(outcomes)) if len(outcomes) == 1 else Outcome.DEPENDS
    return Decision(outcome, numbers, outcomes)


def explain(evidence: Eligible) -> tuple[Clause, ...]:
    """Return whether the learning rate decides, and the cosines of each model at each rate, in words."""
    clauses = [Clause(text=text) for text in _by_rate(evidence.cosines)]
    for cosines in evidence.cosines:
        text = f"{cosines.outcome} for {cosines.name}: {cosines.text}"
        clauses.append(Clause(text=text, outcome=cosines.outcome, places=(cosines.name,)))
    return (*clauses, *missing_models(list(evidence.lacking)))


def _by_rate(all_cosines: Sequence[Cosines]) -> list[str]:
    """Return a sentence for each model whose outcome depends on the learning rate."""
    texts = []
    for model in dict.fromkeys(cosines.model for cosines in all_cosines):
        of_model = [cosines for cosines in all_cosines if cosines.model == model]
        if len({cosines.outcome for cosines in of_model}) > 1:
            rates = listing([f"{cosines.outcome} at {cosines.rate}" for cosines in of_model])
            texts.append(f"it depends on the learning rate: with nothing else changed, {model} {rates}")
    return texts


def judge(study: Study, records: Mapping[str, Record], limit: float = COSINES[0]) -> Verdict:
    """Return the verdict on C11 from records.

    Args:
        study: the study, with measurements of the similarity of masks, and perhaps a control at another learning rate.
        records: records by the id of their spec.
        limit: the cosine that the means must exceed.
    """

    def summary(evidence: Eligible) -> str:
        return f"up to 40% sparsity the mean cosine is at least {listing(['{}' for _ in evidence.cosines])}"

    return verdict_by(
        CLAIM,
        study,
        lambda: eligible(study, records, limit),
        decide,
        lambda evidence, _: explain(evidence),
        summary,
    )
