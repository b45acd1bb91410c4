"""Where a figure's numbers come from: the provenance of its records, in a few lines."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..specs.evaluation import Evaluation
from ..specs.measurement import Measurement
from ..specs.pretraining import Pretraining
from ..specs.spec import Spec
from ..specs.study import Study
from ..specs.trial import Trial
from ..wording import duration_text, listing
from .store import Record, Status

if TYPE_CHECKING:
    import pandas as pd

_PLURALS = {
    "trial": "trials",
    "evaluation": "evaluations",
    "measurement": "measurements",
    "pretraining": "pre-trainings",
    "image-pretraining": "pre-trainings",
}

#: Kinds of specs as a sentence names them.
_NAMES: dict[str, type[Spec]] = {
    "pre-trainings": Pretraining,
    "fine-tunings": Trial,
    "evaluations": Evaluation,
    "measurements": Measurement,
}

_NONE = "—"


def used(study: Study, records: Mapping[str, Record]) -> list[Record]:
    """Return the records of a study's specs, in the order of the specs."""
    return [records[spec.id] for spec in study.specs() if spec.id in records]


def missing(study: Study, records: Mapping[str, Record]) -> str:
    """Return in a sentence what of the study has no record, empty if nothing; of several variants, those are named."""
    parts, incomplete = [], []
    for name, kind in _NAMES.items():
        specs = [spec for spec in study.specs() if isinstance(spec, kind)]
        lacking = [spec for spec in specs if spec.id not in records]
        if lacking:
            incomplete += _variants(study, lacking)
            parts.append(f"{len(lacking):,} of {len(specs):,} {name}")
    if not parts:
        return ""
    what = f"{listing(list(dict.fromkeys(incomplete)))} incomplete" if incomplete else "incomplete"
    return f"{what[0].upper()}{what[1:]}: {listing(parts)} missing."


def added(study: Study, records: Mapping[str, Record]) -> str:
    """Return in a sentence whether the study's added seeds count, which they do together or not; empty without any."""
    trials = study.added_trials()
    if not trials:
        return ""
    seeds = ", ".join(str(seed) for seed in dict.fromkeys(trial.seed for trial in trials))
    highest = max(trial.pruning.sparsity for trial in trials)
    what = f"Seeds {seeds} are added for {listing(list(dict.fromkeys(trial.model for trial in trials)))} on"
    what += f" {listing(list(dict.fromkeys(trial.task for trial in trials)))}, at up to {highest:.0%}"
    lacking = sum(trial.id not in records for trial in trials)
    if lacking:
        return f"{what}. None counts yet: {lacking:,} of their {len(trials):,} fine-tunings have no record."
    return f"{what}. All of their {len(trials):,} fine-tunings have records, and count."


def _variants(study: Study, specs: Iterable[Spec]) -> list[str]:
    """Return the names of the variants that trials, or evaluations, among the specs belong to, if there are several."""
    if len(study.variants) == 1:
        return []
    prunings = {spec.pruning for spec in specs if isinstance(spec, (Trial, Evaluation))}
    return [variant for variant, entries in study.variants.items() if prunings & set(entries)]


def fingerprint(records: Iterable[Record]) -> str:
    """Return the SHA-256 over the records' lines in alphabetical order, its first 16 hexadecimal digits."""
    lines = sorted(record.line() for record in records)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def counted(records: Sequence[Record]) -> str:
    """Return how many records there are, of what, and how many of them are not ``ok``: ``9 trials, 1 diverged``."""
    return f"{len(records):,} {_kinds([record.spec for record in records], len(records))}{_unsuccessful(records)}"


def provenance(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """Return what the study's figure rests on, as a table of names and values."""
    import pandas as pd

    specs, rests_on = study.specs(), used(study, records)
    rows = {
        "scale": str(study.scale),
        "records": f"{len(rests_on)} of {len(specs)} {_kinds(specs)}{_unsuccessful(rests_on)}",
        "seeds": ", ".join(map(str, study.all_seeds)),
        **origins(rests_on),
    }
    return pd.DataFrame({"value": rows}, dtype=str)


def origins(records: Sequence[Record]) -> dict[str, str]:
    """Return where records come from, in words by name: their code, devices, packages, weights and computing time."""
    notes = [record.provenance for record in records]
    versions = [note["versions"] for note in notes if "versions" in note]
    seconds: Counter[str] = Counter()
    for note in notes:
        seconds[note.get("device", "unknown device")] += note.get("seconds", 0)
    times = [f"{duration_text(total)} on {device}" for device, total in sorted(seconds.items())]
    days = sorted({note["finished"][:10] for note in notes if "finished" in note})
    return {
        "fingerprint of the records": fingerprint(records) if records else _NONE,
        "code revision": _values(notes, "code"),
        "device": _values(notes, "device"),
        "precision": _values(notes, "precision"),
        "CPU threads a trial": _values(notes, "threads"),
        "weights (SHA-256)": _values(notes, "weights"),
        "PyTorch": _values(versions, "torch"),
        "transformers": _values(versions, "transformers"),
        "computing time": f"{listing(times) or _NONE}, summed over the records",
        "made": " to ".join(dict.fromkeys((days[0], days[-1]))) if days else _NONE,
    }


def _kinds(specs: Iterable[Spec], count: int = 0) -> str:
    """Return what specs are called in the plural, or, of a single one, in the singular."""
    kinds = list(dict.fromkeys(spec.record_kind for spec in specs))
    return listing(kinds if count == 1 else list(dict.fromkeys(_PLURALS[kind] for kind in kinds)))


def _unsuccessful(records: Iterable[Record]) -> str:
    """Return how many records are not ``ok``, by status, each after a comma."""
    counts = Counter(record.status for record in records)
    return "".join(f", {count} {status}" for status, count in counts.items() if status is not Status.OK)


def _values(notes: Iterable[Mapping[str, object]], name: str) -> str:
    """Return the different values of this name, in alphabetical order."""
    return ", ".join(sorted({str(note[name]) for note in notes if name in note})) or _NONE
