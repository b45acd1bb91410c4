"""Recover from pruning: train a language model briefly on a text, with what was pruned held at zero."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from transformers.models.auto import modeling_auto

from ..errors import InputError
from ..models import loading
from ..models.calibration_data import MOST_TEXT
from ..pruning.calibration import checked_inputs, longest_input
from ..pruning.mask_io import mask_from_zeros
from ..pruning.masks import Mask
from ..pruning.prunable import check_finite
from ..pruning.survey import survey_blocks
from ..sources.foreign import read_text, reading
from .device import accelerator
from .held_out import held_out_loss
from .loop import Diverged, Schedule, train
from .recovery import Recovered, Recovery
from .text_objectives import causal_batch, masked_batch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: Windows in a batch, in training and in evaluation, and tokens in a window where the model takes so many.
_BATCH, _LENGTH = 8, 256
#: One window of so many is held out, at the end of the text, up to a number that is read in seconds.
_HELD_OUT_SHARE, _MOST_HELD_OUT = 10, 64
#: Share of the steps in which the learning rate rises, largest norm of the gradients, and share of tokens to mask.
_WARMUP, _CLIP, _MASKED = 0.1, 1.0, 0.15


class LanguageTraining:
    """The training of a language model on a text: it is prepared before pruning, so that the dense loss is known."""

    def __init__(self, model: PreTrainedModel, name: str, recovery: Recovery) -> None:
        """Cut the text into windows, hold some out, and measure the dense loss.

        Args:
            model: the dense model.
            name: its name here, its id on the hub, or its local folder: it has the tokenizer.
            recovery: how to train it.

        Raises:
            InputError: the model has no head that learns from text alone, or no tokenizer; the text is too short, or
                has tokens that the model does not know; or the model computes no finite loss of it.
        """
        self.recovery = recovery
        self.masked = learns_masked_tokens(model, name)
        self.tokenizer = loading.tokenizer_of(name)
        if self.masked and self.tokenizer.mask_token_id is None:
            raise InputError(
                f"model {name!r} predicts masked tokens, but its tokenizer has no mask: recover without it"
            )
        windows = _windows(model, self.tokenizer, recovery.text, name, self.masked)
        held_out = min(_MOST_HELD_OUT, len(windows) // _HELD_OUT_SHARE)
        self.windows = windows[: len(windows) - held_out]
        self.held_out = self._batch(windows[len(windows) - held_out :], torch.Generator().manual_seed(0))
        self.devices = accelerator()
        self.loss_dense = self.loss(model)
        if not self.loss_dense < float("inf"):
            raise InputError(
                f"model {name!r} has loss {self.loss_dense} on {recovery.text}: it cannot be trained on it"
            )

    def loss(self, model: PreTrainedModel) -> float:
        """Return the mean loss of the model on the held-out windows, in nats a token that is predicted."""
        with single_precision(model):
            model.to(self.devices.device)  # type: ignore[arg-type]
            loss = held_out_loss(model, self.held_out, self.devices, _BATCH)
            model.to("cpu")  # type: ignore[arg-type]
        return loss

    def recover(self, model: PreTrainedModel) -> Recovered:
        """Train the pruned model in place; what is zero in the matrices of its blocks stays zero.

        Args:
            model: the model, after it was pruned.

        Raises:
            InputError: the loss or a weight becomes NaN or infinite.
        """
        recovery = self.recovery
        loss_pruned = self.loss(model)
        schedule = Schedule(
            steps=recovery.steps,
            learning_rate=float(recovery.learning_rate),
            warmup=round(_WARMUP * recovery.steps),
            clip=_CLIP,
        )
        torch.manual_seed(recovery.seed)
        try:
            with single_precision(model):
                train(model, self._batches(), schedule, self.devices, zeros_of_blocks(model))
                model.to("cpu").eval()  # type: ignore[arg-type]
            check_finite(model)
        except (Diverged, InputError) as error:
            raise InputError(f"recovery failed ({error}): lower recover-rate {recovery.learning_rate:g}") from error
        return Recovered(
            objective="masked tokens" if self.masked else "next token",
            windows=len(self.windows),
            held_out=len(self.held_out["input_ids"]),
            length=self.windows.shape[1],
            loss_dense=self.loss_dense,
            loss_pruned=loss_pruned,
            loss_recovered=self.loss(model),
        )

    def _batches(self) -> Iterator[dict[str, torch.Tensor]]:
        """Yield one batch for each step: all windows in random order, then all in another one, and so on."""
        rng = np.random.default_rng([self.recovery.seed, 1])
        generator = torch.Generator().manual_seed(self.recovery.seed)
        size = min(_BATCH, len(self.windows))
        order: list[int] = []
        for _ in range(self.recovery.steps):
            if len(order) < size:
                order += rng.permutation(len(self.windows)).tolist()
            yield self._batch(self.windows[order[:size]], generator)
            del order[:size]

    def _batch(self, windows: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the batch in which some windows, shape (windows, length), are what is to be predicted."""
        if not self.masked:
            return causal_batch(windows, 0.0, self.tokenizer, generator)
        batch = masked_batch(windows, _MASKED, self.tokenizer, generator)
        labels = torch.full_like(windows, -100)  # transformers' sign for a token that is not predicted
        labels.scatter_(1, batch["positions"], batch["labels"])
        return {"input_ids": batch["input_ids"], "labels": labels}


