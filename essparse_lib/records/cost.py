"""What a study should cost, told before any of it is run: its trainings, and about how many hours they take on one GPU.

A training of a transformer with P weights in its blocks takes 6·P FLOPs a token, an evaluation 2·P (Kaplan et al. 2020,
arXiv 2001.08361, §2.1); embeddings, heads and the attention between tokens are left out, as are loading and tokenising.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import mean

from ..specs.pretraining import Pretraining, TextPretraining
from ..specs.spec import Spec
from ..specs.study import Study
from ..specs.trial import Trial
from .store import Record

#: FLOP/s. An assumption: a tenth of what an H100 can do in bf16, since batches of 16 or 32 short texts do not fill it.
RATE = 1e14

#: Seconds that each block of a model adds to a training step at least. An assumption: a small step is less arithmetic
#: than Python and calls to the device. With blocks of 16 hidden units, on a CPU, it took 1.3 to 1.9 ms a block.
BLOCK = 2e-3

#: Both, in words.
ASSUMED = f"{RATE / 1e12:.0f} TFLOP/s, but at least {1e3 * BLOCK:g} ms for each block in each training step"


@dataclass(frozen=True)
class Shape:
    """A transformer's blocks: how many, and the width of what passes between them."""

    layers: int
    hidden: int

    @property
    def parameters(self) -> int:
        """Weights in the blocks' matrices, the feed-forward layer being four times as wide.

        >>> Shape(layers=12, hidden=768).parameters
        84934656
        """
        return 12 * self.layers * self.hidden**2


@dataclass(frozen=True)
class Size:
    """How much there is to read in a task: examples to train and to evaluate on, and mean tokens of one."""

    train: int
    test: int
    tokens: float


#: Source: Devlin et al. 2019, arXiv 1810.04805, §3; Zhang et al. 2022, arXiv 2205.01068, Table 1; Dosovitskiy et al.
#: 2021, arXiv 2010.11929, Table 1; Caron et al. 2021, arXiv 2104.14294, Table 1.
SHAPES: dict[str, Shape] = {
    "bert-base-uncased": Shape(12, 768),
    "bert-large-uncased": Shape(24, 1024),
    "opt-125m": Shape(12, 768),
    "opt-350m": Shape(24, 1024),
    "opt-1.3b": Shape(24, 2048),
    "vit-base-patch16-224": Shape(12, 768),
    "vit-large-patch16-224": Shape(24, 1024),
    "dino-vitb16": Shape(12, 768),
}

#: Tokens are those of BERT's vocabulary with [CLS] and [SEP]. Those of RTE and SST-2 are counted over the training
#: examples; the others are round figures. Of a question they are those of all its windows of 384: 174 and 180 were
#: counted for texts like SQuAD's (Miller et al. 2020, new Wikipedia) and for its development set. Of an image they are
#: its patches of 16 pixels a side, at 224, and [CLS]: so the models of the paper scale see every image.
SIZES: dict[str, Size] = {
    "mnli": Size(392_702, 9_815, 39),
    "qnli": Size(104_743, 5_463, 50),
    "qqp": Size(363_846, 40_430, 30),
    "rte": Size(2_490, 277, 70),
    "sst2": Size(67_349, 872, 13),
    "squad-v1.1": Size(87_599, 10_570, 170),
    "cifar10": Size(50_000, 10_000, 197),
    "cifar100": Size(50_000, 10_000, 197),
    "fashion-mnist": Size(60_000, 10_000, 197),
    "tiny-imagenet": Size(100_000, 10_000, 197),
}


def training_flops(trial: Trial, shape: Shape) -> float:
    """Floating-point operations of one training with a trial's task and settings, and a model of this shape.

    >>> from essparse_lib.specs.trial import Training
    >>> training = Training(epochs=3, batch_size=32, learning_rate=2e-5, max_length=256)
    >>> trial = Trial(model="bert-base-uncased", task="rte", seed=0, training=training)
    >>> f"{training_flops(trial, SHAPES[trial.model]):.4g}"  # 6 · 84,934,656 · 3 · 2,490 · 70
    '2.665e+14'
    """
    return 6 * shape.parameters * _train(trial) * trial.training.epochs * _tokens(trial)


def evaluation_flops(trial: Trial, shape: Shape) -> float:
    """Those of one evaluation."""
    return 2 * shape.parameters * _least(SIZES[trial.task].test, trial.training.max_test) * _tokens(trial)


def pretraining_flops(asked: TextPretraining) -> float:
    """Those of training a model from scratch, in which BERT scores the masked tokens alone against the vocabulary.

    >>> from essparse_lib.records.pretrained import PRETRAINED
    >>> f"{pretraining_flops(PRETRAINED['paper']['bert-12x768-100-0']):.3g}"
    '8.7e+17'
    """
    scored = asked.masked if asked.architecture == "bert" else 1.0
    head = scored * asked.hidden * (asked.hidden + asked.vocabulary)
    return 6 * (Shape(asked.layers, asked.hidden).parameters + head) * asked.tokens


