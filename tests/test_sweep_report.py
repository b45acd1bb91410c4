"""The report of a sweep: what stands in its files, and the page as a reader has it in a browser."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from made_sweeps import HOSTILE, LEVELS, STATES, made, read

from essparse_lib.errors import InputError
from essparse_lib.sweeps.answer import Outcome
from essparse_lib.sweeps.report import write_report
from essparse_lib.sweeps.report.facts import facts_of
from essparse_lib.sweeps.report.frames import frames
from essparse_lib.sweeps.report.loading import loading_code
from essparse_lib.sweeps.report.places import LossVerdict
from essparse_lib.texts import printable

FILES = ["curve.png", "curve.svg", "report.html", "summary.json"]
OUTCOMES = {
    "resolved": Outcome.RESOLVED,
    "wide": Outcome.WIDE,
    "never": Outcome.NEVER,
    "not learned": Outcome.NOT_LEARNED,
    "nothing measured": Outcome.UNMEASURED,
    "dense alone": Outcome.UNMEASURED,
    "dense failed": Outcome.UNMEASURED,
}


@pytest.fixture(scope="module")
def sweeps():
    """The made-up sweep of each state."""
    return {state: make() for state, make in STATES.items()}


@pytest.fixture(scope="module")
def reports(sweeps, tmp_path_factory):
    """The folder of each state's report."""
    folders = {state: tmp_path_factory.mktemp("report") for state in sweeps}
    for state, folder in folders.items():
        write_report(sweeps[state], folder)
    return folders


@pytest.fixture(scope="module")
def summaries(reports):
    return {state: strict((folder / "summary.json").read_text("utf-8")) for state, folder in reports.items()}


def strict(text):
    """JSON without NaN or infinity, which its grammar does not have."""

    def refused(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refused)


