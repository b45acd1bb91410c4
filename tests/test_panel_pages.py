"""Panels in a browser: what they show at the slider is what the records say, at every width and in both themes."""

import base64
import re

import numpy as np
import pytest
from accessibility import severe

from essparse_lib import figures
from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.essential import essential_sparsity
from essparse_lib.analysis.estimate import Estimate
from essparse_lib.figures import panels
from essparse_lib.records.store import results
from essparse_lib.specs.measurement import Measurement

#: What is wrong with the panels of a page at its present width: charts and tables that do not fit, broken numbers.
MISFITS = """() => [...document.querySelectorAll("div.panel")].flatMap((panel, i) => {
  const wrong = [];
  const expect = (holds, words) => holds || wrong.push(`panel ${i}: ${words}`);
  const inside = (a, b) => a.left >= b.left - 1 && a.right <= b.right + 1;
  const rect = (element) => element.getBoundingClientRect();
  const box = panel.querySelector(".panel-chart");
  const drawing = box.querySelector("svg");
  expect(inside(rect(box), rect(panel)), "the chart's box leaves the panel");
  expect(inside(rect(drawing), rect(box)), `the chart is ${rect(drawing).width} wide in ${rect(box).width}`);
  expect(rect(drawing).width > rect(box).width - 2, `the chart fills ${rect(drawing).width} of ${rect(box).width}`);
  const cut = [...drawing.querySelectorAll("text")].filter((text) => !inside(rect(text), rect(box)));
  for (const { textContent } of cut) expect(false, `cut: ${textContent}`);
  expect(panel.scrollWidth <= panel.clientWidth, `${panel.scrollWidth} wide in ${panel.clientWidth}`);
  const numbers = panel.querySelector(".panel-numbers");
  expect(inside(rect(numbers.querySelector("table")), rect(numbers)), "the table leaves its column");
  const ends = {};
  for (const cell of numbers.querySelectorAll("td span")) {
    expect(cell.getClientRects().length === 1, `broken: ${cell.textContent}`);
    (ends[cell.parentElement.cellIndex] ??= new Set()).add(Math.round(rect(cell).right));
  }
  for (const [column, at] of Object.entries(ends)) expect(at.size === 1, `column ${column} ends at ${[...at]}`);
  return wrong;
})"""

#: The same, once it is nothing, or some seconds later: a chart is drawn anew soon after its panel has another width.
SETTLED = f"""async () => {{
  const misfits = {MISFITS};
  for (let i = 0; i < 50 && misfits().length; i++) await new Promise((done) => setTimeout(done, 100));
  return misfits();
}}"""


@pytest.fixture
def tab(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, reduced_motion="reduce")
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def pages_with_panels(built, pages):
    """The names of the pages that have a panel."""
    found = [page for page in pages if '<div class="panel">' in (built / f"{page}.html").read_text(encoding="utf-8")]
    assert {"book/index", "notebooks/fig2", "notebooks/fig6", "notebooks/fig8", "notebooks/fig10"} <= set(found)
    return found


@pytest.fixture(scope="module")
def records():
    return results("lab").records()


@pytest.fixture(scope="module")
def found():
    """The curves of the landing page, by task."""
    study = figures.study("fig2", "lab")
    return {curve.task: curve for curve in curves(study, figures.records(study)) if curve.model == study.models[0]}


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


def alive(tab, built, page):
    """Go to a page, and wait for all of its panels."""
    tab.goto((built / f"{page}.html").as_uri())
    tab.wait_for_function("() => !document.querySelector('div.panel:not([data-ready])')")


def heading(panel):
    return panel.locator(".panel-numbers p").inner_text()


def first_tasks(found):
    """The tasks that the landing page draws at first: four that the model learned."""
    return [task for task, curve in found.items() if curve.learned()][:4]


def expected(found, level, tasks=None):
    """What the landing page is to say of some tasks at a level at which all were measured, from their records."""
    said = {}
    for task in tasks or first_tasks(found):
        curve = found[task]
        drop = curve.drop_estimates()[list(curve.levels).index(level)]
        knee = essential_sparsity(curve).scaled(100).text(0, last=100 * curve.levels[-1])
        said[task] = [Estimate(-drop.value, -drop.high, -drop.low).text(), knee if curve.learned() else "not learned"]
    return said