def trainings(trials: Iterable[Trial]) -> list[Trial]:
    """The distinct trainings that trials need, each as the trial that is trained so.

    All that is pruned *after* the training needs that of its dense model alone. A lottery ticket of sparsity s at a
    rate r needs those with the masks of 0, r, 2r and so on below s, which find its mask, and its own; as each of them
    is also the trial of its own sparsity, a sweep in steps of r needs one training a sparsity.

    A run takes a little longer: it keeps the scores of a dense model, not its weights, and so trains it once more for
    what is pruned after, and once for a lottery's first round.

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
    how = trial.pruning
    if how.timing == "after":
        return [trial.at(0.0)]
    if how.method == "lottery":
        rounds = math.ceil(how.sparsity / how.rate - 1e-9)
        return [*(trial.at(number * how.rate) for number in range(rounds)), trial]
    return [trial]


@dataclass(frozen=True)
class Cost:
    """What studies should cost.

    Attributes:
        trainings: how many there are, each counted once.
        hours: on one GPU, one run after another, as ``ASSUMED``; None where a model or a task is not known here.
    """

    trainings: int
    hours: float | None

    @property
    def about(self) -> str:
        """The hours to two digits.

        >>> Cost(3, 1234.5).about, Cost(3, 0.456).about, Cost(3, None).about
        ('1,200', '0.46', 'not known')
        """
        if self.hours is None:
            return "not known"
        rounded = float(f"{self.hours:.2g}")
        return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def expected(*studies: Study) -> Cost:
    """What studies cost together if none of their trials has a record; what several of them need counts once."""
    asked = list(dict.fromkeys(one for study in studies for one in study.specs()))
    trials = [one for one in asked if isinstance(one, Trial)]
    distinct = trainings(trials)
    models = [one for one in asked if isinstance(one, Pretraining)]
    shapes = {**SHAPES, **{asked.model: Shape(asked.layers, asked.hidden) for asked in models}}
    read = [asked for asked in models if isinstance(asked, TextPretraining)]
    known = all(trial.model in shapes and trial.task in SIZES for trial in trials) and len(read) == len(models)
    seconds = [
        *map(_pretraining_seconds, read),
        *(_training_seconds(trial, shapes[trial.model]) for trial in distinct if known),
        *(evaluation_flops(trial, shapes[trial.model]) / RATE for trial in trials if known),
    ]
    return Cost(len(models) + len(distinct), sum(seconds) / 3600 if known else None)


def gpu_hours(study: Study) -> float | None:
    """Hours on one GPU that a study takes, as ``ASSUMED``; None where a model or a task of it is not known here."""
    return expected(study).hours


def sentence(study: Study) -> str:
    """What a study costs, as a figure's page says it."""
    cost = expected(study)
    if cost.hours is None:
        return f"At {study.scale} scale: {cost.trainings:,} trainings; how long they take is not known."
    hours = f"about {cost.about} {'hour' if cost.about == '1' else 'hours'} on one GPU"
    return f"At {study.scale} scale: {cost.trainings:,} trainings, {hours} (assumed: {ASSUMED})."


def _training_seconds(trial: Trial, shape: Shape) -> float:
    steps = trial.training.epochs * math.ceil(_train(trial) / trial.training.batch_size)
    return max(training_flops(trial, shape) / RATE, steps * shape.layers * BLOCK)


def _pretraining_seconds(asked: TextPretraining) -> float:
    return max(pretraining_flops(asked) / RATE, asked.steps * asked.layers * BLOCK)


def _train(trial: Trial) -> int:
    return _least(SIZES[trial.task].train, trial.training.max_train)


def _least(size: int, limit: int | None) -> int:
    return size if limit is None else min(size, limit)


def _tokens(trial: Trial) -> float:
    tokens, longest = SIZES[trial.task].tokens, trial.training.max_length
    return min(tokens, longest) if longest else tokens  # images are not cut


def expected_seconds(trials: Iterable[Spec], records: Mapping[str, Record]) -> float | None:
    """How long the trials without a record will take one after another, from the records that there are.

    A trial is taken to last as long as the mean of those in its file (a model's on one task), or else of all; None
    with no record.
    """
    trials = list(trials)
    spent: dict[tuple[str, str] | None, list[float]] = {}
    for trial in trials:
        if trial.id in records and (seconds := records[trial.id].provenance.get("seconds")):
            for key in ((trial.model, trial.file), None):
                spent.setdefault(key, []).append(seconds)
    if not spent:
        return None
    return sum(mean(spent.get((t.model, t.file), spent[None])) for t in trials if t.id not in records)