class Page(HTMLParser):
    """Every element of a page with its attributes, and the page's text without styles and scripts."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts, self.within = [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.within = tag

    def handle_endtag(self, tag):
        self.within = ""

    def handle_data(self, data):
        if self.within not in ("script", "style"):
            self.texts.append(data)


def test_a_report_is_four_files_and_no_more(reports):
    for folder in reports.values():
        assert sorted(path.name for path in folder.iterdir()) == FILES
    assert max((folder / "report.html").stat().st_size for folder in reports.values()) < 200_000


def test_the_made_up_sweeps_are_in_the_states_that_they_stand_for(sweeps):
    assert {state: sweeps[state].answer.outcome for state in OUTCOMES} == OUTCOMES


def test_the_same_sweep_makes_the_same_bytes(reports, tmp_path):
    write_report(STATES["wide"](), tmp_path)
    assert [name for name in FILES if (tmp_path / name).read_bytes() != (reports["wide"] / name).read_bytes()] == []


def test_an_earlier_report_is_replaced_and_all_else_is_left(tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "m.jsonl").write_text("kept")
    write_report(STATES["never"](), tmp_path)
    write_report(STATES["wide"](), tmp_path)
    assert strict((tmp_path / "summary.json").read_text("utf-8"))["outcome"] == Outcome.WIDE
    assert (tmp_path / "records" / "m.jsonl").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FILES, "records"])


def test_a_folder_in_a_files_place_is_refused_in_one_line(tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(InputError, match=r"report\.html"):
        write_report(STATES["nothing measured"](), tmp_path)


def test_the_summary_has_the_numbers_of_the_curve_unrounded(sweeps, summaries):
    for state in ("wide", "one seed", "failures"):
        curve, summary = sweeps[state].curve, summaries[state]
        measured = [level for level in summary["levels"] if level["seeds"]]
        assert [level["sparsity"] for level in measured] == curve.levels.tolist()
        for level, drop, score, sd in zip(
            measured, curve.drop_estimates(), curve.score_estimates(), curve.training_sd, strict=True
        ):
            assert [level["loss"][end] for end in ("value", "low", "high")] == [drop.value, drop.low, drop.high]
            assert [level["score"][end] for end in ("value", "low", "high")] == [score.value, score.low, score.high]
            assert level["training_sd"]["value"] == (float(sd) or None)
        essential = sweeps[state].answer.essential
        assert [summary["essential"][end] for end in ("value", "low", "high")] == [
            None if np.isnan(essential.value) else essential.value,
            None if np.isnan(essential.low) else essential.low,
            None if np.isnan(essential.high) else essential.high,
        ]
        assert (summary["examples"], summary["seeds"]) == (curve.examples, list(curve.seeds))


def test_what_is_unknown_is_null(summaries):
    assert summaries["not learned"]["essential"] == {"value": None, "low": None, "high": None, "text": "unknown"}
    assert summaries["one seed"]["levels"][2]["training_sd"] == {
        "value": None,
        "low": None,
        "high": None,
        "text": "unknown",
    }
    assert summaries["perplexity"]["floor"] is None


def test_losses_in_percent_are_relative_to_the_dense_score(sweeps, summaries):
    drops = sweeps["relative"].curve.drops(relative=True)[0]
    assert [level["loss"]["value"] for level in summaries["relative"]["levels"]] == pytest.approx(drops.tolist())
    assert summaries["relative"]["tolerance_text"] == "2% of the dense score"


def test_log_probabilities_are_stated_as_perplexities(sweeps, summaries):
    curve, levels = sweeps["perplexity"].curve, summaries["perplexity"]["levels"]
    perplexities = np.exp(-curve.scores[0])
    rises = 100 * (perplexities / perplexities[0] - 1)
    assert [level["score"]["value"] for level in levels] == pytest.approx(perplexities.tolist())
    assert [level["loss"]["value"] for level in levels] == pytest.approx(rises.tolist(), abs=1e-9)
    assert all(level["score"]["low"] <= level["score"]["value"] <= level["score"]["high"] for level in levels)


def test_at_the_essential_sparsity_just_the_tolerance_is_lost():
    """The line that the slider moves on is the one that the answer is read off, where the curve only falls."""
    for result in (made(noise=0.0), made(noise=0.0, tolerance="1%"), read(tolerance=5)):
        facts = facts_of(result)
        sparsities = [place.sparsity for place in facts.places]
        losses = [place.loss.value for place in facts.places]
        at = np.interp(result.answer.essential.value, sparsities, losses)
        assert at == pytest.approx(result.tolerance.value, rel=0.02)


def test_the_slider_stops_at_each_level_and_each_percent(summaries):
    places = summaries["wide"]["places"]
    measured = [place["sparsity"] for place in places if place["measured"]]
    assert measured == [0.0, *LEVELS]
    assert len(places) == 81 + 1  # whole percents, and 56.25
    sparsities = [place["sparsity"] for place in places]
    assert sparsities == sorted(set(sparsities))
    levels = {level["sparsity"]: level for level in summaries["wide"]["levels"]}
    for place in places:
        if place["measured"]:
            level = levels[place["sparsity"]]
            assert (place["loss"], place["verdict"]) == (level["loss"], level["verdict"])
        else:
            assert "not measured" in place["source"]


def test_no_verdict_between_levels_contradicts_the_answer(sweeps):
    """What is between two levels is decided only by these: where the answer may lie, the slider is undecided."""
    for state in ("resolved", "wide", "relative", "perplexity"):
        result = sweeps[state]
        essential = result.answer.essential
        for place in facts_of(result).places:
            if not place.measured and essential.low < place.sparsity < essential.high:
                assert place.verdict is LossVerdict.UNDECIDED, (state, place.name)


@pytest.mark.parametrize("percent", [1, 7, 29, 57, 58, 99])
def test_a_level_of_a_whole_percent_is_one_place(percent):
    places = facts_of(made(levels=(percent / 100,))).places
    assert len(places) == percent + 1


def test_trials_that_failed_are_counted_and_named(summaries):
    summary = summaries["failures"]
    assert [(f["name"], f["seed"], f["status"]) for f in summary["failures"]] == [
        ("50%", 0, "diverged"),
        ("60%", 1, "failed"),
        *(("80%", seed, "failed") for seed in range(3)),
    ]
    assert {level["name"]: level["failures"] for level in summary["levels"] if level["failures"]} == {
        "50%": 1,
        "60%": 1,
        "80%": 3,
    }
    assert summary["levels"][-1]["verdict"] == "not measured"
    assert summaries["dense failed"]["failures"][0]["reason"] == "OutOfMemoryError: no memory"


def test_a_single_seed_is_said_to_make_intervals_too_narrow(summaries):
    assert any("too narrow" in sentence for sentence in summaries["one seed"]["noise"]["sentences"])
    assert not any("too narrow" in sentence for sentence in summaries["wide"]["noise"]["sentences"])


def test_what_it_takes_stands_in_the_page(sweeps, reports):
    needs = sweeps["wide"].answer.needs
    assert needs and needs in (reports["wide"] / "report.html").read_text("utf-8")


def test_the_page_names_no_address_and_loads_nothing(reports):
    for folder in reports.values():
        page = Page((folder / "report.html").read_text("utf-8"))
        loads = [(tag, names) for tag, names in page.elements if {"src", "srcset", "data", "xlink:href"} & set(names)]
        links = {attributes["href"] for _, attributes in page.elements if "href" in attributes}
        assert loads == [] and links == {"data:,", "summary.json", "curve.svg", "curve.png"}


def test_what_others_wrote_is_shown_and_does_nothing(reports, summaries):
    html = (reports["hostile"] / "report.html").read_text("utf-8")
    page = Page(html)
    assert [names.get("type") for tag, names in page.elements if tag == "script"] == ["application/json", None]
    text = "".join(page.texts)
    assert text.count(printable(HOSTILE)) >= 10
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", html)
    assert summaries["hostile"]["model"] == printable(HOSTILE)


def test_every_number_of_the_page_is_the_summarys(reports, summaries):
    """Numbers in words stand in the page as they stand in the summary."""
    for state, folder in reports.items():
        text = "\n".join(Page((folder / "report.html").read_text("utf-8")).texts)
        summary = summaries[state]
        for level in summary["levels"]:
            for field in ("score", "loss", "training_sd"):
                assert level[field]["text"] in text, (state, level["name"])
        for sentence in (*summary["limit"], *summary["noise"]["sentences"], summary["sentence"], summary["heading"]):
            assert sentence in text, state


def test_the_pictures_are_whole(reports):
    for folder in reports.values():
        assert ElementTree.fromstring((folder / "curve.svg").read_bytes()).tag.endswith("svg")
        assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_look_of_other_figures_is_left_alone(tmp_path):
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    before = dict(mpl.rcParams)
    write_report(STATES["never"](), tmp_path)
    assert dict(mpl.rcParams) == before and plt.get_fignums() == []


def test_without_matplotlib_the_page_says_that_pictures_are_left_out(tmp_path, monkeypatch):
    write_report(STATES["never"](), tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    write_report(STATES["never"](), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "summary.json"]
    assert "essparse[draw]" in (tmp_path / "report.html").read_text("utf-8")


def test_frames_hold_the_tolerance_where_it_is_seen(sweeps):
    for state, result in sweeps.items():
        facts = facts_of(result)
        views = frames(facts)
        assert bool(views) == facts.has_curve, state
        if views:
            near = views[-1]
            assert 0.02 < near.height(facts.tolerance) < 0.98, state
            assert abs(near.height(facts.tolerance) - near.height(0.0)) > 0.1, state
        for view in views:
            ticks = view.ticks()
            assert 2 <= len(ticks) <= 8 and all(0 <= view.height(tick) <= 1 for tick in ticks), state


@pytest.mark.parametrize(
    ("architecture", "files", "expected"),
    [
        (
            "BertForSequenceClassification",
            ["tokenizer_config.json"],
            {"AutoModelForSequenceClassification", "AutoTokenizer"},
        ),
        (
            "ViTForImageClassification",
            ["preprocessor_config.json"],
            {"AutoModelForImageClassification", "AutoImageProcessor"},
        ),
        ("GPT2LMHeadModel", ["tokenizer_config.json"], {"AutoModelForCausalLM", "AutoTokenizer"}),
        ("SomethingElse", [], {"AutoModel"}),
    ],
)
def test_the_code_that_loads_a_model_names_its_kind(tmp_path, architecture, files, expected):
    folder = tmp_path / 'it\'s "mine"'
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": [architecture]}))
    for name in files:
        (folder / name).write_text("{}")
    code = loading_code(str(folder))
    compile(code, "loading", "exec")
    assert set(re.findall(r"Auto\w+(?=\.from)", code)) == expected


@pytest.mark.parametrize("config", [None, "", "[]", "{}", '{"architectures": null}', '{"architectures": []}', "\udc80"])
def test_a_folder_that_says_nothing_of_its_model_is_loaded_as_any(tmp_path, config):
    if config is not None:
        (tmp_path / "config.json").write_bytes(config.encode(errors="surrogateescape"))
    assert "AutoModel.from_pretrained" in loading_code(str(tmp_path))


def test_a_dense_score_of_nothing_has_no_curve_in_percent(tmp_path):
    result = made(lambda sparsity: 88.0, tolerance="1%")
    curve = replace(result.curve, scores=0 * result.curve.scores, resampled=0 * result.curve.resampled)
    write_report(replace(result, curve=curve), tmp_path)
    summary = strict((tmp_path / "summary.json").read_text("utf-8"))
    assert summary["places"] == [] and {level["loss"]["text"] for level in summary["levels"]} == {"unknown"}


def test_the_report_is_imported_without_torch_and_without_matplotlib():
    code = "import sys, essparse_lib.sweeps.report\n"
    code += "assert not {'torch', 'transformers', 'matplotlib', 'pandas'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# In a browser

DESK, PHONE = 1280, 360

SEVERE = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target} ${node.html}`));
}"""

