"""GTS, the goal-driven tree decoder of Xie and Sun (2019): it writes an equation as a tree, from the root down.

Each place of the tree has a goal. That of a left operand is made of the goal above it; that of a right operand of the
goal above and of the left operand that was written. In prefix order, what a place needs stands before it.

Source: Xie and Sun, "A Goal-Driven Tree-Structured Neural Model for Math Word Problems", IJCAI 2019. Of the authors'
code, SMC-Bench's bidirectional LSTM between the text model and the decoder is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ..tasks.equations import OPERATORS
from .equation_decoders import EquationDecoder, ReadProblems, attend, symbols_at


class TreeDecoder(EquationDecoder):
    """The goal-driven tree decoder.

    Args:
        width: width of the text model's hidden states.
        hidden: width of the decoder.
        dropout: fraction of the decoder's values that training sets to zero.
    """

    def __init__(self, width: int, hidden: int = 512, dropout: float = 0.5) -> None:
        super().__init__(width, hidden, dropout)
        self.left = _Gated(2 * hidden, hidden)
        self.right = _Gated(3 * hidden, hidden)
        self.merged = _Gated(3 * hidden, hidden)
        self.compared = nn.Linear(3 * hidden, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, problems: ReadProblems, equations: torch.Tensor) -> torch.Tensor:
        """Return the logits of the symbol at each place of equations, as ``EquationDecoder.forward`` says."""
        tree = tree_of(equations)
        inputs = symbols_at(problems, equations)
        subtrees = self._subtrees(inputs, equations, tree)
        goals: list[torch.Tensor] = []
        for place in range(equations.shape[1]):
            goals.append(problems.start if not place else self._goal(place, goals, subtrees, inputs, tree))
        stacked = torch.stack(goals, 1)
        return self._scored(stacked, attend(self.dropout(stacked), problems), problems)

    def _subtrees(self, inputs: torch.Tensor, equations: torch.Tensor, tree: _Tree) -> torch.Tensor:
        """Return what the subtree that begins at each place is, shape (problems, places, hidden)."""
        places = equations.shape[1]
        subtrees = list(inputs.unbind(1))
        for place in reversed(range(places - 1)):
            right = _at(torch.stack(subtrees, 1), tree.right[:, place])
            parts = self.dropout(torch.cat([inputs[:, place], subtrees[place + 1], right], -1))
            operator = (equations[:, place] < len(OPERATORS))[:, None]
            subtrees[place] = torch.where(operator, self.merged(parts), subtrees[place])
        return torch.stack(subtrees, 1)

    def _goal(
        self, place: int, goals: list[torch.Tensor], subtrees: torch.Tensor, inputs: torch.Tensor, tree: _Tree
    ) -> torch.Tensor:
        """Return the goal of a place behind the first, shape (problems, hidden)."""
        above, sibling = tree.above[:, place], tree.sibling[:, place]
        goal, operator = _at(torch.stack(goals, 1), above), _at(inputs, above)
        of_left = self.left(self.dropout(torch.cat([goal, operator], -1)))
        of_right = self.right(self.dropout(torch.cat([goal, operator, _at(subtrees, sibling)], -1)))
        return torch.where((sibling >= 0)[:, None], of_right, of_left)

    def _scored(self, goals: torch.Tensor, contexts: torch.Tensor, problems: ReadProblems) -> torch.Tensor:
        """Return how well each symbol serves each goal, given what the goal attends to."""
        fixed = problems.symbols.shape[1] - problems.keys.shape[1]
        keys = torch.cat([problems.symbols[:, :fixed], problems.keys], 1)
        served = self.dropout(torch.cat([goals, contexts], -1))
        pairs = torch.cat(
            [
                served[:, :, None].expand(-1, -1, keys.shape[1], -1),
                self.dropout(keys)[:, None].expand(-1, goals.shape[1], -1, -1),
            ],
            -1,
        )
        logits = self.score(torch.tanh(self.compared(pairs)))[..., 0]
        return logits.float().masked_fill(problems.absent[:, None], -torch.inf)


class _Gated(nn.Module):
    """A layer whose outputs a second one lets through or not."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.values, self.gate = nn.Linear(inputs, outputs), nn.Linear(inputs, outputs)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.values(inputs)) * torch.sigmoid(self.gate(inputs))


@dataclass(frozen=True)
class _Tree:
    """Where in prefix order the relations of each place stand, shape (problems, places); -1 where there is none.

    Attributes:
        above: the operator that the place is an operand of.
        sibling: of a right operand, where its left one begins; -1 for a left operand.
        right: of an operator, where its right operand begins.
    """

    above: torch.Tensor
    sibling: torch.Tensor
    right: torch.Tensor


def tree_of(equations: torch.Tensor) -> _Tree:
    """Return the relations of the places of equations, which may be cut off or padded behind their end.

    Args:
        equations: numbers of symbols, shape (problems, places).

    >>> tree_of(torch.tensor([[0, 1, 5, 6, 7]])).above.tolist()  # + - a b c
    [[-1, 0, 1, 1, 0]]
    """
    rows = [_relations(row) for row in equations.tolist()]
    return _Tree(*(torch.tensor(column, device=equations.device) for column in zip(*rows, strict=True)))


def _relations(symbols: list[int]) -> tuple[list[int], list[int], list[int]]:
    """Return ``_Tree.above``, ``_Tree.sibling`` and ``_Tree.right`` of one equation."""
    above, sibling, right = ([-1] * len(symbols) for _ in range(3))
    waiting: list[tuple[int, bool]] = []  # operators with an operand to come, and whether it is the right one
    for place, symbol in enumerate(symbols):
        if waiting:
            operator, is_right = waiting.pop()
            above[place] = operator
            if is_right:
                sibling[place], right[operator] = operator + 1, place
            else:
                waiting.append((operator, True))
        elif place:
            break  # the equation is at its end
        if symbol < len(OPERATORS):
            waiting.append((place, False))
    return above, sibling, right


def _at(values: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return of each problem the values at a place, shape (problems, hidden); those of place 0 where it is -1."""
    index = places.clamp(min=0)[:, None, None].expand(-1, 1, values.shape[-1])
    return values.gather(1, index)[:, 0]
