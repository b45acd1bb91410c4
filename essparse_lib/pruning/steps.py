"""Act after every step of an optimizer, also of one that other libraries have wrapped."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from ..errors import InputError
from .wrapped import is_a


@contextmanager
def after_steps(optimizer: object, act: Callable[[], None]) -> Iterator[None]:
    """Call a function after every step of an optimizer.

    A wrapper (accelerate's, a mixed-precision one with copies of the weights, DeepSpeed's) may write the model's
    weights after the step of the optimizer inside. So the function is called after the steps of each of them.

    Args:
        optimizer: a torch optimizer, a wrapper that has one as ``optimizer``, or a list of them.
        act: what to do after each step.

    Raises:
        InputError: it is no optimizer.
    """
    levels = _all_levels(optimizer)
    act = torch.compiler.disable(act)  # else torch.compile of the step would trace the function, too
    with ExitStack() as stack:
        for level in levels:
            stack.enter_context(_after_steps_of(level, act))
        yield


def check_trains(optimizer: object, model: nn.Module) -> None:
    """Check that an optimizer has parameters of a model, as far as its groups tell.

    Args:
        optimizer: as for ``after_steps``. A wrapper that may have copies of the weights is not checked.
        model: the model.

    Raises:
        InputError: none of the optimizer's parameters is the model's.
    """
    levels = _all_levels(optimizer)
    if not all(_has_hooks(level) for level in levels):
        return
    trained = {id(parameter) for level in levels for group in level.param_groups for parameter in group["params"]}
    parameters = list(model.parameters())
    trainable = any(parameter.requires_grad for parameter in parameters)  # else a head elsewhere is trained
    if trainable and trained.isdisjoint(map(id, parameters)):
        raise InputError(
            f"none of the {len(trained)} parameters that the optimizer trains is the model's: make the optimizer from "
            "model.parameters() after the model was moved, sharded or loaded by assignment"
        )


def _all_levels(optimizer: object) -> list[Any]:
    """Return one or several optimizers, each with those that it wraps."""
    several = optimizer if isinstance(optimizer, (list, tuple)) and optimizer else [optimizer]
    return [level for single in several for level in _levels(single)]


def _has_hooks(optimizer: object) -> bool:
    """Return whether an optimizer is torch's own, with hooks after its steps, and no wrapper without them."""
    return isinstance(optimizer, torch.optim.Optimizer) and hasattr(optimizer, "_optimizer_step_post_hooks")


def _levels(optimizer: object) -> list[object]:
    """Return an optimizer and those that it wraps, from the outside to the inside."""
    levels: list[object] = []
    level = optimizer
    while not levels or (level is not None and level not in levels):
        if not callable(getattr(level, "step", None)) or not hasattr(level, "param_groups"):
            hint = "its .optimizer" if hasattr(level, "optimizer") else "the optimizer that trains the model"
            kind = type(level).__name__
            raise InputError(f"a mask is held through the steps of an optimizer, not of a {kind}: pass {hint}")
        levels.append(level)
        level = getattr(level, "optimizer", None)
    if len(levels) > 1:  # accelerate's wrapper writes no weights itself
        levels = [level for level in levels if not is_a(level, "accelerate.optimizer.AcceleratedOptimizer")]
    return levels


@contextmanager
def _after_steps_of(optimizer: Any, act: Callable[[], None]) -> Iterator[None]:
    """Call a function after every step of one optimizer, by its own hooks if it has them."""
    if _has_hooks(optimizer):
        hook = optimizer.register_step_post_hook(lambda *_: act())
        try:
            yield
        finally:
            hook.remove()
        return

    step = optimizer.step
    holding = True

    @functools.wraps(step)
    def step_and_act(*args: object, **kwargs: object) -> object:
        result = step(*args, **kwargs)
        if holding:
            act()
        return result

    instance_step = vars(optimizer).get("step")  # None where the class alone has one
    optimizer.step = step_and_act
    try:
        yield
    finally:
        holding = False  # a scheduler may have wrapped the step since, and keeps ours inside
        if vars(optimizer).get("step") is step_and_act:
            if instance_step is None:
                del optimizer.step
            else:
                optimizer.step = instance_step
