"""Define a likelihood task: questions whose choices a language model finds more or less probable, without training.

Which questions are drawn depends on their own text alone: not on a seed, on the order of the source or on the shots.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import InputError, check_whole
from ..specs.likelihood import LIKELIHOOD_TASKS, LikelihoodKind, NamedLikelihoodTask
from .task import fingerprint_rows, hash_text

#: The most choices of a question: a record keeps the number of each answer as one digit in base 36.
_MOST_CHOICES = 36
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
        """Return what makes the question unfit, in words; empty if nothing does.

        >>> LikelihoodQuestion(context="1 + 1 =", choices=(" 2", " 3"), answer=2).fault()
        'the answer 2, which must lie in 0 to 1'
        """
        if not self.choices:
            return "no choices"
        if len(self.choices) > _MOST_CHOICES:
            return f"{len(self.choices)} choices, and at most {_MOST_CHOICES} can be told apart in a record"
        if not all(choice.strip() for choice in self.choices):
            return "an empty choice"
        if not 0 <= self.answer < len(self.choices):
            return f"the answer {self.answer}, which must lie in 0 to {len(self.choices) - 1}"
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
        introduction: a function that gives the text before the questions of a topic and its examples, or None.
        partial: the number of questions of a smaller copy that is read too, or None.
    """

    row: NamedLikelihoodTask
    load: Callable[[], LikelihoodQuestions]
    source: str
    load_examples: Callable[[], LikelihoodQuestions] | None = None
    most_shots: int = 0
    introduction: Callable[[str], str] | None = None
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
        examples = self._examples(check_whole("shots", shots, 0))
        drawn = self._checked(self.load()).drawn(limit)
        items = [self._introduced(question, examples, shots) for question in drawn.items]
        return LikelihoodQuestions(items, drawn.origin)

    def _checked(self, questions: LikelihoodQuestions) -> LikelihoodQuestions:
        """Return the questions of the source after checks of their number, topics and content."""
        if not questions.items:
            raise InputError(f"task {self.name!r} from {questions.origin} has no questions: fetch it anew")
        counts, count = self.row.counts, len(questions)
        if counts is not None and count not in (counts, self.partial):
            raise InputError(
                f"task {self.name!r} from {questions.origin} has {count:,} questions, but must have {counts:,}: "
                "the source is not the pinned one"
            )
        topics = len({question.topic for question in questions.items})
        if topics != self.row.topics:
            raise InputError(
                f"task {self.name!r} from {questions.origin} has {topics} topics, but must have {self.row.topics}: "
                "the source is not the pinned one"
            )
        if counts is None or count == counts:
            return questions
        return replace(questions, origin=f"{questions.origin}, {count:,} of {counts:,} questions")

    def _examples(self, shots: int) -> dict[str, list[str]]:
        """Return the first examples of each topic, solved; none where no shots are asked for."""
        if not shots:
            return {}
        if self.load_examples is None or shots > self.most_shots:
            most = f"at most {self.most_shots} examples" if self.load_examples else "no examples"
            raise InputError(f"shots {shots} is not allowed: task {self.name!r} has {most} to show")
        solved: dict[str, list[str]] = defaultdict(list)
        for example in self.load_examples().items:
            if len(solved[example.topic]) < shots:
                solved[example.topic].append(example.solved)
        return solved

    def _introduced(
        self, question: LikelihoodQuestion, examples: Mapping[str, Sequence[str]], shots: int
    ) -> LikelihoodQuestion:
        """Return a question with its topic's introduction and examples before it."""
        shown_examples = examples.get(question.topic, ())
        if len(shown_examples) < shots:
            topic = f" of topic {question.topic!r}" if question.topic else ""
            raise InputError(
                f"task {self.name!r} has {len(shown_examples)} examples{topic} to show, fewer than {shots} shots: "
                "the source is not the pinned one"
            )
        introduction = self.introduction(question.topic) if self.introduction else ""
        parts = (introduction, *(text + _BETWEEN for text in shown_examples))
        return replace(question, context="".join((*parts, question.context)))
