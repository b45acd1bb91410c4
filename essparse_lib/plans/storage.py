"""How much room records take, and how long reading them takes, judged by the records that there are."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean

from ..records import cost
from ..records.store import Store
from ..specs.measurement import Measurement
from ..specs.spec import Spec
from ..specs.trial import Trial


@dataclass(frozen=True, kw_only=True)
class Storage:
    """What the records of some specs come to.

    Attributes:
        size: bytes of the records whose size is known.
        unknown: of how many specs the size is not known, since there is no record of their kind.
        reading: seconds of this machine's processor for reading them; None if there is no record to measure it by.
        measured: how many records that was measured with.
    """

    size: int
    unknown: int
    reading: float | None
    measured: int


def expected_storage(specs: Iterable[Spec], stores: Sequence[Store]) -> Storage:
    """Return what the records of some specs come to, by the mean record of each kind in the stores.

    A trial's record holds a prediction and a label for each example that it is evaluated on: what these take is
    counted for each example. Reading is measured now.

    Args:
        specs: the specs.
        stores: where records are.

    Raises:
        InputError: a record is damaged.
    """
    begun = time.process_time()
    records = [record for store in stores for record in store.records().values()]
    seconds = time.process_time() - begun
    lines: dict[str, list[float]] = {}
    answers, examples = 0, 0
    total = 0
    for record in records:
        size, in_answers = len(record.line()) + 1, 0
        if isinstance(record.spec, Trial) and cost.is_counted(record.spec):
            in_answers = len(record.predictions) + len(record.labels)
            answers, examples = answers + in_answers, examples + cost.test_examples(record.spec)
        lines.setdefault(_kind(record.spec), []).append(size - in_answers)
        total += size
    means = {kind: mean(sizes) for kind, sizes in lines.items()}
    an_example = answers / examples if examples else 0.0
    expected, unknown = 0.0, 0
    for spec in specs:
        if _kind(spec) not in means:
            unknown += 1
            continue
        expected += means[_kind(spec)]
        if isinstance(spec, Trial):
            expected += an_example * cost.test_examples(spec)
    reading = expected * seconds / total if total else None
    return Storage(size=round(expected), unknown=unknown, reading=reading, measured=len(records))


def _kind(spec: Spec) -> str:
    """Return the kind of a spec, of which records are about equally long, a trial's answers aside."""
    return spec.kind.value if isinstance(spec, Measurement) else spec.record_kind
