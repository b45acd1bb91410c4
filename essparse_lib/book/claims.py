"""The twelve claims of the paper with what the records say of each, for the command line and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .. import figures
from ..claims.registry import CLAIMS
from ..claims.verdict import Verdict
from ..figures.verdicts import verdict
from ..specs.study import check_scale

if TYPE_CHECKING:
    from rich.console import RenderableType

#: Fewest columns of a terminal in which a claim has one row.
_WIDE = 100

_NONE = "—"


def verdicts(scale: str) -> dict[str, Verdict]:
    """Return the verdict on each of the paper's claims, by the claim's name, from the records of a scale alone.

    Args:
        scale: ``tiny``, ``lab`` or ``paper``.

    Raises:
        InputError: there is no such scale, or a record is damaged.
    """
    scale = check_scale(scale)
    records = figures.records(*(by_scale[scale] for by_scale in figures.STUDIES.values()))
    return {name: verdict(name, scale, records) for name in CLAIMS}


def plain(scale: str) -> list[dict[str, Any]]:
    """Return the claims and their verdicts as plain data, for JSON; arguments and errors as of ``verdicts``."""
    return [
        {
            **judged.plain(),
            "statement": CLAIMS[name].statement,
            "figure": CLAIMS[name].figure,
        }
        for name, judged in verdicts(scale).items()
    ]


def print_json(scale: str) -> None:
    """Print ``plain`` as JSON in ASCII, which any output takes; arguments and errors as of ``verdicts``."""
    print(json.dumps(plain(scale), indent=2, allow_nan=False))


def print_table(scale: str) -> None:
    """Print, for each claim, what the paper says, what the records say, and the outcome.

    In a narrow terminal a claim has several rows. Arguments and errors as of ``verdicts``.
    """
    from rich.console import Console

    console = Console(markup=False, highlight=False)  # [3, 46] is an interval, no style
    judged = verdicts(scale)
    console.print(_wide(judged) if console.width >= _WIDE else _narrow(judged))


def _wide(judged: dict[str, Verdict]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0))
    table.add_column("claim", no_wrap=True)
    table.add_column("figure", no_wrap=True)
    table.add_column("the paper", ratio=5)
    table.add_column("here", ratio=5)
    table.add_column("outcome", ratio=2)
    for name, each in judged.items():
        claim = CLAIMS[name]
        table.add_row(name, claim.figure or _NONE, claim.statement, _found(each), each.outcome.value)
    return table


def _narrow(judged: dict[str, Verdict]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for name, each in judged.items():
        claim = CLAIMS[name]
        table.add_row(name, f"{each.outcome} ({claim.figure or 'no figure'})")
        table.add_row("paper", claim.statement)
        table.add_row("here", _found(each))
        table.add_row("", "")
    return table


def _found(judged: Verdict) -> str:
    """Return the numbers that decide, or else the reasons why nothing is decided, and what is stated besides."""
    besides = [statement.text for statement in judged.statements]
    return "\n".join([judged.measured or judged.reason, *besides])
