"""A Study: the named grid of specs that a figure needs at one scale."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from typing import Any, TypeVar

from ..errors import InputError, check_list, check_seed, check_texts, unknown
from ..texts import whole_of_text
from .measurement import Measurement, MeasurementKind
from .methods import Scope
from .override import Override
from .pretraining import Pretraining
from .scale import Scale as Scale
from .scale import check_scale as check_scale  # both beside Study, for those who name one
from .spec import Checked, Spec, as_seeds, as_sparsities, check_names, member
from .trial import Pruning, Timing, Training, Trial

T = TypeVar("T")

#: The dense model and every further tenth, as in the paper's figures.
TENTHS = tuple(round(0.1 * i, 1) for i in range(10))

_NO_OVERRIDE = Override()


def at_sparsities(
    sparsities: Iterable[float], method: str = "magnitude", scope: str = Scope.GLOBAL, timing: str = Timing.BEFORE
) -> tuple[Pruning, ...]:
    """Return one variant: the same pruning at several sparsities, without the dense model, which all variants share."""
    listed = check_list("sparsities", sparsities, "[0.1, 0.2]")
    variant = (Pruning(sparsity=each, method=method, scope=scope, timing=timing) for each in listed)
    return tuple(pruning for pruning in variant if pruning.sparsity)


@dataclass(frozen=True, kw_only=True)
class Study(Checked):
    """Models × tasks × variants × seeds, where each task has one training; the dense model is always among them.

    Attributes:
        figure: the figure's name, such as ``fig2``.
        scale: a ``Scale``, or its name, which is turned into one.
        models: the models' names.
        tasks: the tasks' names.
        training: by task, how models are fine-tuned; the key ``*`` serves every task that is not named.
        variants: by the name that figures show, what is pruned and how; the first is what the figure is about.
        seeds: the seeds of the fine-tunings.
        task_seeds: by task, its seeds, where these are not the study's.
        task_sparsities: by task, the sparsities of the variants to which models are pruned, where these are not all.
        overrides: by model, what it takes part in, where that is not everything.
        measured: by kind of measurement, the sparsities at which each model is measured.
        pretrained: by model, how it is trained from scratch, for the models whose pre-training the study follows.
        controls: studies that change one thing each, run together with this one; the figure says what they decide.
        any_seed: whether seeds that other studies have of the same trials count as well; not where a reader named some.
    """

    figure: str
    scale: str
    models: tuple[str, ...]
    tasks: tuple[str, ...]
    training: Mapping[str, Training]
    variants: Mapping[str, tuple[Pruning, ...]] = field(default_factory=lambda: {"one-shot": at_sparsities(TENTHS)})
    seeds: tuple[int, ...] = (0, 1, 2)
    task_seeds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    task_sparsities: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    overrides: Mapping[str, Override] = field(default_factory=dict)
    measured: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    pretrained: Mapping[str, Pretraining] = field(default_factory=dict)
    controls: tuple[Study, ...] = ()
    any_seed: bool = True

    def __post_init__(self) -> None:
        self._set("scale", member(Scale, "scale", self.scale))
        self._set("models", _names("models", self.models))
        self._set("tasks", _names("tasks", self.tasks))
        self._set("seeds", as_seeds(check_list("seeds", self.seeds, "[0, 1]")))
        for name, read in (("task_seeds", as_seeds), ("task_sparsities", as_sparsities)):
            if isinstance(by_task := getattr(self, name), Mapping):
                self._set(name, {task: read(values) for task, values in by_task.items()})
        if isinstance(self.measured, Mapping):
            kinds = {name: member(MeasurementKind, "measurement", name) for name in self.measured}
            self._set("measured", {kinds[name]: as_sparsities(each) for name, each in self.measured.items()})
        super().__post_init__()
        if not self.variants:
            raise InputError("no variants are named: give at least one")
        check_names("model", self.models)
        check_names("task", self.tasks)

    @classmethod
    @cache
    def _types(cls) -> dict[str, Any]:
        """Return the type of each field; a control's may be a class of its own, which msgspec takes for another."""
        return {**super()._types(), "controls": tuple[Checked, ...]}

    @property
    def main(self) -> str:
        """The name of the variant that the figure is about."""
        return next(iter(self.variants))

    @property
    def sparsities(self) -> tuple[float, ...]:
        """The sparsities of the main variant, from 0."""
        return (0.0, *(pruning.sparsity for pruning in self.variants[self.main]))

    def trial(self, model: str, task: str, pruning: Pruning, seed: int) -> Trial:
        """Return a trial with the study's training; it need not be in the grid.

        Raises:
            InputError: the study does not say how to train on this task.
        """
        trainings = self._override(model).training or self.training
        training = trainings.get(task, trainings.get("*"))
        if training is None:
            raise unknown(f"task at {self.scale} scale", task, trainings)
        return Trial(model=model, task=task, seed=seed, training=training, pruning=pruning)

    def tasks_of(self, model: str) -> tuple[str, ...]:
        """Return the tasks that a model is tried on."""
        return _selected(self.tasks, self._override(model).tasks)

    def seeds_of(self, model: str, task: str | None = None) -> tuple[int, ...]:
        """Return the seeds that a model is tried with on a task; with no task, those that all its tasks have.

        Added seeds are not among them.
        """
        seeds = self._override(model).seeds
        if seeds is not None:
            return seeds
        if task is not None:
            return self.task_seeds.get(task, self.seeds)
        by_task = [self.task_seeds.get(each, self.seeds) for each in self.tasks_of(model)]
        return tuple(seed for seed in (by_task or [self.seeds])[0] if all(seed in seeds for seeds in by_task))

    def added_seeds_of(self, model: str, task: str) -> tuple[int, ...]:
        """Return the seeds beyond these that a model is tried with on a task, at some of the sparsities alone."""
        added = self._override(model).added
        if added is None or task not in _selected(self.tasks_of(model), added.tasks):
            return ()
        usual = self.seeds_of(model, task)
        return tuple(seed for seed in added.seeds if seed not in usual)

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """The seeds that the study, a task or a model has, each once; added ones come last."""
        parts = self.overrides.values()
        added = (part.added.seeds for part in parts if part.added)
        named = (self.seeds, *self.task_seeds.values(), *(part.seeds or () for part in parts), *added)
        return tuple(dict.fromkeys(seed for seeds in named for seed in seeds))

    def variants_of(self, model: str) -> tuple[str, ...]:
        """Return the names of the variants in which a model is pruned."""
        return _selected(tuple(self.variants), self._override(model).variants)

    def prunings_of(self, model: str, task: str, variant: str, seed: int | None = None) -> tuple[Pruning, ...]:
        """Return the prunings of a variant that a model is tried with on a task, in the variant's order.

        Args:
            model: the model's name.
            task: the task's name.
            variant: the variant's name.
            seed: the seed; an added one has only some of the prunings. None for those of seeds that are not added.
        """
        override = self._override(model)
        limits = [override.sparsities, self.task_sparsities.get(task)]
        if override.added and seed in self.added_seeds_of(model, task):
            limits.append(override.added.sparsities)
        allowed = [{Pruning(sparsity=each).sparsity for each in limit} for limit in limits if limit is not None]
        return tuple(
            pruning
            for pruning in self.variants[variant]
            if all(pruning.sparsity in sparsities for sparsities in allowed)
        )

    def trials(self) -> list[Trial]:
        """Return the study's trials, each once, seed by seed, so that a study cut short holds whole curves."""
        return list(self._trials)

    def added_trials(self) -> list[Trial]:
        """Return the trials of the added seeds, which come last among the study's trials and count together or not."""
        return list(self._grid(self.added_seeds_of))

    def measurements(self) -> list[Measurement]:
        """Return the study's measurements of each model, of some kinds one for each seed, task or pre-training step."""
        measurements = []
        for model in self.models:
            for name, sparsities in self.measured.items():
                kind = MeasurementKind(name)
                for sparsity in sparsities:
                    measurements += self._measurements_of(model, kind, sparsity)
        return measurements

    def pretrainings(self) -> list[Pretraining]:
        """Return the pre-trainings of the study's models that are trained from scratch."""
        return [self.pretrained[model] for model in self.models if model in self.pretrained]

    def specs(self) -> list[Spec]:
        """Return all pre-trainings, trials and measurements, in this order, then those of controls; each spec once."""
        return list(self._specs)

    def narrowed(
        self,
        models: Iterable[str] | None = None,
        tasks: Iterable[str] | None = None,
        seeds: Iterable[int] | None = None,
    ) -> Study:
        """Return the study on other models, tasks or seeds, trained as the scale has it; None keeps the study's own.

        A model keeps the part that it has in the study. If it is named together with tasks or seeds, it is tried on all
        of these. Seeds that are named are those of every task; a model that is not named keeps those of its own among
        them, and no added ones. Controls stay, on the same seeds, unless models or tasks are named.

        Raises:
            InputError: nothing is left, or a seed is no whole number of 0 or more.
        """
        overrides, controls = self.overrides, self.controls
        chosen_seeds = self.seeds if seeds is None else tuple(dict.fromkeys(map(_seed, seeds)))
        if models is not None:
            unset: dict[str, None] = {"tasks": None} if tasks is not None else {}
            unset |= {"seeds": None, "added": None} if seeds is not None else {}
            overrides = {model: replace(override, **unset) for model, override in overrides.items()}
        elif seeds is not None:
            overrides = {model: override.among(chosen_seeds) for model, override in overrides.items()}
        if models is not None or tasks is not None:
            controls = ()
        only: dict[str, Any] = {"seeds": chosen_seeds, "any_seed": self.any_seed and seeds is None}
        narrowed = replace(
            self,
            models=self.models if models is None else _names("models", models),
            tasks=self.tasks if tasks is None else _names("tasks", tasks),
            task_seeds=self.task_seeds if seeds is None else {},
            overrides=overrides,
            controls=controls if seeds is None else tuple(replace(each, **only) for each in controls),
            **only,
        )
        if empty := [name for name in ("models", "tasks", "seeds") if not getattr(narrowed, name)]:
            raise InputError(f"no {empty[0]} are named: give at least one")
        return narrowed

    # A study is asked for its specs again and again, and a spec keeps its id: both are made once for each study.
    @cached_property
    def _trials(self) -> tuple[Trial, ...]:
        return tuple(dict.fromkeys((*self._grid(self.seeds_of), *self.added_trials())))

    @cached_property
    def _specs(self) -> tuple[Spec, ...]:
        of_controls = [spec for control in self.controls for spec in control.specs()]
        # a control may have the study's dense trials
        return tuple(dict.fromkeys((*self.pretrainings(), *self.trials(), *self.measurements(), *of_controls)))

    def _grid(self, seeds_of: Callable[[str, str], tuple[int, ...]]) -> Iterator[Trial]:
        """Yield the trials of some seeds, which the function returns for a model and a task, seed by seed."""
        for seed in self.all_seeds:
            for model in self.models:
                for task in self.tasks_of(model):
                    if seed not in seeds_of(model, task):
                        continue
                    yield self.trial(model, task, Pruning(), seed)
                    for variant in self.variants_of(model):
                        for pruning in self.prunings_of(model, task, variant, seed):
                            yield self.trial(model, task, pruning, seed)

    def _measurements_of(self, model: str, kind: MeasurementKind, sparsity: float) -> list[Measurement]:
        base = partial(Measurement, kind=kind, model=model, sparsity=sparsity)
        if kind is MeasurementKind.MASK_SIMILARITY:
            # a model that is tried on no task has no masks to compare
            seeds = self.seeds_of(model) if self.tasks_of(model) else ()
            return [self._similarity(model, sparsity, seed) for seed in seeds]
        if kind is MeasurementKind.FEATURE_ACCURACY:
            return [base(task=task) for task in self.tasks_of(model)]
        if kind is MeasurementKind.HELD_OUT_LOSS:
            if model not in self.pretrained:
                return []
            *earlier, _ = self.pretrained[model].pruned_steps
            return [base(step=step) for step in (*earlier, None)]
        return [base()]

    def _similarity(self, model: str, sparsity: float, seed: int) -> Measurement:
        ticket = Pruning(sparsity=sparsity, method="lottery")
        trials = tuple(self.trial(model, task, ticket, seed) for task in self.tasks_of(model))
        return Measurement(kind=MeasurementKind.MASK_SIMILARITY, model=model, sparsity=sparsity, trials=trials)

    def _override(self, model: str) -> Override:
        return self.overrides.get(model, _NO_OVERRIDE)


def _selected(entries: tuple[T, ...], some: tuple[T, ...] | None) -> tuple[T, ...]:
    return entries if some is None else tuple(entry for entry in entries if entry in some)


def _seed(seed: object) -> int:
    """Return a seed that may be written as a text, such as a notebook's parameter is."""
    number = whole_of_text(seed) if isinstance(seed, str) else None
    return check_seed(seed if number is None else number)


def _names(what: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return names, each once, or raise InputError if they are no list of texts."""
    return tuple(dict.fromkeys(check_texts(what, names, "['one', 'another']")))
