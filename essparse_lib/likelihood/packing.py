"""Put a question's context and all its choices into one sequence, so that the context is read once.

Each choice follows the context: it has the positions that it would have there, and sees the context and its own tokens
alone. The last token of a choice is predicted and not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .encoding import EncodedQuestion


@dataclass(frozen=True)
class PackedQuestion:
    """A question as one sequence.

    Attributes:
        tokens: the context without ``skipped`` tokens at its beginning, then all choices without their last tokens.
        positions: of each token in its own text.
        segments: of each token: 0 in the context, i in the i-th choice.
        sources: for each choice, the places in ``tokens`` whose outputs predict its tokens.
        targets: for each choice, its tokens.
        skipped: how many tokens at the beginning of the context are read apart.
    """

    tokens: tuple[int, ...]
    positions: tuple[int, ...]
    segments: tuple[int, ...]
    sources: tuple[tuple[int, ...], ...]
    targets: tuple[tuple[int, ...], ...]
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def scored(self) -> int:
        """How many places at the end of the sequence hold all those whose outputs are looked at."""
        return len(self.tokens) - self.sources[0][0]


def pack(question: EncodedQuestion, skipped: int = 0) -> PackedQuestion:
    """Return a question as one sequence.

    Args:
        question: the question.
        skipped: how many tokens at the beginning of the context are read apart; at least one is left.

    >>> packed = pack(EncodedQuestion((5, 6), ((7, 8), (9,))))
    >>> packed.tokens, packed.positions, packed.segments
    ((5, 6, 7), (0, 1, 2), (0, 0, 1))
    >>> packed.sources
    ((1, 2), (1,))
    """
    context = question.context[skipped:]
    tokens, positions = list(context), list(range(skipped, skipped + len(context)))
    segments, sources = [0] * len(context), []
    for number, choice in enumerate(question.choices, start=1):
        read = choice[:-1]
        sources.append((len(context) - 1, *range(len(tokens), len(tokens) + len(read))))
        tokens += read
        positions += range(len(question.context), len(question.context) + len(read))
        segments += [number] * len(read)
    return PackedQuestion(
        tokens=tuple(tokens),
        positions=tuple(positions),
        segments=tuple(segments),
        sources=tuple(sources),
        targets=question.choices,
        skipped=skipped,
    )


@dataclass(frozen=True)
class PackedBatch:
    """Packed questions as tensors, padded on the left so that what is scored lies at the end.

    Attributes:
        tokens: shape (questions, length).
        positions: shape (questions, length).
        visible: which places each place sees, of those read apart before and of the sequence itself, shape
            (questions, 1, length, skipped + length).
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    visible: torch.Tensor


def batch(questions: Sequence[PackedQuestion], device: torch.device) -> PackedBatch:
    """Return packed questions, all with as many tokens read apart, as tensors on a device.

    A place of the padding sees itself alone, and no other place sees it.
    """
    length, skipped = max(map(len, questions)), questions[0].skipped

    def padded(rows: Sequence[Sequence[int]], padding: int) -> torch.Tensor:
        return torch.tensor([[padding] * (length - len(row)) + list(row) for row in rows])

    segments = padded([question.segments for question in questions], -1).to(device)
    query, key = segments[:, :, None], segments[:, None, :]
    causal = torch.ones(length, length, dtype=torch.bool, device=device).tril()
    own = ((key == 0) | (key == query)) & (query >= 0) & (key >= 0) & causal
    own |= torch.eye(length, dtype=torch.bool, device=device)
    before = torch.ones(len(questions), length, skipped, dtype=torch.bool, device=device)
    return PackedBatch(
        tokens=padded([question.tokens for question in questions], 0).to(device),
        positions=padded([question.positions for question in questions], 0).to(device),
        visible=torch.cat([before, own], dim=2)[:, None],
    )
