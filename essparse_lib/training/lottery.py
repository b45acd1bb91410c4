"""The lottery: iterative magnitude pruning (IMP) with rewinding, the paper's LTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn

from ..errors import DECIMALS, InputError, check_rate, suggestion
from ..files import writing
from ..paths import check_path
from ..pruning.allocation import pruned_count
from ..pruning.magnitude import global_magnitude
from ..pruning.mask_io import load_mask, save_mask
from ..pruning.masks import Mask
from ..pruning.prunable import prunable_weights
from ..sources.foreign import decode, read_bytes
from ..specs.trial import lottery_rounds

#: Trains a model in place with a mask held, or without one.
Train = Callable[[nn.Module, Mask | None], object]


def lottery(
    model: nn.Module,
    train: Train,
    sparsity: float,
    rate: float = 0.1,
    folder: Path | None = None,
    start: Mapping[str, torch.Tensor] | None = None,
) -> Mask:
    """Find the lottery's mask by training and pruning in turns, and return it; the model is left as it was.

    Each round begins at the start's values (heads included) with the mask so far, trains, and removes the smallest
    of the trained weights, so that a further ``rate`` of the original weights is gone.

    Args:
        model: the pre-trained model with its head.
        train: trains it in place with a mask held (None in the first round); the same in every round.
        sparsity: fraction of the prunable weights that the mask removes, in [0, 1).
        rate: fraction of the original weights removed each round, from 0.001 to below 1; the last round removes what
            is left to remove.
        folder: where every round's mask is kept; a search that was cut short, or a deeper one, goes on from there.
        start: the values to rewind to, by parameter name, such as of another checkpoint; None: the model's own.

    Raises:
        InputError: the sparsity or the rate is not allowed, the start is of another model, or the folder holds masks of
            another model or of another rate. Nothing has been trained by then.

    Source: Frankle and Carbin 2019, arXiv 1803.03635; Chen et al. 2020 (BERT-Tickets), arXiv 2007.12223.

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
    ...                              intermediate_size=16))
    >>> lottery(model, lambda model, mask: None, 0.25).pruned  # without training it is one-shot magnitude
    128
    """
    rounds = lottery_rounds(sparsity, rate)
    before = _clone(model.state_dict())  # cloned: training changes the tensors themselves
    begin = before if start is None else {**before, **_clone(_checked_start(start, before))}
    folder = None if folder is None else _folder_of_rate(check_path("folder", folder), check_rate(rate))
    try:
        model.load_state_dict(begin)
        original = {name: weight.clone().cpu() for name, weight in prunable_weights(model).items()}
        mask, levels = _last_kept(rounds, original, folder)
        for level in levels:
            model.load_state_dict(begin)
            train(model, mask)
            mask = global_magnitude(prunable_weights(model), level)  # what is zero already is smallest, and goes first
            if folder is not None:
                save_mask(mask, original, _path(folder, level))
        return mask if mask is not None else global_magnitude(original, 0.0)
    finally:
        model.load_state_dict(before)


def _last_kept(
    levels: list[float], original: Mapping[str, torch.Tensor], folder: Path | None
) -> tuple[Mask | None, list[float]]:
    """Return the mask of the last round that the folder keeps, None if it keeps none, and the levels still to do."""
    if folder is not None:
        for number in reversed(range(len(levels))):
            path = _path(folder, levels[number])
            if path.exists():
                return _kept_mask(path, original, levels[number]), levels[number + 1 :]
    return None, levels


def _kept_mask(path: Path, original: Mapping[str, torch.Tensor], level: float) -> Mask:
    """Return the mask of a round that a folder keeps, once it is clear that it is that round's."""
    mask = load_mask(path, original)
    expected = pruned_count(level, sum(weight.numel() for weight in original.values()))
    if mask.keep.keys() != original.keys() or mask.pruned != expected:
        raise InputError(
            f"{path} is not the mask of this round, which removes {expected:,} of the weights of "
            f"{len(original)} matrices: remove the file, and the round is done again"
        )
    return mask


def keep_round(trained: nn.Module, original: Mapping[str, torch.Tensor], level: float, folder: Path) -> None:
    """Keep the mask of a round whose training has been done already, so that a deeper search does not do it again.

    Args:
        trained: the model after training from ``original`` with the mask of the round before held.
        original: the prunable weights that training began with.
        level: the sparsity of the mask to keep.
        folder: as for ``lottery``.
    """
    path = _path(folder, level)
    if not path.exists():
        save_mask(global_magnitude(prunable_weights(trained), level), original, path)


def _checked_start(start: Mapping[str, torch.Tensor], before: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
    """Return the values to rewind to, once it is clear that the model has these tensors, in these shapes."""
    for name, value in start.items():
        if name not in before:
            raise InputError(f"the start is of another model, which has {name}{suggestion(name, before)}")
        if value.shape != before[name].shape:
            shapes = f"{tuple(value.shape)} there, {tuple(before[name].shape)} here"
            raise InputError(f"the start is of another model: {name} has shape {shapes}")
    return start


def _folder_of_rate(folder: Path, rate: float) -> Path:
    """Return the folder that keeps a search's masks, once it is clear that they are of one rate; the folder says it."""
    note = folder / "rate"
    if not note.exists():
        with writing(note) as file:
            file.write(str(rate).encode())
    kept = decode(read_bytes(note, 100), note).strip()
    if kept != str(rate):
        raise InputError(f"{folder} holds the masks of a search of rate {kept}, not {rate}: name another folder")
    return folder


def _path(folder: Path, level: float) -> Path:
    """Return where the mask of a round is kept."""
    return folder / f"{level:.{6 if level == round(level, 6) else DECIMALS}f}.safetensors"


def _clone(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return copies of tensors on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}