# Boxes beyond the edge of the page that nothing scrolls to.
BEYOND = """() => {
  const width = document.documentElement.clientWidth;
  const scrolls = (e) => e && (["auto", "scroll"].includes(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  const beyond = [...document.body.querySelectorAll("*:not(svg *)")].filter((element) => {
    const { left, right, width: own } = element.getBoundingClientRect();
    return own > 1 && (right > width + 1 || left < -1) && !scrolls(element.parentElement);
  });
  const all = document.documentElement.scrollWidth;
  return [...(all > width ? [`the page is ${all} wide`] : []), ...beyond.map((e) => `${e.tagName} ${e.textContent}`)];
}"""

# What the page shows at every place of the slider, one after the other.
MOVED = """() => {
  const slider = document.querySelector("input[type=range]");
  const shown = [];
  for (let number = Number(slider.min); number <= Number(slider.max); number++) {
    slider.value = number;
    slider.dispatchEvent(new Event("input"));
    const place = { spoken: slider.getAttribute("aria-valuetext") };
    for (const field of document.querySelectorAll("[data-field]")) place[field.dataset.field] = field.innerText;
    shown.push(place);
  }
  return shown;
}"""


@pytest.fixture(scope="module")
def opened(browser, reports):
    """``opened(state, width, theme)``: a tab with a state's report. Nothing else may be asked for, nor go wrong."""
    contexts, troubles = [], []
    addresses = {state: (folder / "report.html").as_uri() for state, folder in reports.items()}
    allowed = {"data:,", *addresses.values()}

    def new(state, width=DESK, theme="light", **options):
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, color_scheme=theme, **options)
        contexts.append(context)
        tab = context.new_page()
        tab.route("**/*", lambda route: route.continue_() if route.request.url in allowed else route.abort())
        tab.on("request", lambda request: request.url in allowed or troubles.append(request.url))
        tab.on("console", lambda message: troubles.append(message.text))
        tab.on("pageerror", lambda error: troubles.append(str(error)))
        tab.on("dialog", lambda dialog: troubles.append(dialog.message))
        tab.goto(addresses[state], wait_until="load")
        return tab

    yield new
    for context in contexts:
        context.close()
    assert troubles == []


