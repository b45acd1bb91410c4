"""What a study should cost: its trainings, and about how many hours they take on one GPU, known before any is run.

A training of a transformer with P weights in its blocks takes 6·P FLOPs a token, an evaluation 2·P (Kaplan et al. 2020,
arXiv 2001.08361, §2.1); embeddings, heads and the attention between tokens are left out, as are loading and tokenising.
A method that calibrates reads its text twice, through each block before and after the block is pruned; the arithmetic
of the pruning itself is left out. Solved examples before a question are read once for each topic.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from statistics import mean

from ..specs.evaluation import Evaluation
from ..specs.likelihood import LIKELIHOOD_TASKS
from ..specs.methods import METHODS
from ..specs.models import MODELS, Shape
from ..specs.pretraining import Architecture, Pretraining, TextPretraining
from ..specs.spec import Spec
from ..specs.study import Study
from ..specs.tasks import TASKS
from ..specs.trial import Pruning, Timing, Trial, lottery_rounds
from ..wording import listing
from .store import Record

#: FLOP/s. An assumption: a tenth of what an H100 can do in bf16, since batches of 16 or 32 short texts do not fill it.
RATE = 1e14

#: Seconds that each block of a model adds to a training step at least. An assumption: a small step is less arithmetic
#: than Python and calls to the device. With blocks of 16 hidden units, on a CPU, it took 1.3 to 1.9 ms a block.
BLOCK = 2e-3

#: The rate, and both, in words.
ASSUMED_RATE = f"{RATE / 1e12:.0f} TFLOP/s"
ASSUMED = f"{ASSUMED_RATE}, but at least {1e3 * BLOCK:g} ms for each block in each training step"


def training_flops(trial: Trial, shape: Shape) -> float:
    """Return the floating-point operations of one training with a trial's task and settings, for a model of this shape.

    >>> from essparse_lib.specs.trial import Training
    >>> training = Training(epochs=3, batch_size=32, learning_rate=2e-5, max_length=256)
    >>> trial = Trial(model="bert-base-uncased", task="rte", seed=0, training=training)
    >>> f"{training_flops(trial, MODELS[trial.model].shape):.4g}"  # 6 · 84,934,656 · 3 · 2,490 · 70
    '2.665e+14'
    """
    return 6 * shape.parameters * _training_examples(trial) * trial.training.epochs * _tokens(trial)


def evaluation_flops(trial: Trial, shape: Shape) -> float:
    """Return the floating-point operations of one evaluation with a trial's task, for a model of this shape."""
    return 2 * shape.parameters * test_examples(trial) * _tokens(trial)


def answering_flops(evaluation: Evaluation, shape: Shape) -> float | None:
    """Return the floating-point operations of asking the questions of an evaluation, for a model of this shape.

    Returns:
        The operations; None where the number or the length of the questions is not known.
    """
    task = LIKELIHOOD_TASKS.get(evaluation.task)
    if task is None or task.counts is None or task.tokens is None:
        return None
    prompting = evaluation.prompting
    questions = _limited(task.counts, None if prompting.questions is None else prompting.questions * task.topics)
    return 2 * shape.parameters * (questions + prompting.shots * task.topics) * task.tokens


def calibration_flops(pruning: Pruning, shape: Shape) -> float:
    """Return the floating-point operations of a method's reading its text, for a model of this shape; 0 without one.

    >>> calibration_flops(Pruning(sparsity=0.5), Shape(layers=12, hidden=768))
    0.0
    """
    calibrated = pruning.sparsity and METHODS[pruning.method].calibrated
    return 2.0 * 2 * shape.parameters * pruning.windows * pruning.length if calibrated else 0.0


def pretraining_flops(spec: TextPretraining) -> float:
    """Return the floating-point operations of a pre-training; BERT scores masked tokens alone against the vocabulary.

    >>> from essparse_lib.records.pretrained import PRETRAINED
    >>> f"{pretraining_flops(PRETRAINED['paper']['bert-12x768-100-0']):.3g}"
    '8.7e+17'
    """
    scored = spec.masked if spec.architecture is Architecture.BERT else 1.0
    head = scored * spec.hidden * (spec.hidden + spec.vocabulary)
    return 6 * (spec.shape.parameters + head) * spec.tokens