def learns_masked_tokens(model: PreTrainedModel, name: str) -> bool:
    """Return whether a language model learns to predict masked tokens, and not each next token.

    Args:
        model: the model with its head.
        name: its name, for the message.

    Raises:
        InputError: it has no head that learns from text alone.
    """
    kind = type(model).__name__
    if not getattr(model.config, "is_encoder_decoder", False):
        if kind in _classes(modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES):
            return False
        if kind in _classes(modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES):
            return True
    raise InputError(
        f"model {name!r} ({kind}) has no head that learns from text alone: recover goes with models that predict the "
        "next token or masked ones; prune this one without it, and train it on its task with the mask held"
    )


def _classes(mapping: Any) -> set[str]:
    """Return the names of classes in a mapping of transformers, some of whose values are several."""
    names: set[str] = set()
    for value in mapping.values():
        names |= {value} if isinstance(value, str) else set(value)
    return names


def _windows(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, file: Path, name: str, masked: bool
) -> torch.Tensor:
    """Return a text cut into windows of tokens that do not overlap, in order; shape (windows, length), int64."""
    text = read_text(file, MOST_TEXT)
    with reading(f"the tokenizer of model {name!r}", f"it must be able to read {file}"):
        numbers = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    length = min(_LENGTH, longest_input(model) or _LENGTH)
    first, last = (tokenizer.cls_token_id, tokenizer.sep_token_id) if masked else (None, None)
    ends = [] if first is None or last is None else [first, last]
    inner = length - len(ends)
    count = len(numbers) // inner
    if count < _HELD_OUT_SHARE:
        raise InputError(
            f"{file} has {len(numbers):,} tokens, too few to recover on: give a text of {_HELD_OUT_SHARE * inner:,} "
            f"or more ({_HELD_OUT_SHARE} windows of {inner})"
        )
    windows = torch.tensor(numbers[: count * inner], dtype=torch.int64).view(count, inner)
    if ends:
        windows = torch.cat([torch.full((count, 1), ends[0]), windows, torch.full((count, 1), ends[1])], dim=1)
    return checked_inputs(model, windows)["input_ids"]


def zeros_of_blocks(model: nn.Module) -> Mask:
    """Return the mask that removes what is zero in the matrices of a model's blocks, whoever pruned it.

    Args:
        model: a model with transformer blocks.
    """
    return mask_from_zeros({name: entry.values for name, entry in survey_blocks(model).matrices.items()})


@contextmanager
def single_precision(model: nn.Module) -> Iterator[None]:
    """Let a model compute in float32; afterwards each of its tensors is in the precision that it had before.

    Args:
        model: any PyTorch model; changed in place.

    >>> import torch
    >>> layer = torch.nn.Linear(1, 1).half()
    >>> with single_precision(layer):
    ...     print(layer.weight.dtype)
    torch.float32
    >>> layer.weight.dtype
    torch.float16
    """
    precisions = {name: tensor.dtype for name, tensor in _tensors(model)}
    model.float()
    try:
        yield
    finally:
        for name, tensor in _tensors(model):
            tensor.data = tensor.data.to(precisions.get(name, tensor.dtype))


def _tensors(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the parameters and buffers of a model by name."""
    yield from model.named_parameters()
    yield from model.named_buffers()
