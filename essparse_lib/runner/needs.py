"""What a notebook is about to run and to fetch, in words, before it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from ..models import catalogue
from ..records.cost import expected_seconds
from ..records.store import Record
from ..specs.spec import Spec
from ..specs.study import Study
from ..wording import duration_text, listing, size_text

_NOTHING = "Everything that this notebook shows has a record: it trains nothing, and fetches nothing."


def sentence(study: Study, records: Mapping[str, Record], specs: Iterable[Spec]) -> str:
    """Return how many specs without a record are run now, how long that should take, and what is fetched for it.

    Args:
        study: the study of the notebook, whose records say how long one takes.
        records: by id, those that exist.
        specs: what the notebook needs, such as ``interactive.unrecorded`` returns it; those that have a record are
            left out.
    """
    missing = [spec for spec in dict.fromkeys(specs) if spec.id not in records]
    if not missing:
        return _NOTHING
    timed = [spec for spec in study.specs() if spec.id in records]
    seconds = expected_seconds([*timed, *missing], records)
    one = len(missing) == 1
    return (
        f"{len(missing):,} {'run has' if one else 'runs have'} no record and {'is' if one else 'are'} made now, which "
        f"takes {_time(seconds, [records[spec.id] for spec in timed])}. {_fetched(study, missing)}"
    )


def _time(seconds: float | None, timed: Iterable[Record]) -> str:
    """Return how long runs should take, and where the records were made that say so."""
    if seconds is None:
        return "as long as nobody knows yet, as no such run has a record"
    devices = Counter(str(record.provenance.get("device", "an unknown device")) for record in timed)
    most = devices.most_common(1)
    return f"about {duration_text(seconds)}{f' on {most[0][0]}' if most else ''}"


def _fetched(study: Study, specs: Iterable[Spec]) -> str:
    """Return which models and data are fetched where the caches lack them, with the sizes that are known."""
    specs = list(specs)
    models = [_model(name) for name in dict.fromkeys(spec.model for spec in specs) if name not in study.pretrained]
    tasks = list(filter(None, dict.fromkeys(getattr(spec, "task", "") for spec in specs)))
    parts = [*models, *([f"the data of {listing(tasks)}"] if tasks else [])]
    return f"Fetched, unless it is there: {listing(parts)}." if parts else "Nothing is fetched."


def _model(name: str) -> str:
    """Return the name of a model with the bytes of its archive, or with what is known of where it comes from."""
    sources = catalogue.MODELS.get(name)
    if sources is not None and sources.archive is not None:
        return f"{name} ({size_text(sources.archive[0].size)})"
    return f"{name} (its size is not known here)"