def trainings(trials: Iterable[Trial]) -> list[Trial]:
    """Return the distinct trainings that trials need, each as the trial that is trained so.

    All that is pruned *after* the training needs that of its dense model alone. A lottery ticket of sparsity s at a
    rate r needs those with the masks of 0, r, 2r and so on below s, which find its mask, and one with that mask. As
    each of them is also the trial of its sparsity, a sweep in steps of r needs one training a sparsity.

    A run on CPUs does just these, one after another. On GPUs it takes a little longer: it trains a dense model once
    more for what is pruned after, and once for a lottery's first round (``runner/dense_weights.py`` says why).

    >>> from essparse_lib.specs.trial import Pruning, Training
    >>> training = Training(epochs=3, batch_size=32, learning_rate=2e-5, max_length=256)
    >>> dense = Trial(model="bert-base-uncased", task="rte", seed=0, training=training)
    >>> from dataclasses import replace
    >>> ticket = replace(dense, pruning=Pruning(sparsity=0.25, method="lottery"))
    >>> [trial.pruning.sparsity for trial in trainings([dense, ticket])]
    [0.0, 0.1, 0.2, 0.25]
    """
    return list(dict.fromkeys(training for trial in trials for training in _trainings(trial)))


def _trainings(trial: Trial) -> list[Trial]:
    pruning = trial.pruning
    if pruning.timing is Timing.AFTER:
        return [trial.at(0.0)]
    if METHODS[pruning.method].trained:
        *earlier, _ = lottery_rounds(pruning.sparsity, pruning.rate)
        return [trial.at(0.0), *(trial.at(sparsity) for sparsity in earlier), trial]
    return [trial]


@dataclass(frozen=True)
class Cost:
    """What studies should cost.

    Attributes:
        trainings: the number of trainings, each counted once.
        hours: on one GPU, one run after another, as ``ASSUMED``; None where a model or a task is not known here.
        evaluations: the number of evaluations of models that are not trained.
    """

    trainings: int
    hours: float | None
    evaluations: int = 0

    @property
    def runs(self) -> str:
        """The numbers of trainings and of evaluations in words; empty if there are none.

        >>> Cost(1, 0.5).runs, Cost(0, 0.5, 1200).runs, Cost(2, None, 1).runs
        ('1 training', '1,200 evaluations', '2 trainings and 1 evaluation')
        """
        counts = {"training": self.trainings, "evaluation": self.evaluations}
        return listing([f"{count:,} {what}{'' if count == 1 else 's'}" for what, count in counts.items() if count])

    @property
    def about(self) -> str:
        """The hours in words, to two digits.

        >>> Cost(3, 1234.5).about, Cost(3, 0.456).about, Cost(3, None).about
        ('1,200', '0.46', 'not known')
        """
        if self.hours is None:
            return "not known"
        rounded = float(f"{self.hours:.2g}")
        return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def expected(*studies: Study) -> Cost:
    """Return what studies cost together if nothing has a record; what several of them need counts once."""
    specs = list(dict.fromkeys(spec for study in studies for spec in study.specs()))
    trials = [spec for spec in specs if isinstance(spec, Trial)]
    evaluations = [spec for spec in specs if isinstance(spec, Evaluation)]
    pretrainings = [spec for spec in specs if isinstance(spec, Pretraining)]
    distinct = trainings(trials)
    count = len(pretrainings) + len(distinct)
    shapes = shapes_with(pretrainings)
    seconds = 0.0
    for spec in pretrainings:
        if not isinstance(spec, TextPretraining):
            return Cost(count, None, len(evaluations))
        seconds += pretraining_seconds(spec)
    flops = _evaluation_flops(evaluations, shapes)
    if flops is None or not all(trial.model in shapes and is_counted(trial) for trial in trials):
        return Cost(count, None, len(evaluations))
    seconds += flops / RATE
    seconds += sum(training_seconds(trial, shapes[trial.model]) for trial in distinct)
    seconds += sum(evaluation_flops(trial, shapes[trial.model]) / RATE for trial in trials)
    return Cost(count, seconds / 3600, len(evaluations))


