"""Hold a mask in a training by the ``Trainer`` of transformers."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager
from typing import Any

import torch
from accelerate.utils import gather
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..errors import InputError
from ..pruning.mask_io import weights_fingerprint
from ..pruning.masks import Mask


class MaskCallback(TrainerCallback):
    """Hold a mask while the ``Trainer`` of transformers trains a model.

    The removed weights are set to zero when the training begins, also when it goes on from a checkpoint, and again
    after every step of the optimizer, as by ``Mask.held``. At each checkpoint and at the end they are counted, after
    the best checkpoint was loaded if ``load_best_model_at_end`` says so. Works with gradient accumulation, mixed
    precision, DDP, FSDP2 and PEFT, with the base model's mask. To merge an adapter fills removed weights:
    ``merge_adapters`` sets them to zero again. ::

        mask = global_magnitude(prunable_weights(model), 0.5)
        trainer = Trainer(model, arguments, train_dataset=data, callbacks=[MaskCallback(mask)])
        trainer.train()  # or trainer.train(resume_from_checkpoint=True)

    The events raise InputError: what ``Mask.held`` refuses at the beginning, processes with different masks, and
    removed weights that are not zero in a checkpoint or at the end.

    Args:
        mask: which weights stay, by the parameters' names in the plain model; the same in every process.

    Raises:
        InputError: ``mask`` is no mask.

    Source: https://huggingface.co/docs/transformers/main_classes/callback
    """

    def __init__(self, mask: Mask) -> None:
        if not isinstance(mask, Mask):
            raise InputError(
                f"MaskCallback holds a mask, not a {type(mask).__name__}: pass a Mask, such as one from "
                "global_magnitude(prunable_weights(model), 0.5)"
            )
        self.mask = mask
        self._held: AbstractContextManager[None] | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Set the removed weights to zero, and hold them there through the steps of the optimizer.

        Args:
            args: the training's settings.
            state: how far the training is.
            control: what the ``Trainer`` is to do next; left alone.
            kwargs: the ``model`` and the ``optimizer``, as the ``Trainer`` has prepared them, and more.

        Raises:
            InputError: the mask does not fit the model or the optimizer, or differs between the processes.
        """
        self._let_go()
        if args.world_size > 1:
            self._check_same_in_all_processes(args.device)
        model = kwargs["model"]
        if state.global_step:
            self._warn_of_another_mask(model, state.global_step)
        held = self.mask.held(model, kwargs["optimizer"])
        held.__enter__()
        self._held = held

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Check that the removed weights are zero in the checkpoint that was just saved.

        Args:
            args: the training's settings.
            state: how far the training is.
            control: what the ``Trainer`` is to do next; left alone.
            kwargs: the ``model``, which is as it was saved, and more.

        Raises:
            InputError: some are not.
        """
        drifted = self.mask.drift(kwargs["model"])
        if drifted:
            raise InputError(
                f"checkpoint-{state.global_step} in {args.output_dir} was saved while {drifted:,} of the mask's "
                f"{self.mask.pruned:,} removed weights were not zero: something wrote them after the optimizer's step, "
                "such as another callback. Delete the checkpoint, and let no other callback write weights"
            )

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Check that the removed weights are zero, and let go of the optimizer.

        Args:
            args: the training's settings.
            state: how far the training is.
            control: what the ``Trainer`` is to do next; left alone.
            kwargs: not used.

        Raises:
            InputError: some removed weights were not zero. They are set to zero all the same.
        """
        held, self._held = self._held, None
        if held is not None:
            held.__exit__(None, None, None)

    def _let_go(self) -> None:
        """Let go of the optimizer of an earlier training that was broken off, without a look at its weights."""
        held, self._held = self._held, None
        if held is not None:
            held.__exit__(GeneratorExit, GeneratorExit(), None)

    def _warn_of_another_mask(self, model: nn.Module, step: int) -> None:
        """Warn if a training goes on from weights that were not trained with this mask."""
        drifted = self.mask.drift(model)
        if drifted:
            warnings.warn(
                f"the training goes on at step {step:,} with {drifted:,} of the mask's {self.mask.pruned:,} removed "
                "weights not zero: the checkpoint, or the model that its adapters are for, was not trained with this "
                "mask. They are zero from now on",
                stacklevel=2,
            )

    def _check_same_in_all_processes(self, device: torch.device) -> None:
        """Check that all processes have the same mask: else their copies of the model would come apart.

        Raises:
            InputError: some have another one. All processes raise it.
        """
        digest = torch.tensor(list(bytes.fromhex(weights_fingerprint(self.mask.keep))), device=device)
        digests = gather(digest[None])
        others = int((digests != digests[0]).any(1).sum())
        if others:
            raise InputError(
                f"{others} of {len(digests)} processes have another mask than the first: make it from the same weights "
                "and seed in each, or make it in one, save it with save_mask and load it in all"
            )
