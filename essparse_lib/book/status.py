"""How far the figures have come: at each scale what has a record, what that took, and what is still to come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import InputError
from ..figures import STUDIES
from ..records.cost import Cost, expected, expected_seconds
from ..records.store import Record, results
from ..specs.study import Scale, Study, check_scale
from ..wording import duration_text

#: The paper's figures, whether they have a study here or not.
FIGURES = tuple(f"fig{number}" for number in range(1, 12))

_NONE = "—"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How far one study, or several together, have come.

    Attributes:
        asked: how many records there are to be.
        there: how many of them there are.
        failures: of these, how many diverged or failed, by status.
        seconds: what those that are there took.
        devices: on which they were made, in the order of their names.
        left: seconds that the others should take one after another, by those that are there; None if nothing tells.
        whole: what all of it should cost, as told before any of it is run.
    """

    asked: int
    there: int
    failures: Mapping[str, int]
    seconds: float
    devices: tuple[str, ...]
    left: float | None
    whole: Cost

    @property
    def state(self) -> str:
        """In words, with the number of records.

        >>> from dataclasses import replace
        >>> whole = Cost(120, 24.0)
        >>> rest = dict(failures={}, seconds=0.0, devices=(), left=None, whole=whole)
        >>> nothing = Standing(asked=120, there=0, **rest)
        >>> nothing.state, replace(nothing, there=37, failures={"diverged": 1}).state
        ('not run yet (120)', '37 of 120, 1 diverged')
        """
        state = "complete" if self.there == self.asked else "not run yet" if not self.there else ""
        counted = f"{state} ({self.asked:,})" if state else f"{self.there:,} of {self.asked:,}"
        return counted + "".join(f", {count:,} {status}" for status, count in sorted(self.failures.items()))

    @property
    def spent(self) -> str:
        """The time that the records took, and on what."""
        if not self.there:
            return _NONE
        spent = duration_text(self.seconds)
        return f"{spent} on {', '.join(self.devices)}" if self.devices else spent

    @property
    def to_come(self) -> str:
        """The time that the missing records should take: from those that are there, else as ``study.cost`` has it.

        >>> from dataclasses import replace
        >>> whole = Cost(120, 24.0)
        >>> rest = dict(failures={}, seconds=0.0, devices=(), left=None, whole=whole)
        >>> nothing = Standing(asked=120, there=0, **rest)
        >>> nothing.to_come, replace(nothing, there=37, left=7200.0).to_come
        ('120 trainings, about 24 GPU hours', 'about 2.0 h')
        """
        if self.there == self.asked:
            return _NONE
        if self.left is not None:
            return f"about {duration_text(self.left)}"
        if self.there:
            return "not known"
        if not self.whole.trainings:
            return "no training"
        count = f"{self.whole.trainings:,} training{'' if self.whole.trainings == 1 else 's'}"
        time = "time not known" if self.whole.hours is None else f"about {self.whole.about} GPU hours"
        return f"{count}, {time}"


def standing(studies: Sequence[Study], records: Mapping[str, Record]) -> Standing:
    """How far studies of one scale have come, taken together; what several of them need counts once."""
    asked = {each.id: each for study in studies for each in study.specs()}
    there = [records[name] for name in asked if name in records]
    # of a study without records nothing tells how long it takes: what another one took says nothing of it
    begun = all(any(each.id in records for each in study.specs()) for study in studies)
    return Standing(
        asked=len(asked),
        there=len(there),
        failures=Counter(record.status for record in there if record.status != "ok"),
        seconds=sum(record.provenance.get("seconds", 0.0) for record in there),
        devices=tuple(sorted({str(r.provenance["device"]) for r in there if "device" in r.provenance})),
        left=expected_seconds(list(asked.values()), records) if begun else None,
        whole=expected(*studies),
    )


def table(scales: Sequence[str] = ("lab", "paper")) -> str:
    """A Markdown table, a row a figure: of each scale how many records there are, what they took, and what is left.

    The last row counts once what several figures share. Links are as from a page in ``book/``.

    Raises:
        InputError: no scale is named, there is no such scale, or a record is damaged.
    """
    if not scales:
        raise InputError("no scales are named: give at least one, such as lab")
    by_scale = {check_scale(scale): _records(scale) for scale in scales}
    heads = ("Figure", *(f"{scale}: {what}" for scale in by_scale for what in ("records", "computed", "to come")))
    rows = [
        (_link(figure), *(cell for scale in by_scale for cell in _cells([figure], scale, by_scale[scale])))
        for figure in FIGURES
    ]
    together = ("all", *(cell for scale in by_scale for cell in _cells(STUDIES, scale, by_scale[scale])))
    return "".join(map(_row, (heads, ["---"] * len(heads), *rows, together)))


def _records(scale: str) -> dict[str, Record]:
    """Return the records of all figures' studies at a scale: each file is read once."""
    return results(scale).records_of_studies(*(by_scale[scale] for by_scale in STUDIES.values()))


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n"


def _cells(named: Iterable[str], scale: str, records: Mapping[str, Record]) -> tuple[str, str, str]:
    studies = [STUDIES[figure][scale] for figure in named if figure in STUDIES]
    if not studies:
        return "no study yet", _NONE, _NONE
    found = standing(studies, records)
    return found.state, found.spent, found.to_come


def _link(figure: str) -> str:
    """To a figure's page: its notebook, or, while it has no study, a page that says what is missing."""
    page = f"../notebooks/{figure}.ipynb" if figure in STUDIES else f"{figure}.md"
    return f"[{figure.removeprefix('fig')}]({page})"


def print_table() -> None:
    """Print, for every figure and scale, the records there and missing and the time that these will take."""
    from rich.console import Console
    from rich.table import Table

    shown = Table("figure", "scale", "records", "missing", "not ok", "expected time, one at a time", box=None)
    records = {scale: _records(scale) for scale in Scale}
    for name, by_scale in STUDIES.items():
        for scale, study in by_scale.items():
            found = standing([study], records[check_scale(scale)])
            shown.add_row(
                name,
                scale,
                str(found.there),
                str(found.asked - found.there),
                str(sum(found.failures.values())),
                "unknown: none has been run" if found.left is None else duration_text(found.left),
            )
    Console().print(shown)
