"""Tables of results: which columns are numbers, what is collapsed, what a cell may not do."""

import re

import pandas as pd
import pytest

from essparse_lib.figures import tables


def html(frame, **options):
    return tables.show(frame, **options)


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        (["0.8 [−0.3, 1.9]", "≥ 90 [78, 90]", "not learned", "—"], "number"),
        (["40%", "21.5%"], "number"),
        ([3, 4], "number"),
        (["6 × 1,000", "3 × 277"], "number"),
        (["±0.42", "–"], "number"),
        (["+", "≈"], "words"),
        (["none", "not learned"], "words"),
        (["0.8 [−0.3, 1.9]: inconclusive"], "words"),
    ],
)
def test_a_column_is_of_numbers_or_of_words(cells, name):
    shown = html(pd.DataFrame({"x": cells}))
    assert set(re.findall(r'<t[dh][^>]* class="(\w+)"|<t[dh] class="(\w+)"', shown)) <= {(name, ""), ("", name)}


def test_an_interval_among_words_stays_in_one_piece():
    assert '<span class="interval">0.8 [−0.3, 1.9]</span>: agrees' in html(
        pd.DataFrame({"x": ["0.8 [−0.3, 1.9]: agrees"]})
    )


def test_a_cell_is_text_and_no_markup():
    shown = html(pd.DataFrame({'a"<b>': ["<script>"]}))
    assert "<script>" not in shown and "<b>" not in shown


def test_long_tables_are_collapsed():
    long = pd.DataFrame({"x": range(tables.LONG + 1)})
    assert html(long).startswith("<details") and html(long.head(tables.LONG)).startswith("<table")
    assert "<summary>Each task</summary>" in html(long.head(1), collapsed="Each task")


def test_without_rows_words_stand_in_its_place():
    assert tables.EMPTY in html(pd.DataFrame([])) and tables.EMPTY in html(pd.DataFrame([], columns=["x"]))
