"""Questions about a text, encoded as windows over the text, and answers, encoded as spans of a window's tokens.

This is the standard recipe for BERT on SQuAD (Devlin et al. 2019, arXiv 1810.04805, §4.2). A window has the question
and a part of the context. A long context has several windows, which overlap. The model scores each token as the first
and as the last token of the answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import InputError
from ..tasks import Answer, Questions
from .batches import EncodedTexts, padding_values

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Number of questions tokenised together. A tokenizer's output is many times larger than the part of it that is kept.
_CHUNK = 1000


@dataclass(frozen=True, eq=False, kw_only=True)
class Windows(EncodedTexts):
    """Questions with their contexts, each in one or several windows.

    Attributes:
        questions: the questions with their contexts.
        question_positions: position of each window's question, shape (windows,).
        context_starts: position, in each window, of the context's first token, shape (windows,).
        offsets: where the context tokens of each window begin and end in the context, in characters; an array of shape
            (tokens, 2) for each window.
    """

    questions: Questions
    question_positions: np.ndarray
    context_starts: np.ndarray
    offsets: Sequence[np.ndarray]

    def context_tokens(self, positions: np.ndarray) -> torch.Tensor:
        """Return which tokens of the windows at these positions belong to the context; bool, (positions, longest)."""
        tokens = np.arange(self.lengths[positions].max())
        starts = self.context_starts[positions][:, None]
        counts = np.array([len(self.offsets[i]) for i in positions])[:, None]
        return torch.from_numpy((tokens >= starts) & (tokens < starts + counts))

    def text(self, window: int, first: int, last: int) -> str:
        """Return the text of the context from a window's token ``first`` to its token ``last``, both included."""
        offsets, start = self.offsets[window], self.context_starts[window]
        context = self.questions.items[self.question_positions[window]].context
        return context[offsets[first - start, 0] : offsets[last - start, 1]]


def stride(max_length: int) -> int:
    """Return how many tokens of the context a window shares with the next: a third of its length, 128 of 384.

    Args:
        max_length: number of tokens of a window.
    """
    return max_length // 3


