"""The changelog of verdicts: what each claim's verdict was, from which records, and which records changed it.

``results/verdicts.json`` holds an entry for each verdict that differed from the one before. Run

    python -m essparse_lib.book.changelog

in a checkout, after records or rules have changed a verdict: it adds the entries that are missing.
"""

from __future__ import annotations

import math
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from .. import figures
from ..claims.registry import CLAIMS
from ..claims.verdict import Outcome
from ..files import writing
from ..records import summary
from ..records.documents import read_document
from ..records.store import results, results_folder
from ..wording import in_markdown
from . import claims

#: The scale whose verdicts the book states.
SCALE = "lab"

_FILE = "verdicts.json"
#: The end of the line about a file that cannot be read.
_MEND = "take it from the repository again"
#: How far two numbers of a verdict may lie apart and be the same, as a share: other machines round differently.
_CLOSE = 1e-4
_DIGITS = 6


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict as it was from a day on.

    Attributes:
        date: the day, as ``2026-11-28``.
        commit: the commit whose records and rules gave it.
        claim: name of the claim.
        outcome: as ``claims.verdict.Outcome`` had it at that commit.
        measured: the numbers that decide, in words.
        numbers: the same as numbers, each a value with the ends of its interval; None where one is unknown.
        records: how many records its figure rests on.
        fingerprint: the hash of their lines.
    """

    date: str
    commit: str
    claim: str
    outcome: str
    measured: str
    numbers: list[list[float | None]]
    records: int
    fingerprint: str

    def says_the_same(self, other: Entry) -> bool:
        """Return whether another entry has the same outcome and the same numbers, but for rounding."""
        ours, theirs = ([end for number in each.numbers for end in number] for each in (self, other))
        if self.outcome != other.outcome or len(ours) != len(theirs):
            return False
        return all(_alike(a, b) for a, b in zip(ours, theirs, strict=True))


def _alike(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=_CLOSE, abs_tol=_CLOSE)


def entry(judged: Mapping[str, Any], date: str, commit: str) -> Entry:
    """Return the entry of a verdict.

    Args:
        judged: the verdict as ``claims.plain`` returns it, with the number of its ``records`` and their
            ``fingerprint``.
        date: the day.
        commit: the commit.
    """
    numbers = [[_rounded(number[end]) for end in ("value", "low", "high")] for number in judged["numbers"].values()]
    return Entry(
        date=date,
        commit=commit,
        claim=judged["claim"],
        outcome=judged["outcome"],
        measured=judged["measured"],
        numbers=numbers,
        records=judged["records"],
        fingerprint=judged["fingerprint"],
    )


def _rounded(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.{_DIGITS}g}")


def path() -> Path:
    """Return the path of the file, which lies beside the records of the scales."""
    return results_folder(SCALE).parent / _FILE


def read(file: Path) -> list[Entry]:
    """Return the entries of a file, the oldest first; none if there is no such file.

    Raises:
        InputError: the file cannot be read, or does not hold entries.
    """
    return read_document(file, list[Entry], _MEND) if os.path.lexists(file) else []


def text_of(entries: Iterable[Entry]) -> str:
    """Return entries as the file holds them: a list of JSON with an entry a line."""
    lines = [msgspec.json.encode(each).decode() for each in entries]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def current(date: str, commit: str) -> list[Entry]:
    """Return the verdicts of today's records and rules as entries, in the order of the claims.

    Args:
        date: the day that the entries bear.
        commit: the commit that they bear.

    Raises:
        InputError: a record is damaged.
    """
    entries = []
    for judged in claims.plain(SCALE):
        figure = CLAIMS[judged["claim"]].figure
        studies = [] if figure is None else [figures.study(figure, SCALE)]
        records = results(SCALE).records_of_studies(*studies)
        used = [record for study in studies for record in summary.used(study, records)]
        rests_on = {"records": len(used), "fingerprint": summary.fingerprint(used)}
        entries.append(entry({**judged, **rests_on}, date, commit))
    return entries


def changed(entries: Iterable[Entry], known: Sequence[Entry]) -> list[Entry]:
    """Return those of some entries that differ from the last known one of their claim, or whose claim has none."""
    last = {each.claim: each for each in known}
    return [each for each in entries if each.claim not in last or not each.says_the_same(last[each.claim])]


def add() -> list[Entry]:
    """Add the verdicts that have changed to the file, and return them.

    Raises:
        InputError: the file cannot be read or written, or a record is damaged.
    """
    file = path()
    known = read(file)
    git = ["git", "-C", str(file.parent), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True).stdout.strip() or "unknown"
    new = changed(current(datetime.now(UTC).date().isoformat(), commit), known)
    if new:
        with writing(file) as target:
            target.write(text_of([*known, *new]).encode())
    return new


def table() -> str:
    """Return a table of all changes in Markdown, the latest first.

    Raises:
        InputError: the file cannot be read, or does not hold entries.
    """
    entries = read(path())
    if not entries:
        return "No verdict has been kept yet.\n"
    rows = []
    last: dict[str, Entry] = {}
    for each in entries:
        before = last.get(each.claim)
        outcome = each.outcome if before is None or before.outcome == each.outcome else _change(before, each)
        rows.append((each.date, each.claim, outcome, in_markdown(each.measured) or "—", _cause(before, each)))
        last[each.claim] = each
    heads = ("Date", "Claim", "Outcome", "We measure", "What changed it")
    lines = [heads, ("---",) * len(heads), *reversed(rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _change(before: Entry, after: Entry) -> str:
    return f"{before.outcome} → **{after.outcome}**"


def _cause(before: Entry | None, after: Entry) -> str:
    """Return what changed a verdict: records, or, where these are the same, the rule or what computes the numbers."""
    commit = f"commit `{after.commit}`"
    if before is None:
        return f"first entry: {after.records:,} records, {commit}"
    if before.fingerprint == after.fingerprint:
        return f"the rule or the code, with the same {after.records:,} records, {commit}"
    return f"records: {before.records:,} before, {after.records:,} then (`{after.fingerprint}`), {commit}"


def main() -> None:
    """Add what is missing, and say what was added."""
    new = add()
    for each in new:
        print(f"{each.claim}: {Outcome(each.outcome)}, {each.measured or 'no number'}")
    print(f"{len(new)} of {len(CLAIMS)} verdicts added to {path()}")


if __name__ == "__main__":
    main()