def test_the_numbers_follow_the_keyboard(built, tab, found):
    panel = opened(tab, built, "book/index")
    slider = panel.get_by_role("slider")
    assert place(panel) == "30%" and numbers(panel) == expected(found, 0.3)
    slider.focus()
    for _ in range(20):
        tab.keyboard.press("ArrowRight")
    assert place(panel) == "50%" and numbers(panel) == expected(found, 0.5)
    assert heading(panel).startswith("Measured at 50%.")
    assert slider.get_attribute("aria-valuetext") == "50%"
    tab.keyboard.press("End")
    assert place(panel) == "90%" and numbers(panel) == expected(found, 0.9)
    tab.keyboard.press("Home")
    assert place(panel) == "0%" and {row[0] for row in numbers(panel).values()} == {"0.0 [0.0, 0.0]"}


def test_the_numbers_follow_the_mouse(built, tab, found):
    panel = opened(tab, built, "book/index")
    slider = panel.get_by_role("slider")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 2 * box["width"] / 3, box["y"] + box["height"] / 2, steps=5)
    tab.mouse.up()
    at = int(place(panel).removesuffix("%"))
    assert 55 <= at <= 65
    assert numbers(panel) == expected(found, 0.6)


@pytest.mark.parametrize(("stands", "level"), [(34, 0.3), (35, 0.4), (36, 0.4)])
def test_between_two_measured_places_it_says_which_it_shows(built, tab, found, stands, level):
    panel = opened(tab, built, "book/index")
    panel.get_by_role("slider").fill(str(stands))
    assert place(panel) == f"{stands}%" and numbers(panel) == expected(found, level)
    assert heading(panel).startswith(f"Measured at {level:.0%}; the slider stands at {stands}%.")
    columns = panel.locator(".panel-numbers thead th").all_inner_texts()
    assert columns == ["line", "change from dense (points) [95% interval]", "essential sparsity (%)"]


def test_lines_that_were_measured_elsewhere_say_where(built, tab, found):
    panel = opened(tab, built, "book/index")
    elsewhere = next(task for task, curve in found.items() if 0.3 not in curve.levels)
    panel.get_by_role("checkbox", name=elsewhere).check()
    assert heading(panel).startswith("The slider stands at 30%; each row says where it was measured.")
    places = 100 * found[elsewhere].levels
    nearest = max(places, key=lambda at: (-abs(at - 30), at))
    said = numbers(panel)
    assert said[elsewhere][0] == f"{nearest:g}%" and {said[task][0] for task in first_tasks(found)} == {"30%"}


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
    first, *others = first_tasks(found)
    assert lines.count() == 4
    assert f"4 of {len(found)} lines are drawn; tick others." in panel.locator(".panel-count").inner_text()
    panel.get_by_role("checkbox", name=first).uncheck()
    assert list(numbers(panel)) == others
    lines.nth(3).wait_for(state="detached")
    panel.get_by_role("checkbox", name=first).check()
    assert numbers(panel) == expected(found, 0.3)


def test_where_nothing_is_ticked_there_are_words(built, tab, found):
    panel = opened(tab, built, "book/index")
    for task in first_tasks(found):
        panel.get_by_role("checkbox", name=task).uncheck()
    words = panel.locator(".panel-empty")
    assert words.inner_text() == "No line is drawn: nothing is ticked under “Task”."
    assert words.get_attribute("aria-live") == "polite" and not panel.locator(".panel-chart").is_visible()
    assert not numbers(panel)
    panel.get_by_role("checkbox", name=first_tasks(found)[0]).check()
    panel.locator("svg .mark-line path").wait_for()
    assert not words.is_visible() and len(numbers(panel)) == 1


def test_another_reading_is_that_of_the_records(built, tab, found):
    panel = opened(tab, built, "book/index")
    panel.get_by_role("combobox").select_option(panels.SCORE)
    level = {task: list(found[task].levels).index(0.3) for task in first_tasks(found)}
    said = numbers(panel)
    for task, at in level.items():
        assert said[task][0] == found[task].score_estimates()[at].text()
    panel.get_by_role("combobox").select_option(panels.PERCENT)
    said = numbers(panel)
    for task, at in level.items():
        assert said[task][0] == (-found[task].drop_estimates(relative=True)[at]).text()
    panel.locator("svg").get_by_text(panels.PERCENT).wait_for()


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


