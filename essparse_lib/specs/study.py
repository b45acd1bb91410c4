"""A Study: the named grid of trials that a figure needs at one scale."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..errors import InputError, unknown
from .measurement import Measurement
from .pretraining import Pretraining
from .spec import Spec
from .trial import Pruning, Training, Trial

SCALES = ("tiny", "lab", "paper")

#: The dense model and every further tenth, as in the paper's figures.
TENTHS = tuple(round(0.1 * i, 1) for i in range(10))


def at_sparsities(
    sparsities: Iterable[float], method: str = "magnitude", scope: str = "global", timing: str = "before"
) -> tuple[Pruning, ...]:
    """One way to prune at several sparsities; the dense model, which belongs to every way, is left out."""
    return tuple(
        Pruning(sparsity=sparsity, method=method, scope=scope, timing=timing) for sparsity in sparsities if sparsity
    )


@dataclass(frozen=True, kw_only=True)
class Part:
    """What of a study a model takes part in, where it is not all, and how it is trained, where not as the others."""

    tasks: tuple[str, ...] | None = None
    seeds: tuple[int, ...] | None = None
    variants: tuple[str, ...] | None = None
    training: Mapping[str, Training] | None = None


@dataclass(frozen=True, kw_only=True)
class Study:
    """Models × tasks × ways to prune × seeds, each with one way of training; the dense model always among them.

    Attributes:
        figure: such as ``fig2``.
        scale: ``tiny``, ``lab`` or ``paper``.
        training: by task; the key ``*`` serves every task not named.
        variants: what is pruned and how, by a name that figures show; the first is what the figure is about.
        parts: by model, what it takes part in, where that is not everything.
        measured: by kind of measurement, the sparsities at which each model is measured.
        pretrained: by model, how it is trained from scratch, for the models that the study watches in that.
        control: a study that changes one thing, asked for with this one; no verdict counts it.
    """

    figure: str
    scale: str
    models: tuple[str, ...]
    tasks: tuple[str, ...]
    training: Mapping[str, Training]
    variants: Mapping[str, tuple[Pruning, ...]] = field(default_factory=lambda: {"one-shot": at_sparsities(TENTHS)})
    seeds: tuple[int, ...] = (0, 1, 2)
    parts: Mapping[str, Part] = field(default_factory=dict)
    measured: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    pretrained: Mapping[str, Pretraining] = field(default_factory=dict)
    control: Study | None = None

    @property
    def main(self) -> str:
        """The way that the figure is about."""
        return next(iter(self.variants))

    @property
    def sparsities(self) -> tuple[float, ...]:
        """Those of the main way, from 0."""
        return (0.0, *(pruning.sparsity for pruning in self.variants[self.main]))

    def trial(self, model: str, task: str, pruning: Pruning, seed: int) -> Trial:
        """One trial of the grid, or beside it."""
        by_task = self.parts.get(model, Part()).training or self.training
        training = by_task.get(task, by_task.get("*"))
        if training is None:
            raise unknown(f"task at {self.scale} scale", task, by_task)
        return Trial(model=model, task=task, seed=seed, training=training, pruning=pruning)

    def tasks_of(self, model: str) -> tuple[str, ...]:
        """The tasks that a model is tried on."""
        return _both(self.tasks, self.parts.get(model, Part()).tasks)

    def seeds_of(self, model: str) -> tuple[int, ...]:
        """The seeds that a model is tried with."""
        return _both(self.seeds, self.parts.get(model, Part()).seeds)

    def variants_of(self, model: str) -> tuple[str, ...]:
        """The ways in which a model is pruned."""
        return _both(tuple(self.variants), self.parts.get(model, Part()).variants)

    def trials(self) -> list[Trial]:
        """All trials, each once, seed by seed, so that a study cut short holds whole curves."""
        return list(dict.fromkeys(self._trials()))

    def measurements(self) -> list[Measurement]:
        """All that is measured: of each model, and where masks of lotteries are compared, for each seed."""
        found = []
        for model in self.models:
            for kind, sparsities in self.measured.items():
                for sparsity in sparsities:
                    if kind == "mask-similarity":
                        found += [self._similarity(model, sparsity, seed) for seed in self.seeds_of(model)]
                    else:
                        found.append(Measurement(kind=kind, model=model, sparsity=sparsity))
        return found

    def _similarity(self, model: str, sparsity: float, seed: int) -> Measurement:
        how = Pruning(sparsity=sparsity, method="lottery")
        compared = tuple(self.trial(model, task, how, seed) for task in self.tasks_of(model))
        return Measurement(kind="mask-similarity", model=model, sparsity=sparsity, trials=compared)

    def pretrainings(self) -> list[Pretraining]:
        """Those of its models."""
        return [self.pretrained[model] for model in self.models if model in self.pretrained]

    def specs(self) -> list[Spec]:
        """All pre-trainings, then all trials, then all measurements; then what the control asks for."""
        own = [*self.pretrainings(), *self.trials(), *self.measurements()]
        return own + (self.control.specs() if self.control else [])

    def _trials(self) -> Iterator[Trial]:
        for seed in self.seeds:
            for model in self.models:
                if seed in self.seeds_of(model):
                    for task in self.tasks_of(model):
                        yield self.trial(model, task, Pruning(), seed)
                        for way in self.variants_of(model):
                            yield from (self.trial(model, task, pruning, seed) for pruning in self.variants[way])

    def narrowed(
        self,
        models: Iterable[str] | None = None,
        tasks: Iterable[str] | None = None,
        seeds: Iterable[int] | None = None,
    ) -> Study:
        """The study on other models, tasks or seeds, trained as the scale has it; None keeps what there is.

        A model that is named takes part in all that is left, trained as the study has it for that model. A control
        stays, on the same seeds, unless models or tasks are named.

        Raises:
            InputError: nothing is left, or a seed is no whole number of 0 or more.
        """
        chosen_seeds = self.seeds if seeds is None else tuple(dict.fromkeys(check_seed(s) for s in seeds))
        chosen = replace(
            self,
            models=self.models if models is None else tuple(dict.fromkeys(models)),
            tasks=self.tasks if tasks is None else tuple(dict.fromkeys(tasks)),
            seeds=chosen_seeds,
            parts=self.parts if models is None else {m: Part(training=p.training) for m, p in self.parts.items()},
            control=replace(self.control, seeds=chosen_seeds)
            if self.control and models is None and tasks is None
            else None,
        )
        for name in ("models", "tasks", "seeds"):
            if not getattr(chosen, name):
                raise InputError(f"no {name} are named: give at least one")
        return chosen


def _both(all_of: tuple, some: tuple | None) -> tuple:
    return all_of if some is None else tuple(entry for entry in all_of if entry in some)


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
