"""The queue: what figures miss, run block by block in the order that serves verdicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..figures.blocks import comes_with_pretraining, in_lanes, missing_blocks
from ..records.store import Store
from ..specs.spec import Spec
from ..specs.study import Study
from . import scheduler
from .scheduler import Progress, Refusal, Workers


@dataclass(frozen=True)
class Remainder:
    """What has no record after a run.

    Attributes:
        left: the specs that the same command goes on with.
        refused: those that were left out since something that they need cannot be had.
        with_pretraining: those that are measured while a model is pre-trained anew, and at no other time.
    """

    left: list[Spec]
    refused: list[Refusal]
    with_pretraining: list[Spec]


def run(
    studies: Sequence[Study],
    store: Store,
    workers: Workers | int = 1,
    budget: float | None = None,
    retry: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
    refuse: Callable[[Refusal], None] = lambda _: None,
) -> Remainder:
    """Run what studies miss, in the order of ``figures.blocks``; what cannot be had does not stop the rest.

    Args:
        studies: of one scale.
        store: where records are read and written.
        workers: those who run them, as ``scheduler.run`` takes them; each has a block of its own.
        budget: seconds of wall-clock time, as ``scheduler.run`` keeps them.
        retry: run failed trials again.
        progress: called after each spec.
        refuse: called with each spec that is left out.

    Raises:
        InputError: nothing can be had, or records cannot be written.
    """
    blocks = missing_blocks(studies, store.records_of_studies(*studies), retry)
    refused: list[Refusal] = []

    def note(refusal: Refusal) -> None:
        refused.append(refusal)
        refuse(refusal)

    lanes = workers if isinstance(workers, int) else workers.size()
    specs = list(in_lanes(blocks, lanes))
    without_record = scheduler.run(specs, store, workers, budget, retry, progress, note)
    ids = {refusal.spec.id for refusal in refused}
    rest = [spec for spec in without_record if spec.id not in ids]
    return Remainder(
        left=[spec for spec in rest if not comes_with_pretraining(spec)],
        refused=refused,
        with_pretraining=[spec for spec in rest if comes_with_pretraining(spec)],
    )
