"""What the library does with each architecture: tried once, kept beside the records, and told on a page of the book.

Run as ``python benchmarks/architectures.py``, with any version of transformers; it prints what is wrong and what has
changed, and writes ``results/architectures.json``. ``python benchmarks/architectures.py BERT Mixtral`` tries some and
writes nothing.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from attempts import ATTEMPTS, Outcome, State, attempts
from census import census
from families import GROUPS, Family
from families.family import NotInThisVersion

from essparse_lib.errors import one_line, unknown
from essparse_lib.files import writing

#: Where the table is kept; the page has it from there.
KEPT = Path(__file__).parents[1] / "results/architectures.json"


def row(group: str, family: Family) -> dict[str, Any]:
    """Return a family's row of the table; without ``outcomes`` where the installed version has no such family."""
    common = {"group": group, "name": family.name, "model": family.model, "library": family.library}
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            model = family.build()
            left_alone = sorted(census(family, model).left_alone)
            outcomes = attempts(family, model)
    except NotInThisVersion:
        return common
    except Exception as error:  # the list of families does not fit this version
        message = f"no tiny model: {type(error).__name__}: {one_line(error)}"
        left_alone, outcomes = [], dict.fromkeys(ATTEMPTS, Outcome(State.DEFECT, message))
    return {
        **common,
        "left_alone": left_alone,
        "outcomes": {column: [str(outcome.state), outcome.reason] for column, outcome in outcomes.items()},
    }


def rows() -> Iterator[dict[str, Any]]:
    """Yield the row of each family, in the table's order."""
    quieten()
    for group, families in GROUPS.items():
        for family in families:
            yield row(group, family)


def quieten() -> None:
    """Let transformers print errors only: tiny models are odd in many ways."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def versions(table: list[dict[str, Any]]) -> dict[str, str]:
    """Return the versions of torch and of the libraries that models of a table are from."""
    libraries = ["torch", *(entry["library"] for entry in table if "outcomes" in entry)]
    return {name: metadata.version(name).partition("+")[0] for name in dict.fromkeys(libraries)}


def differences(table: list[dict[str, Any]], kept: list[dict[str, Any]]) -> list[str]:
    """Return what is another in one table than in one that was kept, a line for each cell.

    Families that either has not are passed over: they are of another version.
    """
    before = {(entry["library"], entry["name"]): entry.get("outcomes", {}) for entry in kept}
    lines = []
    for entry in table:
        old = before.get((entry["library"], entry["name"]), {})
        for column, outcome in entry.get("outcomes", {}).items():
            if column in old and list(outcome) != list(old[column]):
                was, now = (" ".join(filter(None, each)) for each in (old[column], outcome))
                lines.append(f"{entry['name']}, {column}: {was} → {now}")
    return lines


def defects(table: list[dict[str, Any]]) -> list[str]:
    """Return what is a defect, a line for each cell."""
    return [
        f"{entry['name']}, {column}: {reason}"
        for entry in table
        for column, (state, reason) in entry.get("outcomes", {}).items()
        if state == State.DEFECT
    ]


def main(names: Annotated[list[str] | None, typer.Argument(help="Families to try; all by default.")] = None) -> None:
    """Try what the library does with each architecture."""
    if names:
        _print_some(names)
        return
    start, table = time.time(), []
    for entry in rows():
        table.append(entry)
        cells = {column: str(state) for column, (state, _) in entry.get("outcomes", {}).items()}
        print(entry["name"], cells or "not in this version", flush=True)
    kept = json.loads(KEPT.read_text(encoding="utf-8"))["families"] if KEPT.is_file() else []
    print(*differences(table, kept), *defects(table), f"{time.time() - start:.0f} s", sep="\n")
    with writing(KEPT) as file:
        content = {"versions": versions(table), "families": table}
        file.write((json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    if defects(table):
        sys.exit(1)


def _print_some(names: list[str]) -> None:
    """Try the families of these names, and print their rows.

    Raises:
        typer.BadParameter: there is no such family.
    """
    listed = {family.name: (group, family) for group, families in GROUPS.items() for family in families}
    for name in names:
        if name not in listed:
            raise typer.BadParameter(str(unknown("architecture", name, listed)))
    quieten()
    for name in names:
        print(json.dumps(row(*listed[name]), indent=1, ensure_ascii=False))


if __name__ == "__main__":
    typer.run(main)
