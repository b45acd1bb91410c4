"""Questions about a text, as windows over the text; and answers, as spans of a window's tokens.

The recipe that is standard for BERT on SQuAD (Devlin et al. 2019, arXiv 1810.04805, §4.2): the question, then as much
of the context as there is room for; what is left over in further windows that overlap. The model scores each token as
the answer's first and as its last.
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
from .batches import Encoded, fillers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Questions tokenised together: a tokenizer's own notes on each token are many times larger than what is kept.
_CHUNK = 1000


@dataclass(frozen=True, eq=False, kw_only=True)
class Windows(Encoded):
    """Questions with their contexts, each in one or several windows.

    Attributes:
        questions: what was encoded.
        owners: per window the position of its question, shape (windows,).
        firsts: per window the position of the context's first token in it, shape (windows,).
        offsets: per window where its context tokens begin and end in the context, in characters, shape (tokens, 2).
    """

    questions: Questions
    owners: np.ndarray
    firsts: np.ndarray
    offsets: Sequence[np.ndarray]

    def context_tokens(self, positions: np.ndarray) -> torch.Tensor:
        """Which tokens of the windows at these positions are of the context; bool, shape (n, longest)."""
        places = np.arange(self.lengths[positions].max())
        firsts = self.firsts[positions][:, None]
        counts = np.array([len(self.offsets[i]) for i in positions])[:, None]
        return torch.from_numpy((places >= firsts) & (places < firsts + counts))

    def text(self, window: int, first: int, last: int) -> str:
        """The context from a window's token ``first`` to its token ``last``, both included."""
        offsets, begin = self.offsets[window], self.firsts[window]
        context = self.questions.items[self.owners[window]].context
        return context[offsets[first - begin, 0] : offsets[last - begin, 1]]


def stride(max_length: int) -> int:
    """How many tokens of the context a window shares with the next: a third of a window, 128 of 384."""
    return max_length // 3


def encode(questions: Questions, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Windows:
    """Cut questions with their contexts into windows; the first answer of each is what a model is to find.

    In a window that does not hold it whole, that is the first token ([CLS] in models that have it).

    Args:
        tokenizer: the model's own; what it returns (token types too, where it has them) is passed on whole.
        max_length: tokens of a window.

    Raises:
        InputError: the tokenizer does not say which characters a token is made of, or a question is too long.
    """
    check(questions, tokenizer, max_length)
    inputs: dict[str, list[list[int]]] = {}
    owners: list[int] = []
    firsts: list[int] = []
    offsets: list[np.ndarray] = []
    spans: list[tuple[int, int]] = []
    for begin in range(0, len(questions), _CHUNK):
        chunk = questions.items[begin : begin + _CHUNK]
        encoding = tokenizer(
            [question.question for question in chunk],
            [question.context for question in chunk],
            truncation="only_second",
            max_length=max_length,
            stride=stride(max_length),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        places, chosen = encoding.pop("offset_mapping"), encoding.pop("overflow_to_sample_mapping")
        for name, rows in encoding.items():
            inputs.setdefault(name, []).extend(rows)
        for window, (characters, owner) in enumerate(zip(places, chosen, strict=True)):
            context = [i for i, text in enumerate(encoding.sequence_ids(window)) if text == 1]
            first = context[0] if context else 0
            offsets.append(np.array([characters[i] for i in context], dtype=np.int32).reshape(-1, 2))
            firsts.append(first)
            owners.append(begin + owner)
            span = tokens_of(chunk[owner].answers[0], offsets[-1])
            nothing = _nothing(encoding["input_ids"][window], tokenizer.cls_token_id)
            spans.append((nothing, nothing) if span is None else (first + span[0], first + span[1]))
    starts, ends = np.array(spans).T.copy()
    targets = {"start_positions": starts, "end_positions": ends}
    return Windows(
        inputs=inputs,
        targets=targets,
        fillers=fillers(tokenizer),
        questions=questions,
        owners=np.array(owners),
        firsts=np.array(firsts),
        offsets=offsets,
    )


def check(questions: Questions, tokenizer: PreTrainedTokenizerBase, max_length: int) -> None:
    """Check that questions can be cut into windows of this many tokens.

    Raises:
        InputError: the tokenizer does not say which characters a token is made of, or a question is too long.
    """
    if not tokenizer.is_fast:
        raise InputError(
            f"{type(tokenizer).__name__} does not say which characters a token is made of, which answers in a text "
            "need: choose a model with a fast tokenizer"
        )
    special = tokenizer.num_special_tokens_to_add(pair=True)

    def room(length: int) -> int:
        """Tokens that a question may have, so that each window has a token more than it shares with the last."""
        return length - special - stride(length) - 1

    # no token is less than a byte, so only these need be tokenised
    doubtful = [q.question for q in questions.items if len(q.question.encode()) > room(max_length)]
    longest = max(map(len, tokenizer(doubtful, add_special_tokens=False)["input_ids"])) if doubtful else 0
    if longest > room(max_length):
        least = next(length for length in itertools.count(max_length) if room(length) >= longest)
        raise InputError(
            f"max_length {max_length} is not allowed: the longest question has {longest} tokens and leaves no room "
            f"for its context; give {least} or more"
        )


def tokens_of(answer: Answer, offsets: np.ndarray) -> tuple[int, int] | None:
    """The first and the last token that an answer's characters lie in; None where it is not wholly among them.

    Args:
        offsets: where the tokens begin and end, in characters and in order, shape (tokens, 2).

    >>> tokens_of(Answer("old man", 4), np.array([[0, 3], [4, 7], [8, 11], [12, 15]]))
    (1, 2)
    """
    end = answer.start + len(answer.text)
    if not len(offsets) or answer.start < offsets[0, 0] or end > offsets[-1, 1]:
        return None
    first = int(np.searchsorted(offsets[:, 1], answer.start, side="right"))
    last = int(np.searchsorted(offsets[:, 0], end, side="left")) - 1
    return (first, last) if first <= last else None


def _nothing(row: Sequence[int], cls: int | None) -> int:
    """The token that says that a window has no answer."""
    return row.index(cls) if cls in row else 0


def best_spans(
    starts: torch.Tensor, ends: torch.Tensor, allowed: torch.Tensor, n_best: int = 20, longest: int = 30
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The likeliest answer in each window: among its best first and best last tokens, the two of the highest sum.

    Args:
        starts: how likely each token is the answer's first; logits, shape (windows, tokens).
        ends: the same for its last.
        allowed: which tokens an answer may hold; bool, of the same shape.
        n_best: first and last tokens that are tried, of each the likeliest.
        longest: tokens of an answer.

    Returns:
        The sum of the two logits (−inf where no pair is an answer), the first and the last token; shape (windows,).

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
    best, place = sums.flatten(1).max(1)
    first = firsts.gather(1, place[:, None] // count)[:, 0]
    last = lasts.gather(1, place[:, None] % count)[:, 0]
    return best, first, last
