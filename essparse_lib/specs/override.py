"""What one model of a study takes part in, where that is not as for the other models; and seeds that are added."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from .spec import Checked, as_seeds, as_sparsities
from .trial import Training


@dataclass(frozen=True, kw_only=True)
class AddedSeeds(Checked):
    """Seeds that a model is tried with on top of the study's, at the sparsities where they decide something.

    The dense model is always among them. Those of all models of a study count together: in no figure and no verdict as
    long as one of their trials has no record, so that nothing that is half done leans to either side.

    Attributes:
        seeds: the seeds.
        tasks: the tasks that have them.
        sparsities: the sparsities of the study's variants to which models are pruned with them.
    """

    seeds: tuple[int, ...]
    tasks: tuple[str, ...]
    sparsities: tuple[float, ...]

    def __post_init__(self) -> None:
        self._set("seeds", as_seeds(self.seeds))
        self._set("sparsities", as_sparsities(self.sparsities))
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class Override(Checked):
    """What one model of a study takes part in and how it is trained, where that is not as for the other models.

    Attributes:
        tasks: the tasks of the study that the model is tried on; None for all.
        seeds: the seeds that it is tried with on every task; None for those that the study has for the task.
        variants: the variants of the study in which it is pruned; None for all.
        sparsities: the sparsities of these variants to which it is pruned; None for all.
        training: by task, how it is fine-tuned; None for the study's own.
        added: seeds on top of these, at some sparsities; None for none.
    """

    tasks: tuple[str, ...] | None = None
    seeds: tuple[int, ...] | None = None
    variants: tuple[str, ...] | None = None
    sparsities: tuple[float, ...] | None = None
    training: Mapping[str, Training] | None = None
    added: AddedSeeds | None = None

    def __post_init__(self) -> None:
        self._set("seeds", as_seeds(self.seeds))
        self._set("sparsities", as_sparsities(self.sparsities))
        super().__post_init__()

    def among(self, seeds: Collection[int]) -> Override:
        """Return the override with only those of its own seeds that are among the seeds given, and with none added."""
        chosen = None if self.seeds is None else tuple(seed for seed in self.seeds if seed in seeds)
        return replace(self, seeds=chosen, added=None)
