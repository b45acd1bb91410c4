"""SparseGPT: pruning by second-order reconstruction of each layer's outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn

from ..errors import InputError, check_number, check_whole
from .allocation import pruned_count
from .calibrated import Amount, PruneMatrix, amount, for_request, keep_within_rows, layer_by_layer
from .method import Calibration, Pruned, PrunedMatrices, Request
from .n_m import largest

#: From the saliencies of some columns, shape (outputs, chosen now), and the first one's number, which weights stay.
Choice = Callable[[torch.Tensor, int], torch.Tensor]
_DAMPING, _BLOCK_SIZE = 0.01, 128


def sparsegpt(
    model: nn.Module,
    calibration: Calibration,
    sparsity: float | None = None,
    pattern: str | tuple[int, int] | None = None,
    damping: float = _DAMPING,
    block_size: int = _BLOCK_SIZE,
    batch_size: int = 8,
    dtype: torch.dtype = torch.float32,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
) -> Pruned:
    """Remove the weights that cost a layer's outputs least, and let those to their right make up for each.

    Args:
        model: any with transformer blocks; left alone.
        calibration: token numbers of shape (sequences, length), see ``calibration_windows``; or the model's inputs by
            name, as ``{"pixel_values": ...}``. Every position counts, so there must be no padding.
        sparsity: fraction in [0, 1): exactly ⌊sparsity · n⌋ of a matrix's n weights go, spread evenly over blocks of
            columns and freely within them.
        pattern: instead, ``"2:4"`` or ``(2, 4)``: 2 of every 4 consecutive inputs of an output stay.
        damping: what is added to the Hessian's diagonal, as a fraction of its mean.
        block_size: columns whose weights compete with one another, and after which the updates of the columns to their
            right, gathered till then, are made.
        batch_size: sequences that go through a transformer block at once.
        dtype: precision of the Hessians and of all that is computed from them.
        include: patterns of the parameters to prune, as for ``prunable_matrices``.
        exclude: patterns of the parameters to leave dense.

    Returns:
        the mask and the updated weights, on the model's device.

    Raises:
        InputError: a number is out of its range, not exactly one of sparsity and pattern is given, a Hessian cannot be
            inverted; or the model or the calibration cannot be used (see ``layer_by_layer``).

    Source:
        Frantar and Alistarh 2023, "SparseGPT: Massive Language Models Can Be Accurately Pruned in One-Shot",
        arXiv 2301.00774, Algorithm 1.

    >>> from transformers import OPTConfig, OPTModel
    >>> shape = dict(hidden_size=32, word_embed_proj_dim=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=2)
    >>> model = OPTModel(OPTConfig(vocab_size=50, max_position_embeddings=16, **shape))
    >>> pruned = sparsegpt(model, torch.randint(50, (4, 16)), sparsity=0.3)
    >>> {name: int((~kept).sum()) for name, kept in pruned.mask.keep.items() if "layers.1.fc" in name}
    {'decoder.layers.1.fc1.weight': 614, 'decoder.layers.1.fc2.weight': 614}
    >>> pruned.apply(model)
    >>> pruned.mask.drift(model)
    0
    """
    checked = amount(sparsity, pattern)
    block_size = check_whole("block_size", block_size)
    damping = check_number("damping", damping, lambda d: d >= 0, "a number from 0, such as 0.01")
    method = _method(checked, damping, block_size)
    matrices = layer_by_layer(model, calibration, _products, method, batch_size, dtype, include, exclude)
    return Pruned.collect(matrices)


def prune(model: nn.Module, request: Request) -> PrunedMatrices:
    """Remove what ``sparsegpt`` removes, with its other arguments as they are by default.

    Arguments and errors as of ``registry.pruned_matrices``.
    """
    assert request.calibration is not None
    factor = _LastFactor(_DAMPING)
    method = for_request(model, request, lambda amount: _method(amount, factor=factor))
    chosen = {"include": request.include, "exclude": request.exclude}
    return layer_by_layer(model, request.calibration, _products, method, **chosen)  # type: ignore[arg-type]


class _LastFactor:
    """The inverse factor of the last Hessian: queries, keys and values have one Hessian, which is factored once."""

    def __init__(self, damping: float) -> None:
        self.damping = damping
        self._last: list[tuple[torch.Tensor, torch.Tensor]] = []

    def of(self, hessian: torch.Tensor) -> torch.Tensor:
        """Return the factor of a Hessian, as ``inverse_factor`` makes it."""
        if not self._last or self._last[0][0] is not hessian:
            self._last.clear()  # before the next factor takes its memory
            self._last.append((hessian, inverse_factor(hessian, self.damping)))
        return self._last[0][1]


def _method(
    amount: Amount, damping: float = _DAMPING, block_size: int = _BLOCK_SIZE, factor: _LastFactor | None = None
) -> PruneMatrix:
    """Return what SparseGPT does with a matrix and the Hessian of its inputs; methods may share the last factor."""
    choice, step = _choice(amount, block_size)
    last = _LastFactor(damping) if factor is None else factor

    def method(weight: torch.Tensor, hessian: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return reconstructed(weight, hessian, choice, step, damping, block_size, last.of(hessian))

    return method


def reconstructed(
    weight: torch.Tensor,
    hessian: torch.Tensor,
    choice: Choice,
    step: int,
    damping: float,
    block_size: int,
    factor: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Prune one matrix, column by column from the left: return what stays, and the values of the weights that stay.

    With F_j the inverse of the Hessian of inputs j and later, the weight w of input j has the saliency w² / [F_j]₀₀.
    If it goes, the row's weights from j on change by −w / [F_j]₀₀ · (F_j's first row), which minimises the error in
    the outputs with all earlier weights fixed. All F_j together are in one upper triangular U with H⁻¹ = UᵀU: the first
    row of F_j is U_jj times the j-th row of U, from the diagonal on, and [F_j]₀₀ = U_jj².

    Args:
        weight: shape (outputs, inputs).
        hessian: the sum over tokens of x xᵀ, shape (inputs, inputs).
        choice: which of the next ``step`` columns' weights stay, by their saliencies.
        step: after how many columns to choose anew.
        damping: fraction of the mean diagonal to add to the diagonal.
        block_size: after at least so many columns, a multiple of ``step``, those to the right are updated. The result
            does not depend on it.
        factor: ``inverse_factor(hessian, damping)``, if that is known already.

    Returns:
        boolean, and values with zeros elsewhere, both of the weight's shape.

    Raises:
        InputError: the damped Hessian is not positive definite.

    >>> keep_left = lambda saliencies, first: torch.tensor([[True, False]])
    >>> hessian = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> kept, values = reconstructed(torch.tensor([[3.0, 2.0]]), hessian, keep_left, step=2, damping=0.0, block_size=2)
    >>> values
    tensor([[3., 0.]])
    """
    columns = weight.shape[1]
    dead = hessian.diagonal() == 0  # inputs that are always zero: their weights go first, and survivors keep values
    factor = inverse_factor(hessian, damping) if factor is None else factor
    left = weight.masked_fill(dead, 0).t().contiguous()  # column by column, since columns are worked on
    keep = torch.ones_like(left, dtype=torch.bool)
    width = -(-block_size // step) * step
    for start in range(0, columns, width):
        end = min(start + width, columns)
        block, inner = left[start:end], factor[start:end, start:end]
        errors = torch.zeros_like(block)
        for j in range(end - start):
            if j % step == 0:
                saliencies = (block[j : j + step] / inner.diagonal()[j : j + step, None]).square()
                keep[start + j : start + j + step] = choice(saliencies.t(), start + j).t()
            errors[j] = block[j].masked_fill(keep[start + j], 0) / inner[j, j]
            block[j:].addr_(inner[j, j:], errors[j], alpha=-1)
        left[end:].addmm_(factor[start:end, end:].t(), errors, alpha=-1)
    kept = keep.t()
    return kept, torch.where(dead, weight, left.t()) * kept


def inverse_factor(hessian: torch.Tensor, damping: float) -> torch.Tensor:
    """Return the upper triangular U with UᵀU the inverse of the damped Hessian.

    H read backwards is L Lᵀ by Cholesky, so H is V Vᵀ with V upper triangular, and U is V's inverse: one inverse of a
    triangle in place of the whole inverse and its second decomposition in the authors' code.

    Args:
        hessian: the sum over tokens of x xᵀ, shape (inputs, inputs); inputs that are always zero count as one another's
            equals, independent of all others.
        damping: fraction of the mean diagonal to add to the diagonal.

    Raises:
        InputError: the damped Hessian is not positive definite.

    >>> inverse_factor(torch.tensor([[4.0, 0.0], [0.0, 1.0]]), damping=0.0)
    tensor([[0.5000, 0.0000],
            [0.0000, 1.0000]])
    """
    dead = hessian.diagonal() == 0
    damped = hessian.flip(0, 1)
    damped.diagonal().add_((dead + damping * hessian.diagonal().mean()).flip(0))
    factors = torch.linalg.cholesky_ex(damped)
    if factors.info:
        raise InputError(
            f"a Hessian of {len(hessian)} inputs is not positive definite with damping {damping!r}: raise the damping, "
            "or calibrate on more tokens"
        )
    del damped  # one of the largest tensors here
    _invert_lower(factors.L)
    return factors.L.flip(0, 1)


def _invert_lower(lower: torch.Tensor, base: int = 256) -> None:
    """Invert a lower triangular matrix in place, by halves: a third of the work of a solve for the identity."""
    size = len(lower)
    if size <= base:
        identity = torch.eye(size, dtype=lower.dtype, device=lower.device)
        lower.copy_(torch.linalg.solve_triangular(lower, identity, upper=False))
        return
    half = size // 2
    first, last, between = lower[:half, :half], lower[half:, half:], lower[half:, :half]
    _invert_lower(first, base)
    _invert_lower(last, base)
    between.copy_(last @ (between @ first).neg_())


def _choice(amount: Amount, block_size: int) -> tuple[Choice, int]:
    """Return the rule by which weights are chosen, and after how many columns it chooses anew."""
    if isinstance(amount, tuple):
        return lambda saliencies, _first: keep_within_rows(saliencies, amount), amount[1]

    def among_all(saliencies: torch.Tensor, first: int) -> torch.Tensor:
        rows, columns = saliencies.shape
        # Differences of running totals, so that they add up to the matrix's count exactly.
        removed = pruned_count(amount, rows * (first + columns)) - pruned_count(amount, rows * first)
        return largest(saliencies.reshape(1, -1), saliencies.numel() - removed, saliencies.numel()).view(rows, columns)

    return among_all, block_size


def _products(inputs: torch.Tensor) -> torch.Tensor:
    """Return the sum over tokens of x xᵀ: shape (tokens, inputs) to (inputs, inputs)."""
    return inputs.t() @ inputs