def test_every_panel_says_what_it_draws(built, tab, pages_with_panels):
    for page in pages_with_panels:
        alive(tab, built, page)
        for panel in tab.locator("div.panel").all():
            lines = panel.locator("svg .mark-line path").count()
            assert 1 <= lines <= panels.MOST_LINES, page
            counted = panel.locator(".panel-count").inner_text()
            assert re.match(rf"{lines} of \d+ lines|All {lines} lines|The only line", counted), (page, counted)
            assert panel.locator(".panel-numbers").get_attribute("aria-live") == "polite", page
            assert heading(panel).startswith("Measured at "), page
            label = panel.locator("svg .mark-group.role-title text").text_content()
            title, unit = label.removesuffix(")").split(" (")
            assert title and unit, page
            changes = panel.locator("svg").get_by_text("−ε, 1 below dense").count()
            assert changes == (title == "change from dense"), page
            strip = panel.locator("svg").get_by_text("essential sparsity (%), 95% interval").count()
            assert strip == ("essential sparsity (%)" in panel.locator("thead").inner_text()), page


def test_charts_and_tables_follow_the_width_of_their_panels(built, browser, pages_with_panels):
    wrong = []

    def look(tab, page, width):
        tab.set_viewport_size({"width": width, "height": 900})
        wrong.extend(f"{page} at {width}: {misfit}" for misfit in tab.evaluate(SETTLED))

    for page in pages_with_panels:
        context = browser.new_context(viewport={"width": 900, "height": 900}, reduced_motion="reduce")
        tab = context.new_page()
        alive(tab, built, page)
        for width in (900, 1600, 390, 1280):
            look(tab, page, width)
        for width in (1600, 390):
            tab.set_viewport_size({"width": width, "height": 900})
            alive(tab, built, page)
            look(tab, page, width)
        context.close()
    assert wrong == []


def test_what_does_not_fit_is_seen(built, tab):
    alive(tab, built, "notebooks/fig10")
    assert tab.evaluate(MISFITS) == []
    tab.evaluate("""() => {
      document.querySelector(".panel-chart svg").style.width = "1812px";
      document.querySelector(".panel-numbers td").style.paddingRight = "20px";
    }""")
    seen = " ".join(tab.evaluate(MISFITS))
    assert "the chart is 1812 wide" in seen and "column 1 ends at " in seen


def tick(panel, ticked):
    """Tick all boxes of a panel, or none."""
    for box in panel.get_by_role("checkbox").all():
        box.set_checked(ticked)


def turn_theme(tab):
    """Go over to the other theme, as the button of the page does."""
    tab.evaluate(
        "({ dataset }) => { dataset.theme = dataset.theme === 'dark' ? 'light' : 'dark'; }", tab.query_selector("html")
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_panels_are_accessible_with_every_line_and_with_none(built, browser, pages_with_panels, theme):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=theme, reduced_motion="reduce")
    tab = context.new_page()
    for page in pages_with_panels:
        alive(tab, built, page)
        for ticked in (True, False):
            for panel in tab.locator("div.panel").all():
                tick(panel, ticked)
            assert severe(tab) == [], page
    context.close()


def test_nothing_that_a_reader_does_to_a_panel_leaves_a_message_on_the_console(built, tab, pages_with_panels):
    troubles = []
    tab.on("console", lambda message: message.type in ("error", "warning") and troubles.append(message.text))
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    for page in pages_with_panels:
        alive(tab, built, page)
        for panel in tab.locator("div.panel").all():
            for ticked in (True, False):
                tick(panel, ticked)
                for option in panel.locator("select option").all():
                    panel.locator("select").select_option(option.inner_text())
                panel.get_by_role("slider").press("End")
                panel.get_by_role("slider").press("Home")
            if panel.get_by_role("checkbox").count():
                assert panel.locator(".panel-empty").is_visible(), page
        turn_theme(tab)
        tab.wait_for_timeout(300)
        assert troubles == [], page


def test_every_colour_can_be_told_from_the_page_in_the_dark(built, tab):
    panel = opened(tab, built, "notebooks/fig8")
    colours = "(svg) => [...svg.querySelectorAll('.mark-line path')].map((path) => getComputedStyle(path).stroke)"
    light = panel.locator(".panel-chart svg").evaluate(colours)
    assert "rgb(68, 1, 84)" in light  # the darkest of viridis, as in the static figure
    turn_theme(tab)
    tab.wait_for_function(
        "(before) => !document.querySelector('.panel-chart svg').innerHTML.includes(before)", arg="#440154"
    )
    for colour in panel.locator(".panel-chart svg").evaluate(colours):
        red, green, blue = ((int(c) / 255) ** 2.2 for c in re.findall(r"\d+", colour))
        assert 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.11  # a contrast of three to nearly black


def test_without_scripts_there_are_words(built, browser):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((built / "book/index.html").as_uri())
    assert "One line for each task" in tab.locator("div.panel").inner_text()
    context.close()
