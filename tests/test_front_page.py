"""The first page: how many claims have which outcome, the forest plot, and a row for each claim."""

import json

import pytest
from bs4 import BeautifulSoup

from essparse_lib.book import claims, forest, front_page, verdicts
from essparse_lib.claims.headlines import HEADLINES
from essparse_lib.claims.registry import CLAIMS
from essparse_lib.claims.verdict import Outcome
from essparse_lib.errors import InputError


def quoting(folder, *names):
    """A notebook as it is once it is executed, which quotes the verdicts on some claims."""
    outputs = []
    for name in names:
        verdict = json.dumps({"claim": name, "outcome": "agrees", "finding": "So it is.", "numbers": {}})
        data = {"application/papermill.record/text/plain": repr(verdict)}
        scrapbook = {"name": f"{name.lower()}_verdict"}
        outputs.append({"output_type": "display_data", "data": data, "metadata": {"scrapbook": scrapbook}})
    path = folder / f"{'-'.join(names)}.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "outputs": outputs}]}))
    return path


def test_every_claim_has_a_headline_and_every_outcome_words():
    assert list(HEADLINES) == list(CLAIMS)
    for outcome in Outcome:
        assert "one" in front_page.summary({"C1": {"outcome": outcome.value}}).lower()


def test_a_claim_that_no_notebook_quotes_or_two_do_is_an_error(tmp_path):
    first, *others = CLAIMS
    rest = quoting(tmp_path, *others)
    assert list(verdicts.of_notebooks([rest, quoting(tmp_path, first)])) == list(CLAIMS)
    with pytest.raises(InputError, match="no notebook quotes a verdict on C1"):
        verdicts.of_notebooks([rest])
    with pytest.raises(InputError, match="two notebooks quote a verdict on C1"):
        verdicts.of_notebooks([rest, quoting(tmp_path, first), quoting(tmp_path, first, others[0])])
    assert verdicts.of_notebooks([]) == {}


@pytest.mark.parametrize(
    ("number", "inside"),
    [
        ({"value": 2.0, "low": 1.0, "high": 3.0, "allowed": [None, 1.0]}, 0.0),
        ({"value": 5.0, "low": None, "high": None, "allowed": [0.0, None], "reach": 10.0}, 0.0),
        ({"value": 0.0, "low": -2.0, "high": 2.0, "allowed": [-1.0, 1.0], "paper": [0.5, 0.5]}, 0.0),
    ],
)
def test_all_of_a_row_lies_in_its_drawing(number, inside):
    whole = {"text": "1", "unit": "", "of": "", "paper": None, "reach": None, **number}
    row = forest.Row(claim="C1", page="fig2.html", quantity="mean loss", outcome="agrees", number=whole)
    soup = BeautifulSoup(forest.forest_html([row]), "html.parser")
    width = float(soup.svg["viewbox"].split()[2])
    places = [
        float(tag[name]) for tag in soup.svg.find_all(True) for name in ("x", "x1", "x2", "cx") if tag.has_attr(name)
    ]
    assert places and all(inside <= place <= width for place in places)


def test_the_forest_plot_has_the_numbers_of_the_verdicts(built):
    soup = BeautifulSoup((built / "book/index.html").read_text(encoding="utf-8"), "html.parser")
    shown = [(row["data-claim"], row.select_one("td.value").get_text()) for row in soup.select("table.forest tbody tr")]
    expected = []
    for verdict in claims.plain("lab"):
        for number in verdict["numbers"].values():
            if number["value"] is not None and (number["allowed"] or number["paper"]):
                expected.append((verdict["claim"], number["text"].removesuffix(f" ({number['of']})")))
    assert shown == expected and len(shown) > 10
