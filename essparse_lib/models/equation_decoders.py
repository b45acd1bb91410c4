"""Decoders that write the equation of an arithmetic word problem, symbol by symbol, from a text model's hidden states.

A decoder scores every symbol at every place of equations that are given (``forward``), as training needs it. Writing
one (``equation_model.write``) asks the same of what is written so far: equations are so short that this costs little
next to the model that reads the problem. Numbers of the problem are copied: a slot is scored by the hidden state of the
word that stands for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ..tasks.equations import SLOTS, SYMBOLS

#: The number of symbols that are the same in every problem: operators and constants.
FIXED = len(SYMBOLS) - len(SLOTS)


@dataclass(frozen=True)
class ReadProblems:
    """What a decoder knows of a batch of problems before it writes.

    Attributes:
        states: hidden states of the tokens in the decoder's width, shape (problems, tokens, hidden).
        attended: which tokens are no padding, bool, shape (problems, tokens).
        start: what the decoder begins with, shape (problems, hidden).
        symbols: of each symbol what it is as an input, shape (problems, symbols, hidden).
        keys: of each slot what it is scored by, shape (problems, slots, hidden).
        absent: which symbols are slots of numbers that a problem lacks, bool, shape (problems, symbols).
    """

    states: torch.Tensor
    attended: torch.Tensor
    start: torch.Tensor
    symbols: torch.Tensor
    keys: torch.Tensor
    absent: torch.Tensor

    def repeated(self, times: int) -> ReadProblems:
        """Return the same with each problem so many times in a row."""
        return ReadProblems(*(values.repeat_interleave(times, 0) for values in vars(self).values()))


class EquationDecoder(nn.Module):
    """What all decoders share: how the hidden states of a problem become what symbols are, and are attended to.

    Args:
        width: width of the text model's hidden states.
        hidden: width of the decoder.
        dropout: fraction of the decoder's values that training sets to zero.
    """

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.memory = nn.Linear(width, hidden)
        self.start = nn.Linear(width, hidden)
        self.number_input = nn.Linear(width, hidden)
        self.number_key = nn.Linear(width, hidden)
        self.fixed = nn.Embedding(FIXED, hidden)
        self.dropout = nn.Dropout(dropout)

    def read(self, hidden_states: torch.Tensor, attended: torch.Tensor, slots: torch.Tensor) -> ReadProblems:
        """Return what the decoder makes of a text model's hidden states.

        Args:
            hidden_states: of the tokens, shape (problems, tokens, width).
            attended: 1 for tokens, 0 for padding, shape (problems, tokens).
            slots: the token that each slot is read at, -1 for a number that the problem lacks, shape (problems, slots).
        """
        hidden_states = self.dropout(hidden_states)
        mask = attended.bool()
        weights = mask[..., None].to(hidden_states.dtype)
        mean = (hidden_states * weights).sum(1) / weights.sum(1)
        places = slots.clamp(min=0)[..., None].expand(-1, -1, hidden_states.shape[-1])
        numbers = hidden_states.gather(1, places)
        fixed = self.fixed.weight.expand(len(slots), -1, -1)
        number_inputs = self.number_input(numbers)
        never = torch.zeros(len(slots), FIXED, dtype=torch.bool, device=slots.device)
        return ReadProblems(
            states=self.memory(hidden_states),
            attended=mask,
            start=torch.tanh(self.start(mean)),
            symbols=torch.cat([fixed.to(number_inputs.dtype), number_inputs], 1),
            keys=self.number_key(numbers),
            absent=torch.cat([never, slots < 0], 1),
        )

    def forward(self, problems: ReadProblems, equations: torch.Tensor) -> torch.Tensor:
        """Return the logits of the symbol at each place of equations, given the symbols before it.

        Args:
            problems: what ``read`` gave.
            equations: numbers of symbols, shape (problems, places); what stands behind an equation's end, and at the
                last place, does not matter.

        Returns:
            Logits of shape (problems, places, symbols); −inf for slots of numbers that a problem lacks.
        """
        raise NotImplementedError


def attend(queries: torch.Tensor, problems: ReadProblems) -> torch.Tensor:
    """Return the mean of the tokens' states, weighted by how well each fits a query; shape of the queries.

    Args:
        queries: shape (problems, places, hidden).
        problems: the problems that are attended to.
    """
    scores = queries @ problems.states.transpose(1, 2) / queries.shape[-1] ** 0.5
    scores = scores.float().masked_fill(~problems.attended[:, None], -torch.inf)
    return scores.softmax(-1).to(queries.dtype) @ problems.states


def symbols_at(problems: ReadProblems, equations: torch.Tensor) -> torch.Tensor:
    """Return what the symbols of equations are as inputs, shape (problems, places, hidden)."""
    hidden = problems.symbols.shape[-1]
    return problems.symbols.gather(1, equations[..., None].expand(-1, -1, hidden))


class RecurrentDecoder(EquationDecoder):
    """A recurrent network (GRU) with attention, which copies numbers (Bahdanau et al. 2015; Vinyals et al. 2015).

    It reads the symbol before, and scores the next by its own state and by what it attends to. The attention is no
    input of the next step, so that all steps of a training batch are one call.

    Args:
        width: width of the text model's hidden states.
        hidden: width of the decoder.
        dropout: fraction of the decoder's values that training sets to zero.
    """

    def __init__(self, width: int, hidden: int = 256, dropout: float = 0.2) -> None:
        super().__init__(width, hidden, dropout)
        self.first = nn.Embedding(1, hidden)
        self.recurrent = nn.GRU(hidden, hidden, batch_first=True)
        self.combined = nn.Linear(2 * hidden, hidden)
        self.scores = nn.Linear(hidden, FIXED)

    def forward(self, problems: ReadProblems, equations: torch.Tensor) -> torch.Tensor:
        """Return the logits of the symbol at each place of equations, as ``EquationDecoder.forward`` says."""
        before = symbols_at(problems, equations[:, :-1])
        first = self.first.weight.expand(len(equations), 1, -1).to(before.dtype)
        states, _ = self.recurrent(self.dropout(torch.cat([first, before], 1)), problems.start[None].contiguous())
        combined = torch.tanh(self.combined(torch.cat([states, attend(states, problems)], -1)))
        combined = self.dropout(combined)
        logits = torch.cat([self.scores(combined), combined @ problems.keys.transpose(1, 2)], -1)
        return logits.float().masked_fill(problems.absent[:, None], -torch.inf)
