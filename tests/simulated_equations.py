"""Made-up trials on word problems whose truth is known: models that write equations, with and without pre-training.

Each problem has a hidden ease, and its equation is right where that lies below a threshold, which sets the score. Ease
has a part of the problem and one of the training; folds may differ in how much pruning costs.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import ndtri

from essparse_lib.records.metrics import shares_to_digits
from essparse_lib.records.store import Record
from essparse_lib.specs.study import Study, at_sparsities
from essparse_lib.specs.trial import Training, Trial

LEVELS = (0.1, 0.3, 0.5, 0.6)
TASKS = ("mawps-0", "mawps-1", "asdiv-a-0", "asdiv-a-1", "svamp")
TRAINING = Training(epochs=1, batch_size=16, learning_rate=1e-4, max_length=96)

#: Share of the variance of ease that belongs to the problem, alike in all trainings.
PROBLEM = 0.8


def study(*tasks: str, **options) -> Study:
    """Return a study of magnitude on some tasks, on all five without a name."""
    settings = {
        "figure": "fig4",
        "scale": "lab",
        "models": ("m",),
        "tasks": tasks or TASKS,
        "training": {"*": TRAINING},
        "variants": {"one-shot": at_sparsities(LEVELS)},
    }
    return Study(**{**settings, **options})


def falls_from(knee: float, slope: float = 60.0) -> Callable[[Trial], float]:
    """Return a true drop by trial, in points: none up to the knee, then ``slope`` points a unit of sparsity."""
    return lambda trial: slope * max(0.0, trial.pruning.sparsity - knee)


def records(
    of: Study,
    drop: Callable[[Trial], float],
    dense: float | Callable[[Trial], float] = 70.0,
    problems: int = 1000,
    leaked: float = 0.0,
    training_sd: float = 0.5,
    fold_sd: float = 0.0,
    seed: int = 0,
) -> dict[str, Record]:
    """Return a record for each trial of a study and of its controls, by the id of its spec.

    Args:
        of: the study.
        drop: the true drop of a trial, in points.
        dense: the true dense score, in points, or that of each trial.
        problems: how many problems each task has.
        leaked: share of the problems of MAWPS that leaked: their equations are right whatever is pruned.
        training_sd: standard deviation of the score in another training, in points.
        fold_sd: standard deviation of the drop on another fold of a data set, in points, from 30% sparsity on.
        seed: of everything that is drawn.
    """
    made = {}
    for trial in of.specs():
        assert isinstance(trial, Trial)
        if trial.id in made:
            continue
        of_task = np.random.default_rng([seed, 0, *trial.task.encode()])
        own = np.random.default_rng([seed, 1, *str(trial).encode(), trial.training.random_weights])
        ease = np.sqrt(PROBLEM) * of_task.standard_normal(problems)
        ease += np.sqrt(1 - PROBLEM) * own.standard_normal(problems)
        top = dense(trial) if callable(dense) else dense
        score = top - drop(trial) + training_sd * own.standard_normal()
        if trial.task != "svamp":
            of_fold = np.random.default_rng([seed, 2, *trial.task.encode()]).standard_normal()
            score -= fold_sd * of_fold * min(1.0, trial.pruning.sparsity / 0.3)
        right = ease < ndtri(np.clip(score, 0.5, 99.5) / 100)
        marks = np.arange(problems) < leaked * problems * trial.task.startswith("mawps")
        made[trial.id] = record(trial, right | marks, marks)
    return made


def record(trial: Trial, right: np.ndarray, leaked: np.ndarray) -> Record:
    """Return the record of a trial whose equations have the right values, and whose problems leaked, as given."""
    commonest = np.arange(len(right)) % 10 == 9
    digits = {"exact": right, "leaked": leaked, "commonest": commonest}
    equations = {name: "".join(map(str, values.astype(int))) for name, values in digits.items()}
    equations["written"] = " ".join(["l"] * len(right))
    accuracy = 100 * float(right.mean())
    values = {"equations": equations, "epochs": [accuracy] * trial.training.epochs}
    metrics = {"value_accuracy": accuracy, "exact_equation": accuracy}
    if trial.pruning.extent != "blocks":
        values["removed"] = {"blocks": [300, 1000], "head": [180, 200]}
        metrics |= {"prunable": 1200, "zeros": 480}
    provenance = {"seconds": 60.0, "device": "cpu"}
    predictions = shares_to_digits(right.astype(float))
    return Record(
        spec=trial, status="ok", metrics=metrics, predictions=predictions, values=values, provenance=provenance
    )


def with_random_weights(score: float, pretrained: float = 70.0) -> Callable[[Trial], float]:
    """Return a true dense score by trial: one with random weights, another with pre-trained ones."""
    return lambda trial: score if trial.training.random_weights else pretrained
