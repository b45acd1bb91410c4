"""The state of the figures at each scale: how many records there are, what they took, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import InputError
from ..figures import STUDIES
from ..figures.blocks import Block, missing_blocks
from ..records.cost import Cost, expected, expected_seconds
from ..records.store import Record, Status, results
from ..specs.study import Scale, Study, check_scale
from ..wording import duration_text, in_markdown

#: The figures of the paper.
FIGURES = tuple(f"fig{number}" for number in range(1, 12))

_NONE = "—"

#: How many missing blocks ``essparse status`` shows.
SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Completion:
    """How many records of one study, or of several together, exist and are missing.

    Attributes:
        total: number of records that the studies need.
        done: number of these records that exist.
        failures: number of existing records that diverged or failed, by status.
        seconds: computing time of the existing records.
        devices: names of the devices on which they were made, sorted.
        seconds_left: expected time of the missing records, one after another, judged by the existing ones; None if
            they do not tell.
        cost: expected cost of all records, judged without any of them.
    """

    total: int
    done: int
    failures: Mapping[str, int]
    seconds: float
    devices: tuple[str, ...]
    seconds_left: float | None
    cost: Cost

    @property
    def state(self) -> str:
        """The number of records, in words.

        >>> from dataclasses import replace
        >>> rest = dict(failures={}, seconds=0.0, devices=(), seconds_left=None, cost=Cost(120, 24.0))
        >>> nothing = Completion(total=120, done=0, **rest)
        >>> nothing.state, replace(nothing, done=37, failures={"diverged": 1}).state
        ('not run yet (120)', '37 of 120, 1 diverged')
        """
        if self.done == self.total:
            state = f"complete ({self.total:,})"
        elif self.done:
            state = f"{self.done:,} of {self.total:,}"
        else:
            state = f"not run yet ({self.total:,})"
        return state + "".join(f", {count:,} {status}" for status, count in sorted(self.failures.items()))

    @property
    def spent(self) -> str:
        """The computing time of the existing records, and their devices."""
        if not self.done:
            return _NONE
        spent = duration_text(self.seconds)
        return f"{spent} on {', '.join(self.devices)}" if self.devices else spent

    @property
    def to_come(self) -> str:
        """The expected time of the missing records: judged by the existing ones, or without any by ``cost``.

        >>> from dataclasses import replace
        >>> rest = dict(failures={}, seconds=0.0, devices=(), seconds_left=None, cost=Cost(120, 24.0))
        >>> nothing = Completion(total=120, done=0, **rest)
        >>> nothing.to_come, replace(nothing, done=37, seconds_left=7200.0).to_come
        ('120 trainings, about 24 GPU hours', 'about 2.0 h')
        """
        if self.done == self.total:
            return _NONE
        if self.seconds_left is not None:
            return f"about {duration_text(self.seconds_left)}"
        if self.done:
            return "not known"
        if not self.cost.runs:
            return "no training"
        time = "time not known" if self.cost.hours is None else f"about {self.cost.about} GPU hours"
        return f"{self.cost.runs}, {time}"


def completion(studies: Sequence[Study], records: Mapping[str, Record]) -> Completion:
    """Return how far studies of one scale have come, taken together; a record that several need counts once."""
    specs = {spec.id: spec for study in studies for spec in study.specs()}
    existing = [records[id_] for id_ in specs if id_ in records]
    # Only its own records say how long a study takes: those of another study do not.
    begun = all(any(spec.id in records for spec in study.specs()) for study in studies)
    devices = {str(record.provenance["device"]) for record in existing if "device" in record.provenance}
    return Completion(
        total=len(specs),
        done=len(existing),
        failures=Counter(record.status for record in existing if record.status != Status.OK),
        seconds=sum(record.provenance.get("seconds", 0.0) for record in existing),
        devices=tuple(sorted(devices)),
        seconds_left=expected_seconds(list(specs.values()), records) if begun else None,
        cost=expected(*studies),
    )


def table(scales: Sequence[str] = ("lab", "paper")) -> str:
    """Return a Markdown table with a row for each figure: records, computing time and what is missing at each scale.

    The last row is all figures together; a record that several figures share counts once. Links start from a page in
    ``book/``.

    Raises:
        InputError: no scale is named, there is no such scale, or a record is damaged.
    """
    if not scales:
        raise InputError("no scales are named: give at least one, such as lab")
    records = {check_scale(scale): _records(scale) for scale in scales}
    titles = ["Figure"]
    for scale in records:
        titles += [f"{scale}: {column}" for column in ("records", "computed", "to come")]
    rows: list[Sequence[str]] = [titles, ["---"] * len(titles)]
    for name, figures in (*((_link(figure), [figure]) for figure in FIGURES), ("all", list(STUDIES))):
        row = [name]
        for scale in records:
            row += _cells(figures, scale, records[scale])
        rows.append(row)
    return "".join(map(_markdown, rows))


def _records(scale: str) -> dict[str, Record]:
    """Return the records of all figures' studies at a scale: each file is read once."""
    return results(scale).records_of_studies(*(by_scale[scale] for by_scale in STUDIES.values()))


