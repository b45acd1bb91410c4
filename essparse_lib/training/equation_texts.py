"""Arithmetic word problems as token numbers, with the places of their numbers, and equations as numbers of symbols."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import InputError
from ..models.equation_model import PADDING
from ..models.quiet import quiet
from ..tasks import Problem, Problems
from ..tasks.equations import SLOTS, to_numbers
from .batches import EncodedTexts, padding_values

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedTokenizerBase


@dataclass(frozen=True, eq=False, kw_only=True)
class EncodedProblems(EncodedTexts):
    """Arithmetic word problems, tokenised.

    Attributes:
        problems: the problems.
        slots: the token that each slot is read at, the last one of its word; -1 for a number that the problem lacks;
            shape (problems, slots).
    """

    problems: Problems
    slots: np.ndarray

    def input_batch(self, positions: Sequence[int] | np.ndarray) -> dict[str, torch.Tensor]:
        """Return the inputs of the problems at these positions: those of a text, and the slots."""
        return {**super().input_batch(positions), "slots": torch.from_numpy(self.slots[positions])}

    def batch(self, positions: Sequence[int] | np.ndarray) -> dict[str, torch.Tensor]:
        """Return the input batch and the equations, padded to the longest; shape (positions, places)."""
        equations = self.targets["equations"][positions]
        places = int((equations != PADDING).sum(1).max())
        return {**self.input_batch(positions), "equations": torch.from_numpy(equations[:, :places])}


def encode(
    problems: Problems, tokenizer: PreTrainedTokenizerBase, max_length: int, most: int | None = None
) -> EncodedProblems:
    """Tokenise arithmetic word problems.

    Args:
        problems: the problems.
        tokenizer: the model's tokenizer; all its outputs, such as token types, become inputs of the model.
        max_length: number of tokens to which longer questions are cut.
        most: the most tokens that the model takes, for what to do where ``max_length`` is too small; None for any.

    Raises:
        InputError: the tokenizer does not give the characters of each token, has no token for the word of a number, or
            a question is so long that one of its numbers is cut off.
    """
    if not tokenizer.is_fast:
        raise InputError(
            f"{type(tokenizer).__name__} does not say which characters a token is made of, which numbers in a text "
            "need: choose a model with a fast tokenizer"
        )
    questions = [problem.question for problem in problems.items]
    encoding = tokenizer(questions, truncation=True, max_length=max_length, padding=False)
    slots = np.full((len(problems), len(SLOTS)), -1)
    for row, problem in enumerate(problems.items):
        tokens = _tokens_of_numbers(problem, row, encoding)
        if None in tokens:
            with quiet():  # the tokenizer would say that this is longer than its model reads
                whole = tokenizer(questions)
            if None in _tokens_of_numbers(problem, row, whole):
                raise InputError(
                    f"the tokenizer has no token for {SLOTS[tokens.index(None)]!r}, which stands for a number: choose "
                    "a model whose tokenizer reads any text"
                )
            longest = max(map(len, whole["input_ids"]))
            raise InputError(
                f"max_length {max_length} is not allowed: it cuts numbers off from a question; "
                f"{_advice(longest, max_length, most)}"
            )
        slots[row, : len(tokens)] = tokens
    return EncodedProblems(
        inputs=dict(encoding),
        targets={"equations": _padded([to_numbers(problem.equation) for problem in problems.items])},
        padding=padding_values(tokenizer),
        problems=problems,
        slots=slots,
    )


def _advice(longest: int, max_length: int, most: int | None) -> str:
    """Return what to do where ``max_length`` cuts numbers off and the longest question has so many tokens."""
    if most is None or longest <= most:
        return f"give {longest}, the tokens of the longest question"
    other = f"choose a model that takes {longest}, the tokens of the longest question"
    return other if max_length >= most else f"give {most}, the most that this model takes, or {other}"


def _tokens_of_numbers(problem: Problem, row: int, encoding: BatchEncoding) -> list[int | None]:
    """Return the last token of the word for each of a problem's numbers; None where it is cut off."""
    tokens = []
    for slot in SLOTS[: len(problem.numbers)]:
        word = re.search(rf"(?<!\S){slot}(?!\S)", problem.question)
        assert word is not None  # as the task's data are checked
        tokens.append(encoding.char_to_token(row, word.end() - 1))
    return tokens


def _padded(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """Return rows of numbers as one array, padded by ``PADDING``."""
    longest = max(map(len, rows))
    return np.array([[*row, *[PADDING] * (longest - len(row))] for row in rows])
