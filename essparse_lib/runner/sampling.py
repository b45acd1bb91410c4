"""Which records may be drawn to be run again: those that need no others, and of these the new or the quick ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ..records.cost import trainings
from ..records.store import Record, Status, Store
from ..specs.measurement import Measurement
from ..specs.study import Study
from ..specs.trial import Trial
from ..wording import duration_text

#: How many times longer a CPU takes than a GPU. An assumption, for want of a measurement: 10^12 FLOP/s, where
#: ``records.cost.RATE`` assumes 10^14 of a GPU.
SLOWER = 100.0


def drawable(studies: Iterable[Study], records: Mapping[str, Record]) -> list[Record]:
    """Return the records that can be run again without the training of others, in the order of the studies."""
    specs = {spec.id: spec for study in studies for spec in (*study.trials(), *study.measurements())}
    made = [records[name] for name in specs if name in records]
    return [r for r in made if r.status != Status.FAILED and not (isinstance(r.spec, Measurement) and r.spec.trials)]


def narrowed(
    records: list[Record], earlier: Path | None, seconds: float | None, tell: Callable[[str], None]
) -> list[Record]:
    """Return those of some records that are new, and those of these that should be made again here in time.

    Args:
        records: the records.
        earlier: a folder of records of their scale: what has one there is not new. One that is not there has none; None
            for all.
        seconds: how long one may take, as ``seconds_here`` reckons; None for any time.
        tell: called with a line for each of both, which says how many are left.

    Raises:
        DamagedRecord: a record in the folder is damaged.
    """
    if earlier is not None:
        known = Store(earlier).records()
        every, records = len(records), [record for record in records if record.spec.id not in known]
        tell(f"{len(records):,} of {every:,} records have none in {earlier}")
    if seconds is not None:
        every, records = len(records), [record for record in records if 0 < seconds_here(record) <= seconds]
        tell(f"{len(records):,} of {every:,} records should take {duration_text(seconds)} at most here")
    return records


def seconds_here(record: Record) -> float:
    """Return how long a record should take to make again on this machine; 0 if it does not say how long it took.

    What a GPU made takes ``SLOWER`` times as long where there is none. A lottery ticket may have been made from the
    rounds of less sparse ones: each of its trainings counts as long as the record took.
    """
    seconds = float(record.provenance.get("seconds", 0))
    if isinstance(record.spec, Trial):
        seconds *= len(trainings([record.spec]))
    on_cpu = str(record.provenance.get("device", "")).endswith(" cores)")
    return seconds if on_cpu or _has_gpu() else SLOWER * seconds


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
