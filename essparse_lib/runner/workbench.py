"""What the trials of one process share: data, encoded examples, calibration windows, a fine-tuned dense model."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ..errors import InputError
from ..specs.evaluation import Evaluation, Prompting
from ..specs.trial import Pruning, Trial

if TYPE_CHECKING:
    import torch

    from ..likelihood.scorer import Scorer
    from ..tasks import Splits
    from ..tasks.likelihood import LikelihoodQuestions
    from ..training.batches import EncodedExamples
    from .dense_weights import Tuned

#: Characters of a corpus to draw for each token that is needed; few texts have more than six characters a token.
_CHARACTERS = 16


@dataclass(frozen=True)
class TaskData:
    """A task's data, as trials share it.

    Attributes:
        splits: the examples to train on and to evaluate on, and where they came from.
        fingerprint: of the examples, as a record keeps it.
    """

    splits: Splits
    fingerprint: str


class Workbench:
    """What the trials of one process share, loaded or computed once; what was not used for longest is dropped.

    A new workbench is empty.

    Attributes:
        shares_trainings: whether dense models that were fine-tuned before, also by other processes, are read from the
            cache. A run does so; who runs a trial to see whether it repeats must not.
    """

    def __init__(self) -> None:
        self.shares_trainings = False
        self._load = lru_cache(maxsize=4)(_load)
        self._check = lru_cache(maxsize=64)(self._check_examples)
        self._encode = lru_cache(maxsize=8)(self._encode_examples)
        self._draw = lru_cache(maxsize=4)(_draw_windows)
        self._ask = lru_cache(maxsize=16)(_questions)
        self._dense: tuple[Trial, Tuned] | None = None
        self._scorer: tuple[tuple[str, Pruning, int], Scorer] | None = None

    @contextmanager
    def sharing_trainings(self) -> Iterator[None]:
        """Share the trainings of dense models with other processes within the block."""
        before, self.shares_trainings = self.shares_trainings, True
        try:
            yield
        finally:
            self.shares_trainings = before

    def data(self, task: str, held_out: int | None = None) -> TaskData:
        """Return a task's data, with so many examples held out for evaluation; None for the usual number.

        Raises:
            InputError: the task is unknown, its data cannot be had, or it cannot hold out so many.
        """
        return self._load(task, held_out)

    def check(self, task: str, model: str, max_length: int, held_out: int | None = None) -> None:
        """Check that a model can read a task's examples, cut to ``max_length`` tokens.

        Raises:
            InputError: it cannot, or the model or the data cannot be had, or the task cannot hold out so many examples.
        """
        self._check(task, model, max_length, held_out)

    def train_examples(self, trial: Trial) -> EncodedExamples:
        """Return the encoded examples that a trial trains on: all, or those that its seed draws."""
        training = trial.training
        limit = training.max_train
        if limit is None or limit >= len(self.data(trial.task, training.held_out).splits.train):
            limit, seed = None, 0  # all of them are the same for every seed
        else:
            seed = trial.seed
        return self.encoded(trial.task, trial.model, training.max_length, limit, seed, training.held_out)

    def test_examples(self, trial: Trial) -> EncodedExamples:
        """Return the encoded examples that a trial is evaluated on, which are the same for every seed."""
        training = trial.training
        return self.encoded(trial.task, trial.model, training.max_length, training.max_test, held_out=training.held_out)

    def encoded(
        self,
        task: str,
        model: str,
        max_length: int,
        limit: int | None = None,
        seed: int | None = None,
        held_out: int | None = None,
    ) -> EncodedExamples:
        """Return a task's examples as a model reads them.

        Args:
            task: its name.
            model: its name.
            max_length: tokens kept of a text; 0 for images.
            limit: at most so many examples; None for all.
            seed: draws the training examples; None for the test examples.
            held_out: how many examples the task holds out for evaluation; None for the usual number.
        """
        return self._encode(task, model, max_length, limit, seed, held_out)

    def windows(self, pruning: Pruning, model: str, seed: int) -> torch.Tensor:
        """Return what a calibrated method reads: windows of a corpus as token numbers, of shape (windows, tokens).

        Args:
            pruning: by a calibrated method; it names the corpus and says how many windows of which length.
            model: whose tokenizer reads the corpus.
            seed: draws the documents and the windows.

        Raises:
            InputError: the corpus is unknown, too short or cannot be had; or the model does not read texts, or only
                shorter ones.
        """
        return self._draw(pruning.method, pruning.calibration, pruning.windows, pruning.length, model, seed)

    def dense_model(self, trial: Trial, tune: Callable[[], Tuned]) -> Tuned:
        """Return the fine-tuned weights of a dense trial and the losses, for all sparsities at which it is pruned.

        Args:
            trial: the dense trial.
            tune: trains it, where it is not the dense trial that was fine-tuned last.
        """
        if self._dense is None or self._dense[0] != trial:
            self._dense = (trial, tune())
        return self._dense[1]

    def questions(self, task: str, prompting: Prompting) -> LikelihoodQuestions:
        """Return the questions of a likelihood task, as a prompting puts them.

        Raises:
            InputError: the task is unknown, its data cannot be had, or it has no examples to show.
        """
        return self._ask(task, prompting)

    def scorer(self, evaluation: Evaluation, make: Callable[[], Scorer]) -> Scorer:
        """Return the scorer of an evaluation's pruned model, for all tasks that this model is asked.

        Args:
            evaluation: the evaluation.
            make: makes the scorer, where it is not of the model that was asked last.
        """
        key = (evaluation.model, evaluation.pruning, evaluation.seed)
        if self._scorer is None or self._scorer[0] != key:
            self._scorer = None  # two models at once may be more than there is memory for
            self._scorer = (key, make())
        return self._scorer[1]

    def _check_examples(self, task: str, model: str, max_length: int, held_out: int | None) -> None:
        from .. import tasks
        from .task_heads import TASK_HEADS

        splits = self.data(task, held_out).splits
        for part in (splits.train, splits.test):
            TASK_HEADS[tasks.get(task).head].check(part, model, max_length)

    def _encode_examples(
        self, task: str, model: str, max_length: int, limit: int | None, seed: int | None, held_out: int | None
    ) -> EncodedExamples:
        from .. import tasks
        from ..training.fine_tune import subset
        from .task_heads import TASK_HEADS

        splits = self.data(task, held_out).splits
        if seed is None:
            examples = tasks.fixed_part(splits.test, limit)
        elif limit is None:
            examples = splits.train
        else:
            examples = splits.train.take(subset(len(splits.train), limit, seed).tolist())
        return TASK_HEADS[tasks.get(task).head].encode(examples, model, max_length)


def _load(task: str, held_out: int | None) -> TaskData:
    """Return a task's data, read and checked anew."""
    from .. import tasks

    splits = tasks.get(task).splits(held_out)
    return TaskData(splits, f"{splits.train.fingerprint()}+{splits.test.fingerprint()}")


