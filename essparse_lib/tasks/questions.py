"""Questions whose answers are stretches of a text (extractive question answering), in SQuAD's terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .task import fingerprint_of, key_of


@dataclass(frozen=True)
class Answer:
    """A stretch of a context: its text, and the character of the context that it begins at."""

    text: str
    start: int

    def lies_in(self, context: str) -> bool:
        """Whether the context has that text at that place."""
        return context[self.start : self.start + len(self.text)] == self.text


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question and what it is asked of.

    Attributes:
        id: as in the source.
        question: its text.
        context: the text in which the answer is; the answers' places count its characters.
        answers: the right ones, at least one; training takes the first, evaluation the one that fits best.
    """

    id: str
    question: str
    context: str
    answers: tuple[Answer, ...]

    def answered_in_place(self) -> Question | None:
        """The question with those answers alone that the context has where they say; None if that leaves none."""
        found = tuple(answer for answer in self.answers if answer.lies_in(self.context))
        return Question(id=self.id, question=self.question, context=self.context, answers=found) if found else None


@dataclass(frozen=True)
class Questions:
    """Questions in order."""

    items: Sequence[Question]

    def __len__(self) -> int:
        return len(self.items)

    def take(self, positions: Sequence[int]) -> Questions:
        """The questions at these positions, in this order."""
        return Questions([self.items[i] for i in positions])

    def fingerprint(self) -> str:
        """SHA-256 over every question, context and answer, in order; the first 16 hexadecimal digits."""
        return fingerprint_of(
            (q.id, q.question, q.context, *(part for a in q.answers for part in (a.text, str(a.start))))
            for q in self.items
        )

    def keys(self) -> list[bytes]:
        """SHA-256 of each question and its context, one a line."""
        return [key_of(f"{q.question}\n{q.context}") for q in self.items]

    def fault(self, classes: int) -> str:
        """Questions that cannot be answered, in words; there are no classes."""
        bare = sum(not (q.question and q.context.strip() and q.answers) for q in self.items)
        return f"{bare} questions without a text, a context or an answer" if bare else ""