def encode(questions: Questions, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Windows:
    """Cut questions with their contexts into windows, with the first answer to each question as the target.

    In a window that does not contain the whole answer, the target is the token for "no answer": [CLS] if the model has
    it, else the first token.

    Args:
        questions: questions with their contexts and answers.
        tokenizer: the model's tokenizer; all its outputs, such as token types, become inputs of the model.
        max_length: number of tokens of a window.

    Raises:
        InputError: the tokenizer does not give the characters of each token, or a question is too long.
    """
    check(questions, tokenizer, max_length)
    inputs: dict[str, list[list[int]]] = {}
    question_positions: list[int] = []
    context_starts: list[int] = []
    offsets: list[np.ndarray] = []
    spans: list[tuple[int, int]] = []
    for chunk_start in range(0, len(questions), _CHUNK):
        chunk = questions.items[chunk_start : chunk_start + _CHUNK]
        encoding = tokenizer(
            [question.question for question in chunk],
            [question.context for question in chunk],
            truncation="only_second",
            max_length=max_length,
            stride=stride(max_length),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        character_offsets = encoding.pop("offset_mapping")
        positions_in_chunk = encoding.pop("overflow_to_sample_mapping")
        for name, rows in encoding.items():
            inputs.setdefault(name, []).extend(rows)
        for window, (characters, position) in enumerate(zip(character_offsets, positions_in_chunk, strict=True)):
            context = [i for i, text in enumerate(encoding.sequence_ids(window)) if text == 1]
            start = context[0] if context else 0
            offsets.append(np.array([characters[i] for i in context], dtype=np.int32).reshape(-1, 2))
            context_starts.append(start)
            question_positions.append(chunk_start + position)
            span = answer_tokens(chunk[position].answers[0], offsets[-1])
            if span is None:
                no_answer = _no_answer_token(encoding["input_ids"][window], tokenizer.cls_token_id)
                spans.append((no_answer, no_answer))
            else:
                spans.append((start + span[0], start + span[1]))
    starts, ends = np.array(spans).T.copy()
    targets = {"start_positions": starts, "end_positions": ends}
    return Windows(
        inputs=inputs,
        targets=targets,
        padding=padding_values(tokenizer),
        questions=questions,
        question_positions=np.array(question_positions),
        context_starts=np.array(context_starts),
        offsets=offsets,
    )


def check(questions: Questions, tokenizer: PreTrainedTokenizerBase, max_length: int) -> None:
    """Check that questions can be cut into windows.

    Args:
        questions: questions with their contexts.
        tokenizer: the model's tokenizer.
        max_length: number of tokens of a window.

    Raises:
        InputError: the tokenizer does not give the characters of each token, or a question is too long.
    """
    if not tokenizer.is_fast:
        raise InputError(
            f"{type(tokenizer).__name__} does not say which characters a token is made of, which answers in a text "
            "need: choose a model with a fast tokenizer"
        )
    special = tokenizer.num_special_tokens_to_add(pair=True)

    def room(length: int) -> int:
        """Return how long a question may be, in tokens, so that each window has a token not in the window before."""
        return length - special - stride(length) - 1

    # a token has at least one byte, so that only questions of many bytes can have too many tokens
    candidates = [q.question for q in questions.items if len(q.question.encode()) > room(max_length)]
    longest = max(map(len, tokenizer(candidates, add_special_tokens=False)["input_ids"])) if candidates else 0
    if longest > room(max_length):
        least = next(length for length in itertools.count(max_length) if room(length) >= longest)
        raise InputError(
            f"max_length {max_length} is not allowed: the longest question has {longest} tokens and leaves no room "
            f"for its context; give {least} or more"
        )


def answer_tokens(answer: Answer, offsets: np.ndarray) -> tuple[int, int] | None:
    """Return the first and the last token of an answer, or None if the tokens do not contain the whole answer.

    Args:
        answer: the answer, with the character of the context where it starts.
        offsets: where the tokens begin and end in the context, in characters, in ascending order, shape (tokens, 2).

    >>> answer_tokens(Answer("old man", 4), np.array([[0, 3], [4, 7], [8, 11], [12, 15]]))
    (1, 2)
    """
    end = answer.start + len(answer.text)
    if not len(offsets) or answer.start < offsets[0, 0] or end > offsets[-1, 1]:
        return None
    first = int(np.searchsorted(offsets[:, 1], answer.start, side="right"))
    last = int(np.searchsorted(offsets[:, 0], end, side="left")) - 1
    return (first, last) if first <= last else None


def _no_answer_token(row: Sequence[int], cls: int | None) -> int:
    """Return the position of the token for "no answer" in a window."""
    return row.index(cls) if cls in row else 0


def best_spans(
    starts: torch.Tensor, ends: torch.Tensor, allowed: torch.Tensor, n_best: int = 20, longest: int = 30
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the likeliest answer in each window: the pair of first and last token with the highest sum of logits.

    Args:
        starts: logits of each token as the first of the answer, shape (windows, tokens).
        ends: logits of each token as the last of the answer, shape (windows, tokens).
        allowed: which tokens may belong to an answer, bool, shape (windows, tokens).
        n_best: number of the likeliest first tokens and of the likeliest last tokens that are tried.
        longest: largest number of tokens of an answer.

    Returns:
        the sum of the two logits, or −inf if no pair is an answer; the first token; the last token. Each is a tensor of
        shape (windows,).

    >>> starts, ends = torch.tensor([[9.0, 1.0, 3.0]]), torch.tensor([[9.0, 2.0, 1.0]])
    >>> best_spans(starts, ends, torch.tensor([[False, True, True]]))  # 3 + 2 would end before it begins
    (tensor([4.]), tensor([2]), tensor([2]))
    """
    count = min(n_best, starts.shape[1])
    start_scores, firsts = starts.masked_fill(~allowed, -torch.inf).topk(count)
    end_scores, lasts = ends.masked_fill(~allowed, -torch.inf).topk(count)
    lengths = lasts[:, None, :] - firsts[:, :, None] + 1
    sums = start_scores[:, :, None] + end_scores[:, None, :]
    sums = sums.masked_fill((lengths < 1) | (lengths > longest), -torch.inf)
    best, pair = sums.flatten(1).max(1)
    first = firsts.gather(1, pair[:, None] // count)[:, 0]
    last = lasts.gather(1, pair[:, None] % count)[:, 0]
    return best, first, last
