"""What several figures show of one model on one task is one number with one interval."""

import json

import pytest
from bs4 import BeautifulSoup

from essparse_lib import figures
from essparse_lib.analysis.contrasts import contrasts
from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.essential import essential_sparsity
from essparse_lib.figures.task_titles import task_title
from essparse_lib.specs.trial import Pruning, Trial

#: The figures of trials at lab scale.
NAMES = [name for name in figures.STUDIES if isinstance(next(iter(figures.study(name, "lab").trials()), None), Trial)]


def ends(estimate):
    return tuple(round(float(each), 9) for each in (estimate.value, estimate.low, estimate.high))


def quantities(name):
    """Yield what a figure's curves and contrasts say: what it is of, and the number with its interval."""
    study = figures.study(name, "lab")
    records = figures.records(study, *study.controls)
    for part in (study, *study.controls):
        for variant in part.variants:
            for curve in curves(part, records, variant):
                of = part.trial(curve.model, curve.task, Pruning(), 0)
                yield (of, "dense score"), ends(curve.dense())
                for pruning, drop in zip(curve.prunings[1:], curve.drop_estimates()[1:], strict=True):
                    yield (of, "drop", pruning), ends(drop)
                if len(curve.prunings) > 1 and all(
                    pruning == Pruning(sparsity=pruning.sparsity) for pruning in curve.prunings
                ):
                    yield (of, "essential sparsity"), ends(essential_sparsity(curve))
        pairs = [(pruning, Pruning()) for variant in part.variants.values() for pruning in variant]
        for contrast in contrasts(part, records, pairs):
            of = part.trial(contrast.model, contrast.task, Pruning(), 0)
            value, low, high = ends(contrast.difference)
            yield (of, "drop", contrast.pruning), (-value + 0.0, -high + 0.0, -low + 0.0)


@pytest.mark.slow
def test_figures_that_share_trials_show_the_same_numbers():
    values, places = {}, {}
    for name in NAMES:
        for of, number in quantities(name):
            values.setdefault(of, {}).setdefault(number, set()).add(name)
            places.setdefault(of, set()).add(name)
    assert sum(len(each) > 1 for each in places.values()) > 100  # else nothing is compared
    assert {str(of): numbers for of, numbers in values.items() if len(numbers) > 1} == {}


#: What a table's column, or a panel's reading, calls a quantity.
COLUMNS = {
    "dense score": "dense score",
    "essential sparsity %": "essential sparsity",
    "essential sparsity %, ε = 1 point": "essential sparsity",
    "turning point %": "turning point",
}
#: The pages whose panels have a model as a line's colour and the way to prune as its dashes.
BY_MODEL = ("fig2", "fig3", "fig5", "fig9")


def of_tables(page, soup):
    """Yield what the tables of a page say of one model on one task: what it is of, and the number."""
    titles = {task_title(task): task for task in figures.study(page, "lab").tasks}
    for table in soup.select("table.results"):
        head, *rows = [[cell.get_text(" ", strip=True) for cell in row.select("th, td")] for row in table.select("tr")]
        if {"model", "task"} <= set(head):
            for row in rows:
                cells = dict(zip(head, row, strict=True))
                name = cells["task"]  # which may bear its metric, as in "SQuAD (questions), F1"
                task = titles.get(name, titles.get(name.rpartition(", ")[0], name))
                for column in set(COLUMNS) & set(head):
                    yield (cells["model"], task, COLUMNS[column]), cells[column]


def of_panels(page, soup):
    """Yield what the panels of a page say of one model on one task, pruned in some way."""
    for script in soup.select('script[type="application/json"]'):
        data = json.loads(script.string)
        for row in data["rows"] if page in BY_MODEL else ():
            if row["reading"] == "change from dense (points)" and "dash" in row:
                way = "by magnitude" if row["dash"] in ("one-shot", "unstructured") else row["dash"]
                yield (row["colour"], row["shape"], f"drop at {row['place']:g}%, {way}"), row["text"]


@pytest.mark.slow
def test_pages_show_one_number_for_one_thing(built):
    """A model that two figures train otherwise on a task is two things; the page says so (``fig9.other_tests``)."""
    values, places = {}, {}
    for page in NAMES:
        study = figures.study(page, "lab")
        soup = BeautifulSoup((built / "notebooks" / f"{page}.html").read_text(encoding="utf-8"), "html.parser")
        for (model, task, quantity), number in (*of_tables(page, soup), *of_panels(page, soup)):
            if task not in study.tasks:  # a data set, whose number is a mean over its folds
                continue
            training = study.trial(model, task, Pruning(), 0).training
            values.setdefault((model, task, training, quantity), {}).setdefault(number, set()).add(page)
            places.setdefault((model, task, training, quantity), set()).add(page)
    assert sum(len(each) > 1 for each in places.values()) > 20  # else nothing is compared
    assert {str(of): numbers for of, numbers in values.items() if len(numbers) > 1} == {}
