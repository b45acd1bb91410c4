"""Claim C7: self-supervised pre-training prunes better than supervised, on every task, and gives more zeros.

The unit is the pre-trained model, not the seed of its fine-tuning: 95% t-intervals come from the spread between
pre-trainings, as for C9. The claim agrees if the essential sparsity (the mean over the tasks that all models compared
have learned) and the zeros (``RELATIVE``, in the weights as they were saved) of the first models both exceed those of
the second by the whole interval, differs if one of them lies below by the whole interval, and is inconclusive
otherwise. Where there is one pre-training each, as at paper scale, it is always inconclusive: the effect of the
objective cannot then be told from that of another seed, nor, in the paper, from that of other images.

The outcome on each task is reported, and decides nothing. So is the difference on a task whose classes the supervised
models learned in their pre-training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..analysis.comparisons import Comparison, essential_effect, known_tasks, learned_tasks
from ..analysis.curves import Curve
from ..analysis.effects import detectable_ratio, effect
from ..analysis.estimate import Estimate, exact
from ..analysis.zero_shares import RELATIVE, excess, zero_shares
from ..records.store import Record
from ..specs.study import Study
from ..wording import listing
from .paper import MORE_ZEROS
from .rules import Decision, above_zero, by_outcome, least_favourable, verdict_by
from .verdict import Clause, Number, Outcome, Verdict, not_judged

CLAIM = "C7"

_WORDS = {Outcome.AGREES: "higher", Outcome.DIFFERS: "lower", Outcome.INCONCLUSIVE: "undecided"}


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
        return not_judged(CLAIM, "it takes models of either way to pre-train")
    zeros = zero_shares(study, records)
    complete = {(curve.model, curve.task) for curve in curves if curve.complete(study)}
    ready = []
    for model in models:
        if model in zeros.get(RELATIVE, {}) and all((model, task) in complete for task in study.tasks_of(model)):
            ready.append(model)
    if len(ready) < len(models):
        reason = f"{len(models) - len(ready)} of the {len(models)} models compared lack records"
        return not_judged(CLAIM, reason, some_records=bool(ready))
    tasks = learned_tasks(study, curves, models)
    if not tasks:
        reason = "there is no task that all models learned without pruning, and that none was pre-trained to tell"
        return not_judged(CLAIM, reason, some_records=True)
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
    """Return the outcome, both differences that decide it, and the outcome on each task."""
    essential = _essential_difference(evidence, evidence.comparison, evidence.tasks)
    zeros = _zero_difference(evidence, evidence.comparison)
    numbers = {
        "essential sparsity": Number(estimate=essential.scaled(100), unit="points of sparsity"),
        "zeros": Number(estimate=zeros, unit="percent", digits=3),
    }
    by_task = by_outcome(
        (above_zero(_essential_difference(evidence, evidence.comparison, [task])), task) for task in evidence.tasks
    )
    return Decision(least_favourable([above_zero(essential), above_zero(zeros)]), numbers, by_task)


def _essential_difference(evidence: Eligible, comparison: Comparison, tasks: list[str] | None = None) -> Estimate:
    """Return the difference in essential sparsity as a fraction, over tasks or over all that the models learned."""
    return essential_effect(evidence.study, evidence.curves, comparison, tasks).difference


def _zero_difference(evidence: Eligible, comparison: Comparison) -> Estimate:
    """Return the difference in zeros, in percent of the weights."""
    return effect(evidence.zeros.get(RELATIVE, {}), comparison.more, comparison.less).difference


def explain(evidence: Eligible, decision: Decision[str]) -> tuple[Clause, ...]:
    """Return the differences in words, the outcome on each task, the other comparisons, and what does not count."""
    essential, zeros = (number.estimate for number in decision.numbers.values())
    clauses = [
        f"{evidence.comparison.name}: essential sparsity {essential.text(0)} points of sparsity, zeros {RELATIVE} "
        f"{zeros.text(3)} percent of the weights{_excess_text(evidence)}",
        f"task by task, essential sparsity is {_tasks_text(decision.by_outcome)}",
        *(_other_comparison(evidence, comparison) for comparison in evidence.others),
        *(_known_task(evidence, task) for task in evidence.known),
    ]
    if evidence.unlearned:
        clauses.append(f"not counted: {listing(evidence.unlearned)}, which not every model learned")
    clauses.append(_resolution(evidence.comparison))
    return tuple(Clause(text=text) for text in clauses)


def _tasks_text(by_task: Mapping[Outcome, list[str]]) -> str:
    parts = [f"{word} on {listing(by_task[outcome])}" for outcome, word in _WORDS.items() if outcome in by_task]
    return ", ".join(parts)


def _excess_text(evidence: Eligible) -> str:
    surplus = excess(evidence.zeros[RELATIVE], evidence.comparison)
    if not surplus.known:
        return ""
    percent = exact(surplus.value).text(1)
    return f", {percent}% more (in the paper {MORE_ZEROS:.2f}%, by a reading that it does not state)"


def _other_comparison(evidence: Eligible, comparison: Comparison) -> str:
    essential = _essential_difference(evidence, comparison)
    zeros = _zero_difference(evidence, comparison)
    if not essential.known or not zeros.known:
        return f"{comparison.name}: records are missing"
    return f"{comparison.name}: essential sparsity {essential.text(0, 100)} points, zeros {zeros.text(3)} percent"


def _known_task(evidence: Eligible, task: str) -> str:
    essential = _essential_difference(evidence, evidence.comparison, [task])
    return (
        f"not counted: {task}, whose classes the supervised models were pre-trained to tell, with a difference of "
        f"{essential.text(0, 100)} points of sparsity"
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
        "essential sparsity {}, zeros {}",
    )
