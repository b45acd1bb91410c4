"""Gather statistics of what is multiplied by a model's matrices, wherever in its code the products are made.

A hook on a module sees the inputs of a linear layer, but not those of ``nn.MultiheadAttention``'s output projection, of
one expert in a tensor of many, or of XLNet's projections, which no module multiplies by. So the products themselves are
watched: whatever is multiplied by memory that belongs to a parameter is an input of its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ..errors import InputError
from .layouts import Part
from .survey import PrunableMatrix

#: From inputs of shape (tokens, inputs) a statistic that adds up over batches.
Moments = Callable[[torch.Tensor], torch.Tensor]

_aten = torch.ops.aten
#: Products of two tensors, and where these are among the arguments. All others are made of these.
_PRODUCTS = {
    _aten.mm: 0,
    _aten.bmm: 0,
    _aten.mv: 0,
    _aten.addmm: 1,
    _aten.addmv: 1,
    _aten.baddbmm: 1,
    _aten._addmm_activation: 1,
}
#: Operations that put elements of their first argument elsewhere in memory.
_COPIES = (_aten.clone, _aten._to_copy, _aten.index, _aten.index_select)


@dataclass
class _Watched:
    """A parameter whose products are watched.

    Attributes:
        entry: the parameter.
        totals: the statistics, by the first row that the inputs were multiplied by, and the number of rows.
        copy: the last copy of its elements that the model made, as an ``einsum`` does; None if it made none.
    """

    entry: PrunableMatrix
    totals: dict[tuple[int, int], torch.Tensor] = field(default_factory=dict)
    copy: _Copy | None = None

    def totals_of_matrices(self) -> Iterator[list[torch.Tensor]]:
        """Yield, for each matrix in the parameter, the statistics of the products that it took part in."""
        rows = self.entry.layout.rows(self.entry.weight.detach())
        for part in self.entry.layout.matrices(len(rows)):
            first, last = _ends(part)
            yield [total for (row, count), total in self.totals.items() if row <= first and last < row + count]


@dataclass(frozen=True)
class _Copy:
    """A copy of elements of a parameter.

    Attributes:
        tensor: the copy, which is kept so that its memory cannot become another tensor's.
        numbers: for each place in its memory, the number of the parameter's element that is there.
    """

    tensor: torch.Tensor
    numbers: torch.Tensor


class InputWatcher(TorchDispatchMode):
    """A context in which the inputs of some matrices are gathered, from every product that they take part in.

    Args:
        matrices: the matrices, by name; contiguous.
        moments: the statistic of their inputs; None to gather nothing.
        on_use: called with the name of a matrix before each product, for those who want to know the order.

    >>> layer = torch.nn.Linear(2, 2, bias=False)
    >>> entry = PrunableMatrix(name="weight", weight=layer.weight, depth=0, component="other")
    >>> with torch.no_grad(), InputWatcher({"weight": entry}, lambda inputs: inputs.square().sum(0)) as watcher:
    ...     for x in ([[1.0, 2.0]], [[3.0, 4.0]]):
    ...         _ = layer(torch.tensor(x))
    >>> watcher.statistics("weight")[0]
    tensor([10., 20.])
    """

    def __init__(
        self,
        matrices: Mapping[str, PrunableMatrix],
        moments: Moments | None,
        on_use: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__()
        self._moments, self._on_use = moments, on_use
        self._watched: dict[int, list[_Watched]] = {}
        self._by_name = {name: _Watched(entry) for name, entry in matrices.items()}
        for name, watched in self._by_name.items():
            weight = watched.entry.weight
            if not weight.is_contiguous():
                raise InputError(f"{name} is not contiguous in memory: call .contiguous() on it first")
            self._watched.setdefault(weight.untyped_storage().data_ptr(), []).append(watched)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        packet = func.overloadpacket
        if packet in _PRODUCTS:
            left, right = args[_PRODUCTS[packet] : _PRODUCTS[packet] + 2]
            self._look_at_product(left, right)
        elif packet is _aten.linear:
            self._look_at_product(args[0].reshape(-1, args[0].shape[-1]), args[1].t())
        elif packet is _aten.convolution:
            self._look_at_convolution(args[0], args[1], args[3])
        result = func(*args, **(kwargs or {}))
        if packet in _COPIES and (watched := self._owner(args[0])) is not None:
            numbers = _numbers(watched, args[0])
            if packet in (_aten.index, _aten.index_select):
                numbers = func(numbers, *args[1:])
            placed = torch.empty_strided(result.shape, result.stride(), dtype=torch.int64, device=result.device)
            self._remember(watched, result, placed.copy_(numbers))
        return result

    def statistics(self, name: str) -> list[torch.Tensor]:
        """Return the statistic of each matrix in a parameter; matrices with the same inputs share one tensor.

        An expert that no token was sent to has the statistic of inputs that are all alike and independent, by which
        methods prune by magnitude.

        Raises:
            InputError: no inputs reached a matrix that is no expert's, or they are NaN or infinite.
        """
        watched = self._by_name[name]
        rows = watched.entry.layout.rows(watched.entry.weight.detach())
        statistics = []
        for totals in watched.totals_of_matrices():
            if not totals and not _is_expert(watched.entry):
                raise InputError(
                    f"no inputs reached {name} in calibration, so it cannot be pruned by them: leave it out "
                    "(exclude), or prune by magnitude"
                )
            if not totals:
                assert self._moments is not None
                statistics.append(self._moments(torch.eye(rows.shape[1], dtype=rows.dtype, device=rows.device)))
                continue
            total = totals[0] if len(totals) == 1 else torch.stack(totals).sum(0)
            if not torch.isfinite(total).all():
                raise InputError(
                    f"inputs of {name} are NaN or infinite in calibration: run the model in a wider precision"
                )
            statistics.append(total)
        return statistics

    def without_inputs(self, name: str) -> int:
        """Return how many of the matrices in a parameter no input reached."""
        return sum(not totals for totals in self._by_name[name].totals_of_matrices())

    def _look_at_product(self, left: torch.Tensor, right: torch.Tensor) -> None:
        """Look at a product of two matrices, or of two stacks of matrices."""
        if self._owner(right) is not None:
            self._gather_stack(left, right)
        if self._owner(left) is not None:
            self._gather_stack(
                right.unsqueeze(-1).mT if right.dim() == 1 else right.mT, left.mT if left.dim() > 1 else left[:, None]
            )

    def _gather_stack(self, inputs: torch.Tensor, weight: torch.Tensor) -> None:
        """Gather inputs, shape ([stack,] tokens, inputs), of a weight, shape ([stack,] inputs, outputs)."""
        if weight.dim() == 1:
            weight = weight[:, None]
        if weight.dim() == 2:
            self._gather(inputs.reshape(-1, inputs.shape[-1]), weight)
        elif weight.stride(0) == 0 or len(weight) == 1:  # the same matrix for a whole stack of inputs
            self._gather(inputs.reshape(-1, inputs.shape[-1]), weight[0])
        else:
            for of_one, matrix in zip(inputs, weight, strict=True):
                self._gather(of_one, matrix)

    def _look_at_convolution(self, inputs: torch.Tensor, weight: torch.Tensor, stride: Sequence[int]) -> None:
        """Look at a convolution of one position, whose channels are inputs, in groups."""
        if self._owner(weight) is None:
            return
        if any(step != 1 for step in stride):
            steps = [slice(None, None, step) for step in stride]
            inputs = inputs[(slice(None), slice(None), *steps)]
        tokens = inputs.movedim(1, -1).reshape(-1, inputs.shape[1])
        width = weight.shape[1]
        height = weight.shape[0] // (tokens.shape[1] // width)
        for group in range(tokens.shape[1] // width):
            matrix = weight[group * height : (group + 1) * height].flatten(1).t()
            self._gather(tokens[:, group * width : (group + 1) * width], matrix)

    def _gather(self, inputs: torch.Tensor, weight: torch.Tensor) -> None:
        """Add the statistic of inputs (tokens, inputs) to what is known of the rows of a weight (inputs, outputs)."""
        watched = self._owner(weight)
        if watched is None or not len(inputs):
            return
        entry = watched.entry
        if self._on_use is not None:
            self._on_use(entry.name)
        if self._moments is None:
            return
        row, inputs = self._placed(watched, inputs, weight)
        if row is None:
            raise InputError(
                f"{entry.name} is multiplied in a way that is not known here, so it cannot be pruned by its inputs: "
                "leave it out (exclude), or prune by magnitude"
            )
        key = (row, weight.shape[1])
        statistic = self._moments(inputs)
        watched.totals[key] = watched.totals[key].add_(statistic) if key in watched.totals else statistic

    def _placed(self, watched: _Watched, inputs: torch.Tensor, weight: torch.Tensor) -> tuple[int | None, torch.Tensor]:
        """Return the first of a parameter's rows in a weight (inputs, outputs), and the inputs in the rows' order.

        The row is None if the weight is no run of whole rows.
        """
        entry = watched.entry
        if watched.copy is None or not _shares_memory(weight, watched.copy.tensor):
            return _first_row(entry, weight), inputs
        numbers = _numbers(watched, weight)
        places = torch.arange(entry.weight.numel(), device=weight.device).view(entry.weight.shape)
        of_rows = entry.layout.rows(places)
        width = of_rows.shape[1]
        place_of = torch.empty_like(places.flatten())
        place_of[of_rows.flatten()] = torch.arange(entry.weight.numel(), device=weight.device)
        rows, columns = place_of[numbers] // width, place_of[numbers] % width
        whole = weight.shape[0] == width and (rows == rows[:1]).all() and (columns == columns[:, :1]).all()
        first, count = int(rows.min()), weight.shape[1]
        if not whole or int(rows.max()) - first + 1 != count:
            return None, inputs
        return first, inputs[:, columns[:, 0].argsort()]

    def _remember(self, watched: _Watched, copy: torch.Tensor, numbers: torch.Tensor) -> None:
        """Watch the memory of a copy, in place of an earlier copy's."""
        if watched.copy is not None:
            earlier = watched.copy.tensor.untyped_storage().data_ptr()
            self._watched[earlier] = [other for other in self._watched[earlier] if other is not watched]
        watched.copy = _Copy(copy, numbers)
        self._watched.setdefault(copy.untyped_storage().data_ptr(), []).append(watched)

    def _owner(self, tensor: torch.Tensor) -> _Watched | None:
        """Return the watched parameter whose memory a tensor is, or a copy of it."""
        if not isinstance(tensor, torch.Tensor) or tensor.is_meta or not tensor.numel():
            return None
        for watched in self._watched.get(tensor.untyped_storage().data_ptr(), ()):
            weight = watched.entry.weight
            inside = 0 <= tensor.data_ptr() - weight.data_ptr() < weight.numel() * weight.element_size()
            if inside or (watched.copy is not None and _shares_memory(tensor, watched.copy.tensor)):
                return watched
        return None