def _evaluation_flops(evaluations: Iterable[Evaluation], shapes: Mapping[str, Shape]) -> float | None:
    """Return the operations of evaluations, with one calibration for each pruning and seed; None if not known."""
    total = 0.0
    pruned = set()
    for evaluation in evaluations:
        shape = shapes.get(evaluation.model)
        flops = None if shape is None else answering_flops(evaluation, shape)
        if shape is None or flops is None:
            return None
        total += flops
        model = (evaluation.model, evaluation.pruning, evaluation.seed)
        if model not in pruned:
            total += calibration_flops(evaluation.pruning, shape)
            pruned.add(model)
    return total


def shapes_with(pretrainings: Iterable[Pretraining]) -> dict[str, Shape]:
    """Return the shapes of the models that are known, and of those that are trained from scratch, by name."""
    shapes = {name: model.shape for name, model in MODELS.items() if model.shape is not None}
    return shapes | {spec.model: spec.shape for spec in pretrainings}


def sentence(study: Study) -> str:
    """Return what a study costs, as a figure's page says it."""
    cost = expected(study)
    if cost.hours is None:
        return f"At {study.scale} scale: {cost.runs}; how long they take is not known."
    hours = f"about {cost.about} {'hour' if cost.about == '1' else 'hours'} on one GPU"
    assumed = ASSUMED if cost.trainings else ASSUMED_RATE
    return f"At {study.scale} scale: {cost.runs}, {hours} (assumed: {assumed})."


def expected_seconds(specs: Iterable[Spec], records: Mapping[str, Record]) -> float | None:
    """Return the seconds that the specs without a record will take one after another, from the records that there are.

    A spec is taken to last as long as the mean of those in its file (a model's on one task), or else of all; None
    with no record.
    """
    specs = list(specs)
    seconds = seconds_by_id(specs, records, {spec.id for spec in specs if spec.id not in records})
    return None if seconds is None else sum(seconds[spec.id] for spec in specs if spec.id not in records)


def seconds_by_id(
    specs: Iterable[Spec], records: Mapping[str, Record], missing: Collection[str]
) -> dict[str, float] | None:
    """Return, by its id, the seconds that each of the missing specs is expected to take, as ``expected_seconds``.

    Args:
        specs: those that are missing, and those whose records say how long one takes.
        records: by id, those that exist.
        missing: the ids of the specs that are to be run.
    """
    specs = list(specs)
    of_all: list[float] = []
    of_file: dict[tuple[str, str], list[float]] = {}
    for spec in specs:
        record = records.get(spec.id)
        if record is not None and (seconds := record.provenance.get("seconds")):
            of_all.append(seconds)
            of_file.setdefault((spec.model, spec.file), []).append(seconds)
    if not of_all:
        return None
    means = {place: mean(seconds) for place, seconds in of_file.items()}
    typical = mean(of_all)
    return {spec.id: means.get((spec.model, spec.file), typical) for spec in specs if spec.id in missing}


def training_seconds(trial: Trial, shape: Shape) -> float:
    """Return the seconds of one training with a trial's task and settings, for a model of this shape."""
    steps = trial.training.epochs * math.ceil(_training_examples(trial) / trial.training.batch_size)
    return max(training_flops(trial, shape) / RATE, steps * shape.layers * BLOCK)


def pretraining_seconds(spec: TextPretraining) -> float:
    """Return the seconds of a pre-training."""
    return max(pretraining_flops(spec) / RATE, spec.steps * spec.layers * BLOCK)


def is_counted(trial: Trial) -> bool:
    """Return whether the number and the length of a trial's examples are known."""
    task = TASKS.get(trial.task)
    return task is not None and task.counts_with(trial.training.held_out) is not None and task.tokens is not None


def _training_examples(trial: Trial) -> int:
    return _limited(_counts(trial)[0], trial.training.max_train)


def test_examples(trial: Trial) -> int:
    """Return how many examples a trial is evaluated on."""
    return _limited(_counts(trial)[1], trial.training.max_test)


def _counts(trial: Trial) -> tuple[int, int]:
    counts = TASKS[trial.task].counts_with(trial.training.held_out)
    assert counts is not None
    return counts


def _limited(size: int, limit: int | None) -> int:
    return size if limit is None else min(size, limit)


def _tokens(trial: Trial) -> float:
    tokens, limit = TASKS[trial.task].tokens, trial.training.max_length
    assert tokens is not None
    return min(tokens, limit) if limit else tokens  # images are not cut