def _questions(task: str, prompting: Prompting) -> LikelihoodQuestions:
    """Return the questions of a likelihood task, read and checked anew."""
    from ..likelihood import tasks

    return tasks.get(task).questions(prompting.questions, prompting.shots)


def _draw_windows(method: str, corpus: str, windows: int, length: int, model: str, seed: int) -> torch.Tensor:
    """Return windows of a corpus, drawn anew: first documents, then windows of these."""
    from .. import corpora
    from ..models import loading
    from ..pruning.calibration import calibration_windows

    documents = corpora.get(corpus)
    try:
        tokenizer = loading.tokenizer_of(model)
    except InputError as error:
        raise InputError(f"method {method!r} reads a text, which model {model!r} cannot: {error}") from error
    loading.check_length(model, "length", length)
    text = "\n\n".join(drawn_documents(documents.load(), _CHARACTERS * windows * length, seed))
    try:
        return calibration_windows(text, tokenizer, windows, length, seed)
    except InputError as error:
        raise InputError(f"corpus {corpus!r}, read by {model!r}: {error}") from error


def drawn_documents(documents: Iterable[str], characters: int, seed: int) -> list[str]:
    """Return documents drawn at random, in random order: as few as have so many characters, or all if they have fewer.

    Reads the documents once, and holds hardly more than it returns.

    >>> drawn_documents(["one", "two", "three", "four"], characters=6, seed=0)
    ['four', 'three']
    """
    generator = random.Random(seed)
    drawn: list[tuple[float, int, str]] = []  # a heap: the document with the largest random number comes first
    total = 0
    for position, document in enumerate(documents):
        heapq.heappush(drawn, (-generator.random(), position, document))
        total += len(document)
        while total - len(drawn[0][2]) >= characters:
            total -= len(heapq.heappop(drawn)[2])
    return [document for _, _, document in sorted(drawn, reverse=True)]


_current = Workbench()


def current() -> Workbench:
    """Return the workbench that trials use where they are given none."""
    return _current


def renew() -> None:
    """Put an empty workbench in the place of the current one."""
    global _current
    _current = Workbench()
