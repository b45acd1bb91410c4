"""What the table of architectures knows of a family: how a tiny model of it is made, and what its blocks hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

#: Sequences in a batch.
SEQUENCES = 4
#: Tokens, or what takes their place, in a sequence.
LENGTH = 16
#: Number of tokens that the tiny models know.
VOCABULARY = 64


class NotInThisVersion(Exception):
    """The installed version of a library has no such architecture."""


@dataclass(frozen=True)
class Tokens:
    """An input of token numbers.

    Attributes:
        length: number of tokens in a sequence.
        low: the smallest token number; special tokens are below it.
        high: the token numbers are smaller than this.
        first: how many tokens at the beginning are ``high`` itself, which keeps a place for something else.
    """

    length: int = LENGTH
    low: int = 5
    high: int = VOCABULARY
    first: int = 0

    def draw(self) -> torch.Tensor:
        tokens = torch.randint(self.low, self.high, (SEQUENCES, self.length))
        tokens[:, : self.first] = self.high
        return tokens


@dataclass(frozen=True)
class Numbers:
    """An input of real numbers: pixels, sound, or hidden states. ``shape`` is that of one sequence."""

    shape: tuple[int, ...]

    def draw(self) -> torch.Tensor:
        return torch.randn(SEQUENCES, *self.shape)


@dataclass(frozen=True)
class Fixed:
    """An input that is the same number everywhere. ``shape`` is that of one sequence."""

    shape: tuple[int, ...]
    value: int = 1

    def draw(self) -> torch.Tensor:
        return torch.full((SEQUENCES, *self.shape), self.value)


Input = Tokens | Numbers | Fixed


@dataclass(frozen=True)
class Layout:
    """How a parameter holds its matrix or matrices.

    Attributes:
        inputs: the dimensions along which the inputs of one output lie.
        view: the shape that the parameter is read in, where it is stored in another.
    """

    inputs: tuple[int, ...]
    view: tuple[int, ...] | None = None

    def rows(self, weight: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the parameter's shape with one row for each output, its inputs along the row."""
        if self.view is not None:
            weight = weight.reshape(self.view)
        inputs = [dimension % weight.ndim for dimension in self.inputs]
        outputs = [dimension for dimension in range(weight.ndim) if dimension not in inputs]
        size = 1
        for dimension in inputs:
            size *= weight.shape[dimension]
        return weight.permute(*outputs, *inputs).reshape(-1, size)


#: As in ``nn.Linear``, and in experts that are stored alike.
INPUTS_LAST = Layout((-1,))
#: As in the ``Conv1D`` of GPT-2, and in experts that are stored alike: (experts, inputs, outputs).
OUTPUTS_LAST = Layout((-2,))

ROUTER = {r"\.(router|gate|shared_expert_gate)(\.classifier|\.layer)?\.weight$": "the router of the experts"}
STATE = {r"\.A_log$": "the decay of the state"}


@dataclass(frozen=True, kw_only=True)
class Family:
    """An architecture, and what its publication says of its blocks; nothing here is found by the library's own code.

    Attributes:
        name: name in the table.
        model: class of the model.
        blocks: names of the modules whose children are the transformer blocks; a star is any part of a name.
        config: arguments to the class of its configuration that make the model tiny.
        make: makes a model that is not of transformers; an ``ImportError`` means that its library has it not.
        library: which library the model is from.
        inputs: inputs by name.
        left_alone: by a regular expression over parameter names, why a parameter of two dimensions or more in a block
            is no matrix that is pruned. Kernels of convolutions over several positions and tables of embeddings are
            known by their module, vectors by their shape.
        either: by a regular expression over parameter names, why a matrix may be counted to the blocks or not.
        layouts: by a regular expression over parameter names, how matrices are stored that are not stored as in
            ``nn.Linear``.
    """

    name: str
    model: str
    blocks: tuple[str, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    make: Callable[[], nn.Module] | None = None
    library: str = "transformers"
    inputs: Mapping[str, Input] = field(default_factory=lambda: {"input_ids": Tokens()})
    left_alone: Mapping[str, str] = field(default_factory=dict)
    either: Mapping[str, str] = field(default_factory=dict)
    layouts: Mapping[str, Layout] = field(default_factory=dict)

    def build(self) -> nn.Module:
        """Return a tiny model with random weights, in eval mode; the same at every call.

        Raises:
            NotInThisVersion: the installed library has no such class.
        """
        torch.manual_seed(0)
        if self.make is not None:
            try:
                model = self.make()
            except ImportError as error:
                raise NotInThisVersion(f"{self.library} has no {self.model} here") from error
        else:
            import transformers

            cls = getattr(transformers, self.model, None)
            if cls is None:
                raise NotInThisVersion(f"transformers {transformers.__version__} has no {self.model}")
            model = cls(cls.config_class(**self.config))
        for parameter in model.parameters():
            if parameter.ndim >= 2 and not (torch.isfinite(parameter).all() and parameter.any()):
                nn.init.normal_(parameter, std=0.02)  # some begin as zeros, which say nothing of what is pruned
        return model.eval()

    def batch(self) -> dict[str, torch.Tensor]:
        """Return inputs by name; the same at every call."""
        torch.manual_seed(1)
        return {name: values.draw() for name, values in self.inputs.items()}
