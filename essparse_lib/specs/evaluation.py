"""An Evaluation: a model is pruned and asked questions, with no training, as plain data whose hash is its id."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..errors import InputError, check_seed, check_whole, shown
from .methods import METHODS
from .spec import PlainData, Spec, check_name, shared
from .trial import Pruning, Timing

#: About how many questions of a task a model of one's own is asked, where no number is given: enough for ±3 points.
USUAL_QUESTIONS = 1000
#: The tasks whose questions it is asked where none is named.
USUAL_TASKS = ("blimp", "arc-easy", "lambada", "piqa")

#: The most characters that the name of a token may have.
_LONGEST_TOKEN = 64


@dataclass(frozen=True, kw_only=True)
class Prompting(PlainData):
    """How the questions of a likelihood task are put to a model.

    Attributes:
        questions: the most questions of each topic that are asked, the same ones for every model; None for all. A
            topic is a paradigm of BLiMP or a subject of MMLU; other tasks have one.
        shots: how many solved examples stand before each question.
        prefix: the token before a text that begins with its choices, such as a sentence of a minimal pair. Empty for
            the tokenizer's beginning-of-sequence token, or its end token where it has none (as lm-eval does); where it
            has neither, for the token by which it parts texts.
    """

    questions: int | None = None
    shots: int = 0
    prefix: str = ""

    def __post_init__(self) -> None:
        if self.questions is not None:
            try:
                self._set("questions", check_whole("questions", self.questions))
            except InputError as error:
                raise InputError(f"{error}, or None for all") from None
        self._set("shots", check_whole("shots", self.shots, 0))
        self._check_types()
        if len(self.prefix) > _LONGEST_TOKEN or not self.prefix.isprintable():
            raise InputError(f"prefix {shown(self.prefix)} is not allowed: name a token, or give an empty text")


@dataclass(frozen=True, kw_only=True)
class Evaluation(Spec):
    """One evaluation: prune a language model, ask it the questions of a likelihood task; nothing is trained.

    Attributes:
        model: the model's name, its id on the hub, or its local folder.
        task: the name of a likelihood task.
        pruning: what is removed; nothing unless given. Its timing says nothing here and is the default.
        prompting: how the questions are put.
        seed: of random masks, and of the text that a calibrated method reads; 0 where nothing is drawn.
    """

    record_kind: ClassVar[str] = "evaluation"

    model: str
    task: str
    pruning: Pruning = field(default_factory=Pruning)
    prompting: Prompting = field(default_factory=Prompting)
    seed: int = 0

    def __post_init__(self) -> None:
        check_name("model", self.model)
        check_name("task", self.task)
        self._set("seed", check_seed(self.seed))
        for name, kind in (("pruning", Pruning), ("prompting", Prompting)):
            if not isinstance(part := getattr(self, name), kind):
                raise InputError(f"{name} {shown(part)} is not allowed: give a {kind.__name__}")
        method = METHODS[self.pruning.method]
        if method.trained:
            raise InputError(f"{method.name} trains to find its mask, and an evaluation trains nothing: name another")
        self._set("pruning", dataclasses.replace(self.pruning, timing=Timing.BEFORE))
        if not self.draws:
            self._set("seed", 0)

    @property
    def draws(self) -> bool:
        """Whether anything depends on the seed: a random mask, or the text that a calibrated method reads."""
        return bool(self.pruning.sparsity) and METHODS[self.pruning.method].seeded

    @property
    def file(self) -> str:
        """The evaluation's task: one file holds a model's evaluations on a task."""
        return self.task

    @classmethod
    def from_canonical(cls, plain: Mapping[str, Any]) -> Evaluation:
        """Return the evaluation whose ``canonical()`` this is.

        Raises:
            UnknownName: it has a field, or a choice in a field, that this version does not know.
            ValueError: no evaluation has this canonical form.
        """
        fields = cls._fields_of(plain)
        fields["pruning"] = shared(Pruning, **fields.get("pruning", {}))
        fields["prompting"] = shared(Prompting, **fields.get("prompting", {}))
        return cls(**fields)

    def __str__(self) -> str:
        drawn = f", seed {self.seed}" if self.draws else ""
        shots = f", {self.prompting.shots} shots" if self.prompting.shots else ""
        prefix = f" after {self.prompting.prefix}" if self.prompting.prefix else ""
        return f"{self.model} on {self.task}{prefix}{shots}, {self.pruning}{drawn}, not trained"
