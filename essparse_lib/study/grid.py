"""A Study: the named grid of trials that a figure needs at one scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..errors import InputError, unknown
from .trial import Pruning, Training, Trial

SCALES = ("tiny", "lab", "paper")

#: The dense model and every further tenth, as in the paper's figures.
TENTHS = tuple(round(0.1 * i, 1) for i in range(10))


@dataclass(frozen=True)
class Study:
    """Models × tasks × sparsities × seeds, each with one way of training.

    Attributes:
        figure: such as ``fig2``.
        scale: ``tiny``, ``lab`` or ``paper``.
        training: by task; the key ``*`` serves every task not named.
    """

    figure: str
    scale: str
    models: tuple[str, ...]
    tasks: tuple[str, ...]
    training: Mapping[str, Training]
    sparsities: tuple[float, ...] = TENTHS
    seeds: tuple[int, ...] = (0, 1, 2)

    def trial(self, model: str, task: str, sparsity: float, seed: int) -> Trial:
        """One trial of the grid, or beside it."""
        training = self.training.get(task, self.training.get("*"))
        if training is None:
            raise unknown(f"task at {self.scale} scale", task, self.training)
        return Trial(model, task, seed, training, Pruning(sparsity))

    def trials(self) -> list[Trial]:
        """All trials, seed by seed, so that a study cut short holds whole curves."""
        return [
            self.trial(model, task, sparsity, seed)
            for seed in self.seeds
            for model in self.models
            for task in self.tasks
            for sparsity in self.sparsities
        ]

    def narrowed(
        self,
        models: Iterable[str] | None = None,
        tasks: Iterable[str] | None = None,
        seeds: Iterable[int] | None = None,
    ) -> Study:
        """The study on other models, tasks or seeds, trained as the scale has it; None keeps what there is.

        Raises:
            InputError: nothing is left, or a seed is no whole number of 0 or more.
        """
        chosen = replace(
            self,
            models=self.models if models is None else tuple(dict.fromkeys(models)),
            tasks=self.tasks if tasks is None else tuple(dict.fromkeys(tasks)),
            seeds=self.seeds if seeds is None else tuple(dict.fromkeys(check_seed(s) for s in seeds)),
        )
        for name in ("models", "tasks", "seeds"):
            if not getattr(chosen, name):
                raise InputError(f"no {name} are named: give at least one")
        return chosen


def check_scale(scale: str) -> str:
    """The scale, or InputError."""
    if scale not in SCALES:
        raise unknown("scale", scale, SCALES)
    return scale


def check_seed(seed: object) -> int:
    """A seed as a whole number of 0 or more, or InputError."""
    if isinstance(seed, bool) or not isinstance(seed, (int, str)) or not str(seed).isdigit():
        raise InputError(f"seed {seed!r} is not allowed: give a whole number from 0")
    return int(seed)
