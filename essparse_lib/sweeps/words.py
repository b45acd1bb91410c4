"""What a sweep says of its answer: the numbers as sentences."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..analysis.curve import Curve
from ..analysis.scoring import LOG_PROBABILITY
from ..paths import is_folder
from ..specs.methods import METHODS, Method, Scope
from ..specs.trial import Timing
from .answer import Answer, Outcome
from .design import Cells
from .settings import SweepSettings
from .study import SweepStudy
from .tolerance import Tolerance

if TYPE_CHECKING:
    from ..tasks.own import OwnData

#: Over what weights are ranked, in words.
_RANKED = {
    Scope.GLOBAL: "all matrices together",
    Scope.LAYER: "each matrix by itself",
    Scope.ERK: "each matrix by itself, at densities of its own (ERK)",
}


def metric_name(metric: str) -> str:
    """Return what a metric is called in a sentence.

    >>> metric_name("top1"), metric_name("accuracy")
    ('top-1 accuracy', 'accuracy')
    """
    return {"top1": "top-1 accuracy", LOG_PROBABILITY: "perplexity"}.get(metric, metric)


def short_name(model: str) -> str:
    """Return what a model is called in a sentence: the last part of its folder's path, or its name."""
    return Path(model).name if is_folder(model) else model


def loss_text(tolerance: Tolerance, metric: str) -> str:
    """Return the tolerated loss as the end of a sentence, as in "before it loses …".

    >>> loss_text(Tolerance(1.0), "accuracy"), loss_text(Tolerance(2.0, relative=True), "log_probability")
    ('more than 1 point of accuracy is lost', 'the perplexity rises by more than 2%')
    """
    if metric == LOG_PROBABILITY:
        return f"the perplexity rises by more than {tolerance.value:g}%"
    if tolerance.relative:
        return f"more than {tolerance.value:g}% of the dense model's {metric_name(metric)} is lost"
    return f"more than {tolerance} of {metric_name(metric)} is lost"


def sentence(model: str, data: str, answer: Answer, method: Method, tolerance: Tolerance, curve: Curve | None) -> str:
    """Return the answer of a sweep in one sentence.

    Args:
        model: the model's name.
        data: what the data are called.
        answer: the answer.
        method: by which the model was pruned.
        tolerance: the loss that is tolerated.
        curve: the scores, or None.
    """
    name = short_name(model)
    if curve is None:
        return f"How much of {name} can go on {data} is not known yet: no model has been trained."
    if answer.outcome is Outcome.UNMEASURED:
        score = f"{np.exp(-curve.dense().value):.4g}" if curve.metric == LOG_PROBABILITY else curve.dense().text()
        dense = f"the dense model's {metric_name(curve.metric)} is {score}"
        return f"How much of {name} can go on {data} is not known yet: {dense}."
    if answer.outcome is Outcome.NOT_LEARNED:
        return (
            f"How much of {name} can go on {data} cannot be said: the dense model's {metric_name(curve.metric)} is "
            f"{curve.dense().text()}, and always naming the commonest class scores {curve.majority:.1f}, so that "
            f"{'it is not sure that there is anything' if answer.seeds else 'there is nothing'} to lose."
        )
    loss = f"{loss_text(tolerance, curve.metric)} on {data}"
    low, high = (f"{100 * end:.0f}%" for end in (answer.essential.low, answer.essential.high))
    share = f"{100 * answer.essential.value:.0f}%"
    weights = f"of the weights in the blocks of {name} can go ({method.summary})"
    if answer.outcome is Outcome.NEVER:
        never = f"at no sparsity up to {share}, the largest that was tried, is so much lost on average"
        return f"At least {low} {weights} before {loss}: {never}."
    interval = f"[{low}, {high}]"
    if answer.essential.high >= 1:
        interval = f"(at least {low}; up to {100 * curve.levels.max():.0f}% no level surely loses so much)"
    return f"{share} {interval} {weights} before {loss}."


def reason(answer: Answer, cells: Cells, left: int, settings: SweepSettings, last: bool) -> str:
    """Return why a sweep stands where it stands, as a clause.

    Args:
        answer: the answer so far.
        cells: the design of the last round.
        left: how many trials of it are still to be run.
        settings: what was asked for.
        last: whether no further round follows.
    """
    if left:
        return (
            f"{left} trials of this round are still to be run, as the time was over or another process runs them: run "
            "the same command to go on"
        )
    if not last:
        return "further trials follow"
    if answer.outcome is Outcome.RESOLVED:
        return f"the interval is at most {settings.precision:g} percent of the weights wide, as was asked"
    if answer.outcome is Outcome.NEVER and not answer.needs:
        return "no larger sparsity is tried"
    if answer.outcome is Outcome.NOT_LEARNED:
        state = f"is not sure to have learned ({answer.needs})" if answer.needs else "learned nothing"
        return f"the dense model {state}: train longer, at another rate, or on more examples"
    width = f"{100 * answer.width:.0f} percent of the weights wide"
    wide = f"the interval is {width}, wider than the {settings.precision:g} asked for"
    if not answer.seeds:
        return ": ".join(filter(None, (wide, answer.needs)))
    seeds = len({seed for seed, _ in cells})
    return f"{wide}, with the most seeds that are allowed ({seeds}): {answer.needs}"


def settings_table(study: SweepStudy, settings: SweepSettings, tolerance: Tolerance, cells: Cells) -> dict[str, str]:
    """Return what was done and how, by what each is called, in the order of the report."""
    method = METHODS[study.method]
    table = {
        "model": study.model,
        "task": study.task,
        "pruned": f"by {method.name}: {method.summary}",
        "ranked over": _RANKED[Scope(study.scope)],
        "tolerated loss": tolerance.text(LOG_PROBABILITY) if study.training is None else str(tolerance),
        "interval asked for": f"at most {settings.precision:g} percent of the weights wide",
        "seeds": f"{settings.seeds}, and up to {settings.most_seeds} around the answer",
        "trials": str(len(study.specs(cells))),
    }
    if study.training is None:
        return {**table, "training": "none: the model is asked as it is"}
    training = study.training
    before = study.timing == Timing.BEFORE
    table |= {
        "pruned when": "before the fine-tuning, in which the mask is held" if before else "after the fine-tuning",
        "epochs": str(training.epochs),
        "batch size": str(training.batch_size),
        "learning rate": f"{training.learning_rate:g}, rising in the first {training.warmup:.0%} of the steps",
    }
    if training.max_length:
        table["tokens kept of a text"] = str(training.max_length)
    if training.max_train:
        table["training examples of each seed"] = f"{training.max_train:,}"
    return table


def command(model: str, source: OwnData, settings: SweepSettings, jobs: int, cluster: str | None, out: Path) -> str:
    """Return the command line that goes on with a sweep.

    Args:
        model: the model's name.
        source: the data.
        settings: those that are not the defaults are written.
        jobs: trials at a time.
        cluster: the address of the scheduler whose workers run the trials; None for this machine.
        out: the sweep's folder.
    """
    options: dict[str, object] = {
        **{name: getattr(source, name) for name in ("data", "test", "text", "text2", "image", "label")},
        "out": out,
        **{name: value for name, value in vars(settings).items() if value != getattr(SweepSettings(), name)},
        "jobs": jobs if jobs > 1 else None,
        "cluster": cluster,
    }
    if isinstance(tolerance := options.pop("tolerance", None), Tolerance):
        options["epsilon"] = tolerance.option
    parts = [f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in options.items() if value]
    return " ".join(["essparse sweep", shlex.quote(model), *parts])
