"""Made-up evaluations whose truth is known: models that are pruned and asked questions in groups, and not trained.

Each question has a hidden ease, and is answered rightly where that lies below a threshold, which sets the score of its
group. Ease has three parts: of the question, of the question at this level by this way to prune, and of the question
with this calibration text. The text adds noise to the threshold besides, of methods that read one: to each task by
itself, or to all tasks alike, as one text prunes one model for all of them.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import ndtri

from essparse_lib.records.answers import perplexity
from essparse_lib.records.metrics import agreement, to_digits
from essparse_lib.records.store import Record
from essparse_lib.specs.evaluation import Evaluation, Prompting
from essparse_lib.specs.evaluation_study import EvaluationStudy
from essparse_lib.specs.likelihood import LIKELIHOOD_TASKS, LikelihoodKind
from essparse_lib.specs.study import at_sparsities
from essparse_lib.specs.trial import Pruning

LEVELS = tuple(round(0.1 * tenth, 1) for tenth in range(1, 8))

#: Shares of the variance of ease: of the question, and of the question at a level. The rest is the text's.
QUESTION, LEVEL = 0.75, 0.15

#: How far the scores of two groups lie from the mean of a task with groups, in points.
GROUPS = (-15.0, 15.0)

#: Standard deviation of the score with another calibration text, in points.
TEXT_SD = 0.8


def sparsegpt(levels=LEVELS):
    """Return SparseGPT at some sparsities."""
    return tuple(Pruning(sparsity=level, method="sparsegpt", calibration="tiny-corpus") for level in levels)


def study(*tasks: str, **options) -> EvaluationStudy:
    """Return a study of magnitude and SparseGPT on some tasks, at every tenth up to 70%."""
    settings = {
        "figure": "fig11",
        "scale": "lab",
        "models": ("m",),
        "tasks": tasks,
        "prompting": {"*": Prompting()},
        "variants": {"magnitude": at_sparsities(LEVELS), "SparseGPT": sparsegpt()},
    }
    return EvaluationStudy(**{**settings, **options})


def falls_from(knee: float, slope: float = 60.0) -> Callable[[float], float]:
    """Return a true drop by sparsity, in points: none up to the knee, then ``slope`` points a unit of sparsity."""
    return lambda sparsity: slope * max(0.0, sparsity - knee)


def records(
    of: EvaluationStudy,
    drop: Callable[[Evaluation], float],
    questions: int = 1000,
    dense: float | Callable[[str], float] = 70.0,
    text_sd: float = TEXT_SD,
    text_shared: float = 0.0,
    seed: int = 0,
    **provenance,
) -> dict[str, Record]:
    """Return a record for each evaluation of a study, by the id of its spec.

    Args:
        of: the study.
        drop: the true drop of an evaluation, in points.
        questions: how many questions each task has.
        dense: the true dense score, in points, or that of each task.
        text_sd: standard deviation of the score with another calibration text, in points.
        text_shared: share of that variance which all tasks have in common.
        seed: of everything that is drawn.
        provenance: what the records note besides.
    """
    made = {}
    for evaluation in of.trials():
        if evaluation.id in made:
            continue
        generator = np.random.default_rng([seed, *evaluation.model.encode(), 0, *evaluation.task.encode()])
        top = dense(evaluation.task) if callable(dense) else dense
        shared = generator.standard_normal(questions)
        groups = np.arange(questions) % 2
        own = np.random.default_rng([seed, *str(evaluation).encode()])
        level, text = own.standard_normal((2, questions))
        ease = np.sqrt(QUESTION) * shared + np.sqrt(LEVEL) * level + np.sqrt(1 - QUESTION - LEVEL) * text
        common = np.random.default_rng([seed, evaluation.seed, *f"{evaluation.model} {evaluation.pruning}".encode()])
        effects = np.sqrt(1 - text_shared) * own.standard_normal() + np.sqrt(text_shared) * common.standard_normal()
        shift = text_sd * effects if evaluation.pruning.calibration else 0.0
        score = top - drop(evaluation) + shift + np.where(groups == 0, *GROUPS)
        right = ease < ndtri(np.clip(score, 0.5, 99.5) / 100)
        nats = np.round(np.minimum(-2 + ease - drop(evaluation) / 10, -0.001), 3)
        made[evaluation.id] = record(evaluation, right, nats, groups, **provenance)
    return made


def record(evaluation: Evaluation, right: np.ndarray, nats: np.ndarray, groups: np.ndarray, **provenance) -> Record:
    """Return the record of an evaluation whose answers are right or wrong as given; of texts, of their tokens."""
    row = LIKELIHOOD_TASKS.get(evaluation.task)
    values = {"log_probabilities": nats.tolist(), "tokens": 10 * len(nats)}
    metrics = {"log_probability": float(nats.mean())}
    provenance = {"precision": "fp32", "seconds": 60.0, "device": "cpu", **provenance}
    if row is not None and row.kind is LikelihoodKind.TEXT:
        values["lengths"] = [20] * len(nats)
        metrics["perplexity"] = perplexity(values["log_probabilities"], values["lengths"])
        return Record(spec=evaluation, status="ok", metrics=metrics, values=values, provenance=provenance)
    labels = np.arange(len(right)) % 2
    answers = np.where(right, labels, 1 - labels)
    label_text, text = to_digits(labels.tolist()), to_digits(answers.tolist())
    # the raw answers of a task that is judged by the normalised ones say something else
    raw = to_digits((1 - answers).tolist()) if row is not None and row.normalised else text
    values["normalised"] = text
    if row is None or row.groups:
        values["groups"] = to_digits(groups.tolist())
    metrics |= {"accuracy": agreement(label_text, raw), "accuracy_normalised": agreement(label_text, text)}
    metrics["chance"] = 50.0
    return Record(
        spec=evaluation,
        status="ok",
        metrics=metrics,
        predictions=raw,
        labels=label_text,
        values=values,
        provenance=provenance,
    )