def fields(tab):
    """What stands beside the slider."""
    return {name: tab.locator(f"[data-field={name}]").inner_text() for name in ("name", "loss", "verdict", "source")}


def expected(place):
    return {
        "name": place["name"],
        "loss": place["loss"]["text"],
        "verdict": place["verdict"],
        "source": place["source"],
    }


@pytest.mark.parametrize(("width", "theme"), [(DESK, "dark"), (PHONE, "light"), (PHONE, "dark")])
def test_each_state_reads_well_on_a_desk_and_a_phone(opened, reports, width, theme):
    from axe_playwright_python.base import AXE_SCRIPT

    found, tab = {}, opened("resolved", width, theme)
    for state, folder in reports.items():
        tab.goto((folder / "report.html").as_uri(), wait_until="load")
        tab.evaluate(AXE_SCRIPT)
        found[state] = [*tab.evaluate(SEVERE), *tab.evaluate(BEYOND)]
    assert {state: lines for state, lines in found.items() if lines} == {}


def test_axe_finds_nothing_on_a_desk_in_the_light(opened):
    from axe_playwright_python.base import AXE_SCRIPT

    tab = opened("failures")
    tab.evaluate(AXE_SCRIPT)
    assert tab.evaluate(SEVERE) == []
    tab.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\">')")
    assert any(line.startswith("image-alt") for line in tab.evaluate(SEVERE)), "axe sees nothing here"


