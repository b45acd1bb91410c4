"""Claim C7: self-supervised pre-training prunes better than supervised, on every task, and gives more zeros.

The unit is the pre-trained model, not the seed of its fine-tuning: 95% t-intervals come from the spread between
pre-trainings. Two quantities decide:

- robustness: by how many points less the first models lose than the second, as the mean of the drops at 10, 20, … and
  60% and over the tasks that all models compared have learned. The smallest effect of interest is one point, the
  paper's ε, since the paper has no number.
- zeros (``RELATIVE``, in the weights as they were saved): how many percent more the first models have. The smallest
  effect of interest is the paper's 14.37%.

Each agrees if its interval lies above 0 and reaches the smallest effect of interest, and differs if it lies below that
effect (``against_smallest``). The claim agrees if both do, differs if one of them does, and is inconclusive otherwise.
Where the first models have an effect of interest in both, chance gives a false *differs* in at most 5%: in at most 2.5%
by each. Where there is one pre-training each, as at paper scale, it is always inconclusive: the effect of the objective
cannot then be told from that of another seed, nor, in the paper, from that of other images.

The outcome on each task is reported, and decides nothing. So is the difference on a task whose classes the supervised
models learned in their pre-training.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..analysis.comparisons import (
    MEAN_DROP_FROM,
    MEAN_DROP_TO,
    Comparison,
    known_tasks,
    learned_tasks,
    spared_effect,
)
from ..analysis.curves import EPSILON, Curve
from ..analysis.effects import detectable_ratio
from ..analysis.estimate import Estimate
from ..analysis.zero_shares import RELATIVE, excess_over_pretrainings, zero_shares
from ..records.store import Record
from ..specs.study import Study
from ..wording import listing
from .paper import MORE_ZEROS
from .rules import Decision, against_smallest, by_outcome, least_favourable, smallest_text, verdict_by
from .verdict import Clause, Number, Outcome, Verdict, not_run, untestable

CLAIM = "C7"

#: Smallest effects of interest: on the mean drop, in points, and on the zeros, in percent of them.
SMALLEST_SPARED, SMALLEST_EXCESS = EPSILON, MORE_ZEROS

_RANGE = f"{MEAN_DROP_FROM:.0%} to {MEAN_DROP_TO:.0%}"
_WORDS = {Outcome.AGREES: "above 0", Outcome.DIFFERS: "below one of interest", Outcome.INCONCLUSIVE: "undecided"}


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """What decides the claim, and what is reported with it.

    Attributes:
        study: the study.
        curves: its curves.
        zeros: percentage of the weights that is zero, by reading and by model.
        comparison: the models that are compared.
        tasks: the tasks that count.
        known: tasks whose classes the supervised models learned in their pre-training.
        unlearned: tasks that not every model learned.
        others: other comparisons, which decide nothing.
    """

    study: Study
    curves: Sequence[Curve]
    zeros: Mapping[str, Mapping[str, float]]
    comparison: Comparison
    tasks: list[str]
    known: list[str]
    unlearned: list[str]
    others: Sequence[Comparison]


def eligible(
    study: Study,
    records: Mapping[str, Record],
    curves: Sequence[Curve],
    comparison: Comparison,
    others: Sequence[Comparison] = (),
) -> Eligible | Verdict:
    """Return which tasks count, or the verdict where the records cannot decide.

    Args:
        study: the study of the curves.
        records: records by the id of their spec, with the measurements of zeros.
        curves: the study's curves.
        comparison: self-supervised against supervised models, after equally many images.
        others: other comparisons, to be reported.
    """
    models = comparison.models
    if not comparison.more or not comparison.less:
        reason = "there are no models of either way to pre-train"
        return untestable(CLAIM, reason, needs="models of the same architecture, pre-trained with labels and without")
    zeros = zero_shares(study, records)
    complete = {(curve.model, curve.task) for curve in curves if curve.complete(study)}
    ready = []
    for model in models:
        if model in zeros.get(RELATIVE, {}) and all((model, task) in complete for task in study.tasks_of(model)):
            ready.append(model)
    if len(ready) < len(models):
        reason = f"{len(models) - len(ready)} of the {len(models)} models compared lack records"
        return not_run(CLAIM, reason)
    tasks = learned_tasks(study, curves, models)
    if not tasks:
        reason = "there is no task that all models learned without pruning, and that none was pre-trained to tell"
        return untestable(CLAIM, reason, needs="a task that all models learn, and whose classes are new to all")
    known = [task for task in study.tasks if task in known_tasks(study, models)]
    return Eligible(
        study=study,
        curves=curves,
        zeros=zeros,
        comparison=comparison,
        tasks=tasks,
        known=known,
        unlearned=[task for task in study.tasks if task not in (*tasks, *known)],
        others=others,
    )


def decide(evidence: Eligible) -> Decision[str]:
    """Return the outcome, both differences that decide it, and the outcome of the robustness on each task."""
    spared = _spared(evidence, evidence.comparison, evidence.tasks)
    zeros = _excess(evidence, evidence.comparison)
    numbers = {
        "points less lost": Number(
            estimate=spared, unit="points", digits=1, allowed=(0.0, math.inf), reach=SMALLEST_SPARED
        ),
        "more zeros": Number(
            estimate=zeros,
            unit="%",
            digits=1,
            allowed=(0.0, math.inf),
            reach=SMALLEST_EXCESS,
            paper=(MORE_ZEROS, MORE_ZEROS),
        ),
    }
    by_task = by_outcome(
        (against_smallest(_spared(evidence, evidence.comparison, [task]), SMALLEST_SPARED), task)
        for task in evidence.tasks
    )
    outcomes = (against_smallest(spared, SMALLEST_SPARED), against_smallest(zeros, SMALLEST_EXCESS))
    return Decision(least_favourable(outcomes), numbers, by_task)


def _spared(evidence: Eligible, comparison: Comparison, tasks: list[str] | None = None) -> Estimate:
    """Return by how many points less the first models lose, over tasks or over all that the models learned."""
    return spared_effect(evidence.study, evidence.curves, comparison, tasks).difference


def _excess(evidence: Eligible, comparison: Comparison) -> Estimate:
    """Return how many percent more zeros the first models have."""
    return excess_over_pretrainings(evidence.zeros.get(RELATIVE, {}), comparison)


def explain(evidence: Eligible, decision: Decision[str]) -> tuple[Clause, ...]:
    """Return the differences in words, the outcome on each task, the other comparisons, and what does not count."""
    spared, zeros = (number.estimate for number in decision.numbers.values())
    deciding = (
        Clause(
            text=f"{evidence.comparison.name}: on average over sparsities of {_RANGE} the first lose {spared.text()} "
            f"points less, {smallest_text(spared, SMALLEST_SPARED, 'points')}",
            outcome=against_smallest(spared, SMALLEST_SPARED),
            places=("mean drop",),
        ),
        Clause(
            text=f"they have {zeros.text()}% more zeros {RELATIVE}, {smallest_text(zeros, SMALLEST_EXCESS, '%')} (as "
            "the paper has it, by a reading that it does not state)",
            outcome=against_smallest(zeros, SMALLEST_EXCESS),
            places=("zeros",),
        ),
    )
    texts = [
        f"task by task, what the first lose less is {_tasks_text(decision.by_outcome)}",
        *(_other_comparison(evidence, comparison) for comparison in evidence.others),
        *(_known_task(evidence, task) for task in evidence.known),
    ]
    if evidence.unlearned:
        texts.append(f"not counted: {listing(evidence.unlearned)}, which not every model learned")
    texts.append(_resolution(evidence.comparison))
    return (*deciding, *(Clause(text=text) for text in texts))


def _tasks_text(by_task: Mapping[Outcome, list[str]]) -> str:
    parts = [f"{word} on {listing(by_task[outcome])}" for outcome, word in _WORDS.items() if outcome in by_task]
    return ", ".join(parts)


def _other_comparison(evidence: Eligible, comparison: Comparison) -> str:
    spared, zeros = _spared(evidence, comparison), _excess(evidence, comparison)
    if not spared.known or not zeros.known:
        return f"{comparison.name}: records are missing"
    return f"{comparison.name}: the first lose {spared.text()} points less and have {zeros.text()}% more zeros"


def _known_task(evidence: Eligible, task: str) -> str:
    spared = _spared(evidence, evidence.comparison, [task])
    return (
        f"not counted: {task}, whose classes the supervised models were pre-trained to tell; on it the first lose "
        f"{spared.text()} points less"
    )


def _resolution(comparison: Comparison) -> str:
    """Return in words how large a difference must be to be established."""
    sizes = len(comparison.more), len(comparison.less)
    if sum(sizes) <= 2:
        return "one pre-training each shows no spread, so that nothing can be told from chance"
    ratio = detectable_ratio(*sizes)
    return f"a difference shows if it is {ratio:.1f} times as large as the spread between such pre-trainings"


def judge(
    study: Study,
    records: Mapping[str, Record],
    curves: Sequence[Curve],
    comparison: Comparison,
    others: Sequence[Comparison] = (),
) -> Verdict:
    """Return the verdict on C7 from records.

    Args:
        study: the study of the curves.
        records: records by the id of their spec, with the measurements of zeros.
        curves: the study's curves.
        comparison: self-supervised against supervised models, after equally many images; this decides.
        others: other comparisons, which decide nothing and are reported.
    """
    return verdict_by(
        CLAIM,
        study,
        lambda: eligible(study, records, curves, comparison, others),
        decide,
        explain,
        f"{comparison.name}: {{}} less lost to pruning, and {{}} more zeros; the claim needs {MORE_ZEROS:g}% more",
    )
