"""Define a likelihood task: questions whose choices a language model finds more or less probable, without training.

Which questions are drawn depends on their own text alone: not on a seed, on the order of the source or on the shots.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..errors import InputError, check_whole
from ..specs.likelihood import LIKELIHOOD_TASKS, LikelihoodKind, NamedLikelihoodTask
from .task import fingerprint_rows, hash_text

#: What stands between solved examples, and between the last of them and the question.
_BETWEEN = "\n\n"


@dataclass(frozen=True, kw_only=True)
class LikelihoodQuestion:
    """A question of a likelihood task.

    Attributes:
        context: the whole text before the choices; empty where a text begins with its choices.
        choices: the texts that may follow, each with the blank that parts it from the context. A last word and a text
            have one choice.
        answer: position of the right choice.
        group: number of the question's group, from 0.
        topic: name of the question's topic; empty where the task has one topic.
    """

    context: str
    choices: tuple[str, ...]
    answer: int
    group: int = 0
    topic: str = ""

    @property
    def solved(self) -> str:
        """The context and the right choice: the question as an example that is shown to a model."""
        return self.context + self.choices[self.answer]

    def fault(self) -> str:
        """Return what makes the question unfit, in words; empty if nothing does."""
        if not self.choices:
            return "no choices"
        if not all(choice.strip() for choice in self.choices):
            return "an empty choice"
        if not 0 <= self.answer < len(self.choices):
            return f"answer {self.answer}, which must lie in 0 to {len(self.choices) - 1}"
        return ""


@dataclass(frozen=True)
class LikelihoodQuestions:
    """Questions in a fixed order.

    Attributes:
        items: the questions.
        origin: where they came from, in words.
    """

    items: Sequence[LikelihoodQuestion]
    origin: str

    def __len__(self) -> int:
        return len(self.items)

    def take(self, positions: Sequence[int]) -> LikelihoodQuestions:
        """Return the questions at some positions, in that order."""
        return LikelihoodQuestions([self.items[i] for i in positions], self.origin)

    def fingerprint(self) -> str:
        """Return the SHA-256 of everything in the questions, in order; its first 16 hexadecimal digits."""
        return fingerprint_rows(
            (question.topic, str(question.group), question.context, str(question.answer), *question.choices)
            for question in self.items
        )

    def keys(self) -> list[bytes]:
        """Return the SHA-256 of each question's context and choices, joined by line breaks."""
        return [hash_text("\n".join((question.context, *question.choices))) for question in self.items]

    def drawn(self, limit: int | None) -> LikelihoodQuestions:
        """Return at most so many questions of each topic, those of the smallest hashes, in the order of the source.

        Args:
            limit: how many of each topic, or None for all.
        """
        if limit is None:
            return self
        keys = self.keys()
        taken: Counter[str] = Counter()
        positions = []
        for position in sorted(range(len(keys)), key=lambda i: (keys[i], i)):
            topic = self.items[position].topic
            if taken[topic] < limit:
                taken[topic] += 1
                positions.append(position)
        return self.take(sorted(positions))


@dataclass(frozen=True, kw_only=True)
class LikelihoodTask:
    """A named likelihood task.

    Attributes:
        row: what the task is: its kind, groups and counts.
        load: a function that reads all questions, without shots; it raises InputError if they cannot be had.
        source: data and licence in words, for the page on data.
        load_examples: a function that reads the questions that are shown as solved examples, or None where the source
            has none.
        most_shots: the most examples of a topic that can be shown.
        introduction: a function that gives the text before the questions of a topic and its examples.
        partial: the number of questions of a smaller copy that is read too, or None.
    """

    row: NamedLikelihoodTask
    load: Callable[[], LikelihoodQuestions]
    source: str
    load_examples: Callable[[], LikelihoodQuestions] | None = None
    most_shots: int = 0
    introduction: Callable[[str], str] = lambda topic: ""
    partial: int | None = None

    @classmethod
    def named(cls, name: str, **parts: object) -> LikelihoodTask:
        """Return the task that ``specs.likelihood`` has a row for; the other arguments are attributes."""
        return cls(row=LIKELIHOOD_TASKS[name], **parts)  # type: ignore[arg-type]

    @property
    def name(self) -> str:
        """Name of the task, as in evaluations and in records."""
        return self.row.name

    @property
    def kind(self) -> LikelihoodKind:
        """What the questions offer."""
        return self.row.kind

    def questions(self, limit: int | None = None, shots: int = 0) -> LikelihoodQuestions:
        """Return the task's questions, the same for every seed, after checks of their number and content.

        Args:
            limit: the most questions of each topic, or None for all.
            shots: the number of solved examples before each question.

        Raises:
            InputError: the data cannot be had or are not those that the task names, the limit is below 1, or the task
                has not so many examples to show.
        """
        if limit is not None:
            check_whole("questions", limit)
        self._check_shots(shots)
        questions = self._checked(self.load())
        prefixes = self._prefixes(shots)
        drawn = questions.drawn(limit)
        items = [
            replace(question, context=prefixes[question.topic] + question.context)
            if question.topic in prefixes
            else question
            for question in drawn.items
        ]
        return LikelihoodQuestions(items, drawn.origin)