def _numbers(watched: _Watched, tensor: torch.Tensor) -> torch.Tensor:
    """Return, for each element of a tensor that is a parameter's memory or a copy's, which of its elements it is."""
    entry, copy = watched.entry, watched.copy
    if copy is not None and _shares_memory(tensor, copy.tensor):
        return copy.numbers.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())
    offset = (tensor.data_ptr() - entry.weight.data_ptr()) // tensor.element_size()
    every = torch.arange(entry.weight.numel(), device=tensor.device)
    return every.as_strided(tensor.shape, tensor.stride(), offset)


def _shares_memory(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


def _first_row(entry: PrunableMatrix, weight: torch.Tensor) -> int | None:
    """Return the first of a parameter's rows that are in a weight (inputs, outputs); None if it is no run of rows."""
    inputs = entry.layout.rows(entry.weight.detach()).shape[1]
    steps = entry.layout.strides(entry.weight.shape)
    if steps is None or weight.shape[0] != inputs:
        return None
    weight_steps = (weight.stride(1) if weight.shape[1] > 1 else steps[0], weight.stride(0) if inputs > 1 else steps[1])
    if weight_steps != steps:
        return None
    offset = (weight.data_ptr() - entry.weight.data_ptr()) // weight.element_size()
    return entry.layout.first_row(offset, entry.weight.shape)


def _ends(part: Part) -> tuple[int, int]:
    """Return the first and the last row of a matrix in a parameter."""
    if isinstance(part.rows, slice):
        return part.rows.start, part.rows.stop - 1
    return int(part.rows.min()), int(part.rows.max())


def _is_expert(entry: PrunableMatrix) -> bool:
    return "expert" in entry.name.lower()