def test_the_slider_shows_what_the_summary_says(opened, summaries):
    for state in ("wide", "perplexity", "failures", "hostile"):
        summary, tab = summaries[state], opened(state)
        assert fields(tab) == expected(summary["places"][summary["start"]])
        assert tab.evaluate(MOVED) == [expected(place) | {"spoken": place["spoken"]} for place in summary["places"]]


def test_the_slider_moves_by_the_keyboard_and_the_mark_with_it(opened, summaries):
    places, tab = summaries["wide"]["places"], opened("wide")
    slider = tab.get_by_label("Weights removed")
    slider.focus()
    for key, number in (("Home", 0), ("ArrowRight", 1), ("ArrowUp", 2), ("End", len(places) - 1), ("ArrowLeft", -2)):
        tab.keyboard.press(key)
        assert fields(tab) == expected(places[number])
    before = tab.locator(".cursor line").first.get_attribute("x1")
    tab.keyboard.press("Home")
    lines = tab.locator(".cursor line").all()
    assert len(lines) == 2 and all(float(line.get_attribute("x1")) < float(before) for line in lines)


def test_the_marks_of_measured_levels_lie_on_the_line(opened, summaries):
    """At each measured level the slider's mark covers the dot of that level."""
    places, tab = summaries["perplexity"]["places"], opened("perplexity")
    dots = tab.evaluate(
        "() => [...document.querySelectorAll('.level')].map((e) => [+e.getAttribute('cx'), +e.getAttribute('cy')])"
    )
    for number, place in enumerate(places):
        if place["measured"]:
            tab.get_by_label("Weights removed").fill(str(number))
            circle = tab.locator(".cursor circle").first
            at = [float(circle.get_attribute(name)) for name in ("cx", "cy")]
            assert at in dots, place["name"]


def test_the_table_has_the_summarys_numbers(opened, summaries):
    for state in ("wide", "relative", "perplexity", "failures"):
        rows = opened(state).locator("#levels tbody tr").all()
        texts = [row.locator("th, td").all_inner_texts() for row in rows]
        assert [[row[0], row[2], row[3], row[4]] for row in texts] == [
            [level["name"], level["score"]["text"], level["loss"]["text"], level["verdict"]]
            for level in summaries[state]["levels"]
        ]


def test_without_scripts_the_page_is_whole(opened, summaries):
    tab = opened("wide", java_script_enabled=False)
    summary = summaries["wide"]
    assert fields(tab) == expected(summary["places"][summary["start"]])
    assert tab.locator("#curve figure svg").count() == 2
    assert tab.get_by_text("The slider needs JavaScript").is_visible()
    assert not tab.get_by_role("slider").is_visible()
    assert not opened("wide").get_by_text("The slider needs JavaScript").is_visible()


def test_on_paper_there_is_no_slider_and_all_is_dark_on_light(opened):
    tab = opened("wide", theme="dark")
    tab.emulate_media(media="print")
    assert not tab.get_by_label("Weights removed").is_visible()
    assert not tab.locator(".cursor").first.is_visible()
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_a_policy_forbids_what_the_page_does_not_need(opened):
    tab = opened("never")
    policy = tab.locator("meta[http-equiv]").get_attribute("content")
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert tab.evaluate("getComputedStyle(document.querySelector('#answer')).borderLeftWidth") == "6px", "no style"
