"""Hold questions whose answers are spans of a text (extractive question answering), in the terms of SQuAD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .task import fingerprint_rows, hash_text


@dataclass(frozen=True)
class Answer:
    """An answer: a span of a context.

    Attributes:
        text: text of the answer.
        start: position in the context of the answer's first character.
    """

    text: str
    start: int

    def lies_in(self, context: str) -> bool:
        """Return whether a context has the answer's text at the answer's position."""
        return context[self.start : self.start + len(self.text)] == self.text


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question about a context.

    Attributes:
        id: identifier of the question in its source.
        question: text of the question.
        context: text that has the answer; the answers' positions count its characters.
        answers: the right answers, at least one. Training takes the first, evaluation the one that fits best.
    """

    id: str
    question: str
    context: str
    answers: tuple[Answer, ...]

    def with_answers_in_place(self) -> Question | None:
        """Return the question with only those answers that lie in its context; None if it has none of these."""
        answers = tuple(answer for answer in self.answers if answer.lies_in(self.context))
        return replace(self, answers=answers) if answers else None


@dataclass(frozen=True)
class Questions:
    """Questions in a fixed order.

    Attributes:
        items: the questions.
    """

    items: Sequence[Question]

    def __len__(self) -> int:
        return len(self.items)

    def take(self, positions: Sequence[int]) -> Questions:
        """Return the questions at some positions, in that order."""
        return Questions([self.items[i] for i in positions])

    def fingerprint(self) -> str:
        """Return the SHA-256 of all questions, contexts and answers, in order; its first 16 hexadecimal digits."""
        rows = []
        for item in self.items:
            answers = [part for answer in item.answers for part in (answer.text, str(answer.start))]
            rows.append((item.id, item.question, item.context, *answers))
        return fingerprint_rows(rows)

    def keys(self) -> list[bytes]:
        """Return the SHA-256 of each question and its context, joined by a line break."""
        return [hash_text(f"{q.question}\n{q.context}") for q in self.items]

    def fault(self, classes: int) -> str:
        """Return what makes the questions unfit, in words: parts that are missing. Classes do not matter."""
        if not self.items:
            return "no questions"
        incomplete = sum(not (q.question and q.context.strip() and q.answers) for q in self.items)
        outside = sum(not 0 <= answer.start < len(q.context) for q in self.items for answer in q.answers)
        if incomplete:
            return f"{incomplete} questions without a text, a context or an answer"
        return f"{outside} answers that begin outside of their context" if outside else ""
