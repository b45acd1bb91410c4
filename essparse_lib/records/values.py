"""The schemas of what is measured: the values of a measurement of each kind."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from ..errors import InputError
from ..specs.measurement import Measurement, MeasurementKind
from ..specs.spec import schema_error
from .documents import read_document

# Numbers of weights, of examples and of steps. Larger ones would lose their last digits as floating-point numbers.
Count = Annotated[int, Meta(ge=0, le=2**53)]
Size = Annotated[int, Meta(ge=1, le=2**53)]
Block = Annotated[int, Meta(ge=0, le=2**20)]
# Losses and norms, and whatever else is measured: far below what squares or sums of them could not hold.
Above = Annotated[float, Meta(gt=0, le=1e30)]
Positive = Annotated[float, Meta(ge=0, le=1e30)]
Number = Annotated[float, Meta(ge=-1e30, le=1e30)]
Share = Annotated[float, Meta(ge=0, le=1)]
Points = Annotated[float, Meta(ge=0, le=100)]
Place = tuple[Block, str, Size]
Places = Annotated[list[Place], Meta(min_length=1)]
Levels = Annotated[list[Annotated[float, Meta(ge=0, lt=1)]], Meta(min_length=1)]


def check_lengths(wanted: int, **lists: Sequence[Any]) -> None:
    """Check that lists, by their names, have as many entries as are wanted."""
    for name, entries in lists.items():
        if len(entries) != wanted:
            raise ValueError(f"{name} has {len(entries)} entries, not {wanted}")


def check_rising(name: str, numbers: Sequence[float], first: float | None = None) -> None:
    """Check that numbers rise strictly, from the first one if it is given."""
    if any(one >= other for one, other in pairwise(numbers)):
        raise ValueError(f"{name} do not rise")
    if first is not None and numbers[0] != first:
        raise ValueError(f"{name} do not begin at {first:g}")


def check_zeros(places: Sequence[Place], zeros: Mapping[str, Any], snapshots: int | None = None) -> None:
    """Check that each reading counts every place, and no more zeros than it has weights, at each snapshot if any."""
    sizes = np.array([size for _, _, size in places])
    shape = (len(places),) if snapshots is None else (snapshots, len(places))
    for reading, counts in zeros.items():
        check_shape(f"zeros {reading[:40]!r}", counts, *shape)
        if (np.array(counts, dtype=np.int64).reshape(shape) > sizes).any():
            raise ValueError(f"zeros {reading[:40]!r} are more than there are weights")


def check_shape(name: str, entries: Sequence[Any], length: int, width: int | None = None) -> None:
    """Check the length of a list and, if a width is given, of each list in it."""
    check_lengths(length, **{name: entries})
    for row in entries if width is not None else ():
        if len(row) != width:
            raise ValueError(f"{name} has a row of {len(row)} entries, not {width}")


class _PrunedShare(msgspec.Struct):
    """Where pruned weights lie: ``pruned-share``."""

    matrices: Annotated[list[_PrunedMatrix], Meta(min_length=1)]

    def __post_init__(self) -> None:
        if not any(matrix.pruned for matrix in self.matrices):
            raise ValueError("nothing is pruned")


class _PrunedMatrix(msgspec.Struct):
    """One matrix of ``PrunedShare``; the map has the percentage that goes in each cell, row by row."""

    name: str
    depth: Block
    component: str
    size: Size
    pruned: Count
    map: Annotated[list[Annotated[list[Points], Meta(min_length=1)]], Meta(min_length=1)]

    def __post_init__(self) -> None:
        if self.pruned > self.size:
            raise ValueError(f"{self.pruned} of {self.size} weights are pruned")
        for row in self.map:
            check_lengths(len(self.map[0]), map=row)


class _PruningOrder(msgspec.Struct):
    """At which sparsity each weight goes: ``pruning-order``."""

    matrices: Annotated[list[_OrderedMatrix], Meta(min_length=1)]


class _OrderedMatrix(msgspec.Struct):
    """One matrix of ``PruningOrder``: a byte for each weight of a corner, in base 64; the percentage gone at each."""

    component: str
    depth: Block
    rows: Size
    columns: Size
    levels: str
    gone: list[Points]

    def __post_init__(self) -> None:
        try:
            levels = base64.b64decode(self.levels, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError("levels are no base 64") from error
        check_lengths(self.rows * self.columns, levels=levels)
        check_lengths(100, gone=self.gone)
        if max(levels) > 99:
            raise ValueError("levels are above 99")


class _MaskSimilarity(msgspec.Struct):
    """How alike masks are: ``mask-similarity``; tables have a row and a column for each mask."""

    names: Annotated[list[str], Meta(min_length=2)]
    cosine: list[list[Share]]
    jaccard_removed: list[list[Share]]
    independent: _Independent

    def __post_init__(self) -> None:
        for name in ("cosine", "jaccard_removed"):
            table = getattr(self, name)
            for rows in (table, *table):
                check_lengths(len(self.names), **{name: rows})


class _Independent(msgspec.Struct):
    """How alike masks would be that have nothing to do with each other."""

    cosine: Share
    jaccard_removed: Share


class _Zeros(msgspec.Struct):
    """What is zero by each reading, and how large the weights are: ``zeros``."""

    places: Places
    zeros: dict[str, list[Count]]
    norms: list[Positive]
    effective: Share

    def __post_init__(self) -> None:
        check_zeros(self.places, self.zeros)
        check_lengths(len(self.places), norms=self.norms)


class _Quantiles(msgspec.Struct, kw_only=True):
    """The quantiles of the weights of a matrix, a layer or a model."""

    size: Size
    quantiles: list[Number]

    def __post_init__(self) -> None:
        if sorted(self.quantiles) != self.quantiles:
            raise ValueError("quantiles fall")


class _Layer(_Quantiles, kw_only=True):
    """The quantiles of the weights of a layer or of the model, and the scalers that are fitted to them."""

    scalers: dict[str, tuple[Number, Above]]


class _Distribution(msgspec.Struct):
    """How the weights are distributed: ``distribution``."""

    probabilities: Annotated[list[Share], Meta(min_length=1)]
    matrices: Annotated[list[_Quantiles], Meta(min_length=1)]
    layers: Annotated[list[_Layer], Meta(min_length=1)]
    model: _Layer
    thresholds: list[Positive]
    zeros: dict[str, dict[str, list[Count]]]

    def __post_init__(self) -> None:
        check_rising("probabilities", self.probabilities)
        for part in (*self.matrices, *self.layers, self.model):
            check_lengths(len(self.probabilities), quantiles=part.quantiles)
        for scaler, by_scope in self.zeros.items():
            if not all(scaler in part.scalers for part in (*self.layers, self.model)):
                raise ValueError(f"scaler {scaler[:40]!r} is not fitted to every layer and to the model")
            if by_scope.keys() != {"layer", "model"}:
                raise ValueError("zeros are not of each layer and of the model")
            for counts in by_scope.values():
                check_lengths(len(self.thresholds), zeros=counts)
                if any(count > self.model.size for count in counts):
                    raise ValueError("zeros are more than there are weights")


class _HeldOutLoss(msgspec.Struct):
    """The loss at each sparsity: ``held-out-loss``."""

    step: Count
    sparsities: Levels
    losses: list[Above]
    data: str = ""

    def __post_init__(self) -> None:
        check_rising("sparsities", self.sparsities, first=0)
        check_lengths(len(self.sparsities), losses=self.losses)


class _LossesBeside(msgspec.Struct):
    """The losses of a pruned model at some steps of its pre-training, as they lie beside its weights."""

    weights: str
    sparsities: Levels
    at: list[Count]
    losses: list[list[Above]]

    def __post_init__(self) -> None:
        check_rising("sparsities", self.sparsities, first=0)
        check_rising("steps", self.at)
        check_shape("losses", self.losses, len(self.at), len(self.sparsities))


class _FeatureAccuracy(msgspec.Struct):
    """How well the classes follow from the features, at each sparsity: ``feature-accuracy``."""

    sparsities: Levels
    knn: list[Points]
    linear_probe: list[Points]
    images: tuple[Size, Size]
    majority: Points
    data: str = ""

    def __post_init__(self) -> None:
        check_rising("sparsities", self.sparsities, first=0)
        check_lengths(len(self.sparsities), knn=self.knn, linear_probe=self.linear_probe)


_KINDS: dict[MeasurementKind, type[msgspec.Struct]] = {
    MeasurementKind.PRUNED_SHARE: _PrunedShare,
    MeasurementKind.MASK_SIMILARITY: _MaskSimilarity,
    MeasurementKind.ZEROS: _Zeros,
    MeasurementKind.DISTRIBUTION: _Distribution,
    MeasurementKind.PRUNING_ORDER: _PruningOrder,
    MeasurementKind.HELD_OUT_LOSS: _HeldOutLoss,
    MeasurementKind.FEATURE_ACCURACY: _FeatureAccuracy,
}


def check_measured(spec: Measurement, values: Mapping[str, Any]) -> None:
    """Check the values of a measurement by the schema of its kind.

    Raises:
        ValueError: they do not fit it, or belong to another measurement.
    """
    measured = converted(values, _KINDS[spec.kind])
    if isinstance(measured, _MaskSimilarity):
        check_lengths(len(spec.trials) + 1, names=measured.names)
    if isinstance(measured, _HeldOutLoss) and spec.step not in (None, measured.step):
        raise ValueError(f"it is of step {measured.step}, its measurement of step {spec.step}")


def read_losses_beside(path: Path, weights: str) -> dict[str, Any]:
    """Return the losses of a pruned model at some steps of its pre-training, from the file beside its weights.

    Args:
        path: the file.
        weights: what the model's weights are known by; the losses must be of these.

    Raises:
        InputError: the file cannot be read, is damaged, or belongs to other weights.
    """
    losses = read_document(path, _LossesBeside, "remove it")
    if losses.weights != weights:
        raise InputError(f"{path} cannot be used (it was measured with other weights): remove it")
    return {"sparsities": losses.sparsities, "at": losses.at, "losses": losses.losses}


def converted(values: Mapping[str, Any], kind: type[Any]) -> Any:
    """Return a record's values as the schema has them.

    Raises:
        ValueError: they do not fit it.
    """
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"its values: {schema_error(error)}") from error