def _markdown(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |\n"


def _cells(figures: Iterable[str], scale: str, records: Mapping[str, Record]) -> tuple[str, str, str]:
    together = completion([STUDIES[figure][scale] for figure in figures], records)
    return together.state, in_markdown(together.spent), together.to_come


def _link(figure: str) -> str:
    """Return a link to a figure's notebook."""
    return f"[{figure.removeprefix('fig')}](../notebooks/{figure}.ipynb)"


def print_table() -> None:
    """Print, for every figure and scale, how many records exist and are missing, and the time these will take."""
    from rich.console import Console
    from rich.table import Table

    printed = Table("figure", "scale", "records", "missing", "not ok", "expected time, one at a time", box=None)
    records = {scale: _records(scale) for scale in Scale}
    for name, by_scale in STUDIES.items():
        for scale, study in by_scale.items():
            progress = completion([study], records[check_scale(scale)])
            left = progress.seconds_left
            printed.add_row(
                name,
                scale,
                str(progress.done),
                str(progress.total - progress.done),
                str(sum(progress.failures.values())),
                "unknown: none has been run" if left is None else duration_text(left),
            )
    Console().print(printed)


def print_blocks(scale: str, most: int | None) -> None:
    """Print the missing blocks at a scale in the order in which they are run, with what each would decide.

    Args:
        scale: ``tiny``, ``lab`` or ``paper``.
        most: how many blocks to show; those that follow are counted in one line. None for all.

    Raises:
        InputError: there is no such scale, or a record is damaged.
    """
    from rich.console import Console
    from rich.table import Table

    studies = [by_scale[check_scale(scale)] for by_scale in STUDIES.values()]
    blocks = missing_blocks(studies, _records(scale))
    shown = blocks[:most]
    if not blocks:
        Console().print(f"Nothing is missing at {scale} scale.", highlight=False)
        return
    columns = ("model", "task or pruning", "seed", "missing", "expected time", "figures", "would decide")
    printed = Table(*columns, box=None, title=f"Missing at {scale} scale, in the order of a run", title_justify="left")
    for column in printed.columns[:2]:
        column.overflow = "fold"  # names differ in their last letters
    for block in shown:
        printed.add_row(
            block.model,
            block.what,
            _NONE if block.seed is None else str(block.seed),
            f"{len(block.specs)} of {block.total}",
            _expected(block),
            ", ".join(figure.removeprefix("fig") for figure in block.figures),
            ", ".join(block.claims) or "no claim",
        )
    Console().print(printed)
    following = blocks[len(shown) :]
    if following:
        count = sum(len(block.specs) for block in following)
        seconds = sum(block.seconds or 0.0 for block in following)
        time = f", about {duration_text(seconds)}" if seconds else ""
        Console().print(f"and {count:,} more in {len(following):,} blocks{time} (--all shows them)", highlight=False)


def _expected(block: Block) -> str:
    """Return how long a block takes, in words."""
    if block.with_pretraining == len(block.specs):
        return "while it is pre-trained"
    return "not known" if block.seconds is None else f"about {duration_text(block.seconds)}"
