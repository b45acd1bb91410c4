"""Where a figure's numbers come from: the provenance of its records, in a few lines."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..specs.measurement import Measurement
from ..specs.pretraining import Pretraining
from ..specs.study import Study
from ..specs.trial import Trial
from ..wording import listing
from .store import Record

if TYPE_CHECKING:
    import pandas as pd

_PLURALS = {
    "trial": "trials",
    "measurement": "measurements",
    "pretraining": "pre-trainings",
    "image-pretraining": "pre-trainings",
}


def used(study: Study, records: Mapping[str, Record]) -> list[Record]:
    """The study's records, in the order of what is asked."""
    return [records[trial.id] for trial in study.specs() if trial.id in records]


def missing(study: Study, records: Mapping[str, Record]) -> str:
    """What of the study has no record, in a sentence; of several ways to prune, those that lack some are named."""
    kinds = {"pre-trainings": Pretraining, "fine-tunings": Trial, "measurements": Measurement}
    parts, everything = [], study.specs()
    for kind, of in kinds.items():
        asked = [one for one in everything if isinstance(one, of)]
        lacking = [one for one in asked if one.id not in records]
        prunings = {one.pruning for one in lacking if isinstance(one, Trial)}
        ways = [way for way, own in study.variants.items() if prunings & set(own)] if len(study.variants) > 1 else []
        named = f" ({', '.join(ways)})" if ways else ""
        parts += [f"{len(lacking):,} of {len(asked):,} {kind}{named}"] if lacking else []
    return f"Without a record: {', '.join(parts)}." if parts else "All that this study asks for has a record."


def fingerprint(records: Iterable[Record]) -> str:
    """SHA-256 over the records' lines in the order of their ids, first 16 hexadecimal digits."""
    lines = sorted(record.line() for record in records)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def provenance(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """What the study's figure rests on: a table of a name and a value."""
    import pandas as pd

    found = used(study, records)
    states = Counter(record.status for record in found)
    notes = [record.provenance for record in found]
    hours = sum(note.get("seconds", 0) for note in notes) / 3600
    days = sorted({note["finished"][:10] for note in notes if "finished" in note})

    def each(name: str) -> str:
        return ", ".join(sorted({str(note[name]) for note in notes if name in note})) or "—"

    kinds = dict.fromkeys(_PLURALS[asked.record_kind] for asked in study.specs())
    rows = {
        "scale": study.scale,
        "records": f"{len(found)} of {len(study.specs())} {listing(list(kinds))}"
        + "".join(f", {count} {state}" for state, count in states.items() if state != "ok"),
        "fingerprint of the records": fingerprint(found) if found else "—",
        "code revision": each("code"),
        "seeds": ", ".join(map(str, study.seeds)),
        "device": each("device"),
        "precision": each("precision"),
        "CPU threads a trial": each("threads"),
        "weights (SHA-256)": each("weights"),
        "PyTorch": ", ".join(sorted({note["versions"]["torch"] for note in notes if "versions" in note})) or "—",
        "transformers": ", ".join(sorted({note["versions"]["transformers"] for note in notes if "versions" in note}))
        or "—",
        "computing time": f"{hours:.1f} hours in all",
        "made": " to ".join(dict.fromkeys((days[0], days[-1]))) if days else "—",
    }
    return pd.DataFrame({"value": rows}, dtype=str)
