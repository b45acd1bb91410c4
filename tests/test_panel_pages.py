"""Panels in a browser: what they show at the slider is what the records say."""

import base64

import numpy as np
import pytest

from essparse_lib import figures
from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.essential import essential_sparsity
from essparse_lib.analysis.estimate import Estimate
from essparse_lib.records.store import results
from essparse_lib.specs.measurement import Measurement


@pytest.fixture
def tab(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, reduced_motion="reduce")
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def records():
    return results("lab").records()


@pytest.fixture(scope="module")
def found(records):
    """The curves of the landing page, by task."""
    study = figures.study("fig2", "lab")
    return {curve.task: curve for curve in curves(study, records) if curve.model == study.models[0]}


def opened(tab, built, page, number=0):
    """A page's panel once it is alive."""
    tab.goto((built / f"{page}.html").as_uri())
    panel = tab.locator("div.panel").nth(number)
    panel.and_(tab.locator("[data-ready]")).wait_for()
    return panel


def numbers(panel):
    """The panel's table, as lists of texts by its first column."""
    rows = panel.locator(".panel-numbers tbody tr").all()
    return {row.locator("th").inner_text().strip(): row.locator("td").all_inner_texts() for row in rows}


def place(panel):
    return panel.locator(".panel-slider output").inner_text()


def expected(found, level):
    """What the landing page is to say of each task at a level, from its records: that it was measured, or was not."""
    said = {}
    for task, curve in found.items():
        here = ["", "not measured"]
        if level in curve.levels:
            drop = curve.drop_estimates()[list(curve.levels).index(level)]
            here = [f"{round(100 * level)}%", Estimate(-drop.value, -drop.high, -drop.low).text()]
        knee = essential_sparsity(curve)
        known = curve.learned()
        said[task] = [*here, Estimate(100 * knee.value, 100 * knee.low, 100 * knee.high).text() if known else "none"]
    return said


def test_the_numbers_follow_the_keyboard(built, tab, found):
    panel = opened(tab, built, "book/index")
    slider = panel.get_by_role("slider")
    assert place(panel) == "30%" and numbers(panel) == expected(found, 0.3)
    slider.focus()
    for _ in range(20):
        tab.keyboard.press("ArrowRight")
    assert place(panel) == "50%" and numbers(panel) == expected(found, 0.5)
    assert slider.get_attribute("aria-valuetext") == "50%"
    tab.keyboard.press("End")
    assert place(panel) == "90%" and numbers(panel) == expected(found, 0.9)
    tab.keyboard.press("Home")
    assert place(panel) == "0%" and {row[1] for row in numbers(panel).values()} == {"0.0 [0.0, 0.0]"}


def test_the_numbers_follow_the_mouse(built, tab, found):
    panel = opened(tab, built, "book/index")
    box = panel.get_by_role("slider").bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 2 * box["width"] / 3, box["y"] + box["height"] / 2, steps=5)
    tab.mouse.up()
    at = int(place(panel).removesuffix("%"))
    assert 55 <= at <= 65
    assert numbers(panel) == expected(found, 0.6)


def test_between_two_measured_places_it_says_which_it_shows(built, tab, found):
    panel = opened(tab, built, "book/index")
    panel.get_by_role("slider").fill("36")
    assert place(panel) == "36%" and numbers(panel) == expected(found, 0.4)


@pytest.mark.parametrize("percent", [0, 1, 37, 90])
def test_the_weights_that_are_drawn_are_those_that_stay(built, tab, records, percent):
    panel = opened(tab, built, "book/index")
    panel.get_by_role("slider").fill(str(percent))
    study = figures.study("fig2", "lab")
    matrices = records[Measurement(kind="pruning-order", model=study.models[0], sparsity=0.0).id].values["matrices"]
    drawn = panel.locator("canvas").evaluate_all(
        """(all) => all.map((c) => {
          const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
          return data.filter((_, i) => i % 4 === 3).map((alpha) => alpha > 0).join("");
        })"""
    )
    for pixels, caption, matrix in zip(drawn, panel.locator("figcaption").all_inner_texts(), matrices, strict=True):
        levels = np.frombuffer(base64.b64decode(matrix["levels"]), dtype=np.uint8)
        assert pixels == "".join(str(int(level >= percent)) for level in levels)
        assert matrix["component"] in caption and f"{matrix['gone'][percent]:.1f}% gone" in caption


def test_what_is_turned_off_goes_from_chart_and_table(built, tab, found):
    panel = opened(tab, built, "book/index")
    lines = panel.locator("svg .mark-line path")
    assert lines.count() == len(found)
    panel.get_by_role("checkbox", name="rte").uncheck()
    assert "rte" not in numbers(panel) and len(numbers(panel)) == len(found) - 1
    lines.nth(len(found) - 1).wait_for(state="detached")
    panel.get_by_role("checkbox", name="rte").check()
    assert numbers(panel) == expected(found, 0.3)


def test_another_reading_is_that_of_the_records(built, tab, found):
    panel = opened(tab, built, "book/index")
    panel.get_by_role("combobox").select_option("score")
    measured = {task: list(curve.levels).index(0.3) for task, curve in found.items() if 0.3 in curve.levels}
    said = numbers(panel)
    for task, level in measured.items():
        assert said[task][1] == found[task].score_estimates()[level].text()
    panel.get_by_role("combobox").select_option("change (% of dense)")
    said = numbers(panel)
    for task, level in measured.items():
        drop = found[task].drop_estimates(relative=True)[level]
        assert said[task][1] == Estimate(-drop.value, -drop.high, -drop.low).text()


def test_the_chart_moves_with_the_slider(built, tab):
    panel = opened(tab, built, "book/index")
    rule = panel.locator("svg .mark-rule line[stroke-dasharray='2,2']")
    before = rule.evaluate("(line) => line.getBoundingClientRect().x")
    panel.get_by_role("slider").fill("80")
    tab.wait_for_function(
        "(x) => document.querySelector(\"svg .mark-rule line[stroke-dasharray='2,2']\")"
        ".getBoundingClientRect().x > x + 100",
        arg=before,
    )


def test_figures_have_panels_of_their_curves(built, tab):
    for page, count in {"fig2": 1, "fig5": 1, "fig8": 2, "fig9": 1, "fig10": 1}.items():
        for number in range(count):
            panel = opened(tab, built, f"notebooks/{page}", number)
            shown = numbers(panel)
            assert shown and "not measured" not in str(shown), page
            assert panel.locator("svg").get_attribute("aria-label") or panel.locator("svg [aria-label]").count(), page


def test_without_scripts_there_are_words(built, browser):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((built / "book/index.html").as_uri())
    assert "One line for each task" in tab.locator("div.panel").inner_text()
    context.close()
