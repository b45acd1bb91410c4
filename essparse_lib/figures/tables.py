"""Tables of results as the pages show them: numbers at the right, intervals in one piece, long tables collapsed."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from .html import Html

if TYPE_CHECKING:
    import pandas as pd

#: A table with more rows is collapsed.
LONG = 12

#: What is shown in place of a table without rows.
EMPTY = "No records yet."

_NUMBER = r"[≥≤±<>]?\s?[−+-]?\d[\d,]*(?:\.\d+)?"

#: An interval, which a line never breaks, with the number before it.
_INTERVAL = re.compile(rf"(?:{_NUMBER} )?\[{_NUMBER}, {_NUMBER}\]")

#: A cell of a column of numbers: a number with its unit, with or without its interval.
_NUMERIC = re.compile(rf"{_NUMBER}\s?[%kM]?(?: \[{_NUMBER}%?, {_NUMBER}%?\])?(?: × {_NUMBER})?")

#: Cells that may stand in any column, such as for a number that there is none of.
_ANYWHERE = {"", "—", "–", "nan", "none", "not learned", "not measured"}


def show(frame: pd.DataFrame, collapsed: str | None = None) -> Html:
    """Return a table of results as HTML: a row of the frame is a row of the table, or on a phone a card.

    Cells in columns of numbers have the class ``number``, the others ``words``. A table with more rows than ``LONG``
    is collapsed.

    Args:
        frame: the cells, as texts or numbers; its index is left out.
        collapsed: the line that a reader clicks on to open the table; None for a table that is open unless it is long.
    """
    if frame.empty:
        return Html(f'<p class="results">{EMPTY}</p>')
    titles = [str(title) for title in frame.columns]
    columns = [[_text(cell) for cell in frame[title]] for title in frame.columns]
    classes = ["number" if _is_numeric(column) else "words" for column in columns]
    heads = [
        f'<th scope="col" class="{name}">{escape(title)}</th>' for title, name in zip(titles, classes, strict=True)
    ]
    rows = []
    for row in zip(*columns, strict=True):
        cells = zip(row, titles, classes, strict=True)
        rows.append(f"<tr>{''.join(_cell(text, title, name) for text, title, name in cells)}</tr>")
    table = f'<table class="results"><thead><tr>{"".join(heads)}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    summary = collapsed or (f"Show all {len(rows)} rows" if len(rows) > LONG else "")
    if not summary:
        return Html(table)
    return Html(f'<details class="results"><summary>{escape(summary)}</summary>{table}</details>')


def _text(cell: object) -> str:
    return "—" if cell is None or cell != cell else str(cell)  # NaN alone differs from itself


def _is_numeric(column: list[str]) -> bool:
    """Return whether all cells of a column that are not words for a missing number are numbers, and at least one is."""
    numbers = [cell for cell in column if cell not in _ANYWHERE]
    return bool(numbers) and all(_NUMERIC.fullmatch(cell) for cell in numbers)


def _cell(text: str, title: str, name: str) -> str:
    """Return a cell; its title stands beside it where a row is a card, and intervals in words are kept in one piece."""
    shown = escape(text)
    if name == "words":
        shown = _INTERVAL.sub(lambda match: f'<span class="interval">{match[0]}</span>', shown)
    return f'<td class="{name}" data-title="{escape(title)}"><span>{shown}</span></td>'
