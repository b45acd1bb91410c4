"""Panels: what their chart and their table are made of."""

import dataclasses
import json
import math
import re

import numpy as np
import pytest
import vl_convert
from helpers import CURVE_STUDY as STUDY
from helpers import curve_records as records
from helpers import knee_at

from essparse_lib import figures
from essparse_lib.analysis import series
from essparse_lib.analysis.curves import Curve, curves
from essparse_lib.analysis.essential import essential_sparsity
from essparse_lib.analysis.estimate import RESAMPLES, Estimate, exact
from essparse_lib.book import landing
from essparse_lib.figures import fig8, fig8_scores, fig11, fig11_plots, panel_chart, panel_layers, panels
from essparse_lib.records.store import Record
from essparse_lib.specs.measurement import Measurement
from essparse_lib.specs.study import Override, Study, at_sparsities
from essparse_lib.specs.trial import Pruning, Training

LEVELS = (0.0, 0.3, 0.6, 0.9)


def curve(task="rte", drop=(0.0, 0.0, 4.0, 20.0), seeds=2, model="bert", majority=50.0):
    """Scores of 80 that fall by ``drop``; the second seed lies 2 points above the first."""
    scores = np.array([[80 + 2 * seed - d for d in drop] for seed in range(seeds)])
    resampled = scores[None] + np.linspace(-1, 1, RESAMPLES)[:, None, None]
    prunings = tuple(Pruning(sparsity=level) for level in LEVELS)
    noise = np.zeros((RESAMPLES, 4))
    names = tuple(range(seeds))
    return Curve(
        model=model,
        task=task,
        variant="one-shot",
        metric="accuracy",
        prunings=prunings,
        levels=np.array(LEVELS),
        seeds=names,
        scores=scores,
        resampled=resampled,
        drawn=np.ones(4, dtype=bool),
        variances=np.zeros(4),
        noise=noise,
        examples=1000,
        majority=majority,
        failures=(),
    )


def book_data(groups, **options):
    return panel_chart.book_data(panels.of_curves(groups, "words", **options))


def group(data, channel):
    """What stands for a channel's values, and those that are ticked at first."""
    (found,) = (each for each in data["groups"] if each["channel"] == channel)
    return found["values"], found["ticked"]


def test_a_curve_is_read_in_three_ways():
    data = book_data({"one-shot": [curve()]})
    lines, marks = data["rows"], data["marks"]
    assert data["readings"] == [panels.CHANGE, panels.PERCENT, panels.SCORE]
    by_reading = {r: [row for row in lines if row["reading"] == r] for r in data["readings"]}
    assert [row["place"] for row in by_reading[panels.CHANGE]] == [0, 30, 60, 90]
    assert [row["value"] for row in by_reading[panels.CHANGE]] == [0, 0, -4, -20]
    assert [row["value"] for row in by_reading[panels.SCORE]] == [81, 81, 77, 61]
    assert by_reading[panels.PERCENT][3]["value"] == pytest.approx(-100 * 20 / 81, abs=0.01)
    assert by_reading[panels.SCORE][2]["text"] == "77.0 [74.8, 79.3]"
    assert by_reading[panels.SCORE][2]["seeds"] == "0: 76.0, 1: 78.0"
    assert by_reading[panels.CHANGE][2]["seeds"] == "0: −4.0, 1: −4.0"
    assert by_reading[panels.PERCENT][2]["seeds"] == "0: −5.0, 1: −4.9"
    # 1 point of the 4 between 30% and 60%
    assert {mark["reading"]: mark["value"] for mark in marks}[panels.CHANGE] == 37.5
    assert data["slider"] == {"from": 0, "to": 90, "step": 30, "start": 40.0}


def test_the_mark_of_a_curve_that_never_falls_is_a_bound():
    marks = book_data({"one-shot": [curve(drop=(0.0, 0.0, 0.0, 0.0)), curve("sst2")]})["marks"]
    texts = {mark["shape"]: mark["text"] for mark in marks if mark["reading"] == panels.CHANGE}
    assert texts["rte"] == "≥ 90 [90, 90]" and texts["sst2"].startswith("38 [")


def test_a_task_that_was_not_learned_has_words_in_place_of_a_mark_and_is_not_drawn_at_first():
    data = book_data({"one-shot": [curve(majority=90.0)]})
    assert data["mark"] is None and data["marks"] == []
    data = book_data({"one-shot": [curve(majority=90.0), curve("sst2")]})
    texts = {mark["shape"]: mark["text"] for mark in data["marks"] if mark["reading"] == panels.CHANGE}
    assert texts["rte"] == "not learned" and texts["sst2"].startswith("38 [")
    assert group(data, "shape") == (["rte", "sst2"], ["sst2"])


def test_no_curves_make_no_panel():
    assert panels.of_curves({"one-shot": []}, "words") is None


def test_a_score_is_that_of_the_seeds_that_have_one():
    holed = curve()
    holed.scores[1, 2] = math.nan
    holed.resampled[:, 1, 2] = math.nan
    lines = book_data({"one-shot": [holed]})["rows"]
    at = next(row for row in lines if row["place"] == 60 and row["reading"] == panels.SCORE)
    assert (at["value"], at["text"], at["seeds"]) == (76, "76.0 [75.0, 77.0]", "0: 76.0")


def test_colours_and_dashes_are_those_of_the_static_figure():
    from matplotlib import pyplot as plt
    from matplotlib.colors import to_hex

    from essparse_lib.figures import curve_plots

    main, further = [curve(), curve(model="opt")], [dataclasses.replace(curve(), variant="random")]
    data = book_data({"main": main, "random": further}, shown=["main"])
    figure = curve_plots.draw(main, variants={"random": further})
    drawn = {line.get_label(): line for legend in figure.legends for line in legend.get_lines()}
    plt.close(figure)
    assert data["looks"]["colour"] == {model: to_hex(drawn[model].get_color()) for model in ("bert", "opt")}
    dashes = {"one-shot": drawn["bert"], "random": drawn["random"]}
    assert data["looks"]["dash"] == {name: panel_layers.DASHES[line.get_linestyle()] for name, line in dashes.items()}
    assert group(data, "dash") == (["one-shot", "random"], ["one-shot"])


def test_scores_of_figure_8_look_as_in_its_static_figure():
    from matplotlib.colors import to_hex

    study = figures.study("fig8", "lab")
    panel = fig8_scores.panel(study, [curve(model=model) for model in study.models], start=40.0)
    looks = fig8.line_styles(series.text_pretrainings(study))
    texts = [look["label"] for look in looks.values()]  # such as "100%, seed 0"
    assert {f"{line.colour}, {line.dash}" for line in panel.lines} == set(texts)
    dashes = panel_layers.dashes(panel)
    for look in looks.values():
        text, seed = look["label"].split(", ")
        assert panel.colours[text] == to_hex(look["color"])
        assert dashes[seed] == panel_layers.DASHES[look["linestyle"]]
    assert panel.ticked["colour"] == ["100%", "60%"] and len(panel.drawn) == 4
    assert fig8_scores.panel(study, [], start=40.0) is None


def test_ways_to_prune_of_figure_11_have_the_colours_of_its_static_figure():
    from matplotlib.colors import to_hex

    from essparse_lib.figures import style

    names = [fig11.MAGNITUDE, *fig11.PATTERNS, fig11.SPARSEGPT, fig11.WANDA]
    variants = {name: [dataclasses.replace(curve(), variant=name)] for name in names}
    panel = fig11_plots.panel(variants, start=40.0)
    expected = {name: to_hex(colour) for name, colour in style.colours(names).items() if name not in fig11.PATTERNS}
    assert panel.colours == expected and panel.ticked["colour"] == [fig11.MAGNITUDE, fig11.SPARSEGPT]


@pytest.mark.parametrize(
    ("models", "tasks", "variants", "ticked"),
    [
        (3, 7, 2, (3, 1, 1)),  # a task of each model, by the first way to prune
        (2, 2, 1, (2, 2, 1)),
        (2, 5, 2, (2, 1, 2)),
        (7, 2, 1, (4, 1, 1)),
        (1, 10, 1, (1, 4, 1)),
    ],
)
def test_at_most_four_lines_are_drawn_at_first(models, tasks, variants, ticked):
    lines = [
        panels.Line(colour=f"{m}", shape=f"{t}", dash=f"{v}", places=[0, 1], readings={"r": [exact(0.0)] * 2})
        for v in range(variants)
        for m in range(models)
        for t in range(tasks)
    ]
    panel = panels.Panel(lines=lines, axis="x", description="words")
    assert tuple(len(panel.ticked[channel]) for channel in panels.CHANNELS) == ticked
    assert len(panel.drawn) == math.prod(ticked) <= panels.MOST_LINES


def test_models_of_different_tasks_are_each_drawn_at_first():
    lines = [
        panels.Line(colour=model, shape=task, dash=dash, places=[0, 1], readings={"r": [exact(0.0)] * 2})
        for dash in ("lottery", "one-shot")
        for model, tasks in {"bert": ("rte", "sst2"), "vit": ("cifar10", "elpv")}.items()
        for task in tasks
    ]
    panel = panels.Panel(lines=lines, axis="x", description="words")
    assert panel.ticked["shape"] == ["rte", "cifar10"] and len(panel.drawn) == 4


@pytest.mark.parametrize("found", [curve(), curve(majority=90.0)], ids=["marks", "no marks"])
def test_in_a_notebook_it_is_a_chart_with_its_own_controls(found):
    panel = panels.of_curves({"one-shot": [found]}, "these words")
    shown = panel_chart.show(panel)._repr_mimebundle_()
    assert shown["text/plain"] == "these words"
    assert "input" in shown["text/html"] and json.dumps(shown[panel_chart.MIME])
    chart = panel_chart.notebook_chart(panel)
    assert {p["name"] for p in chart["params"] if "bind" in p} == {"place", "reading"}  # one line needs no boxes
    assert "essential sparsity (%), 95% interval" in json.dumps(chart) or not found.learned()
    assert chart["description"] == "these words"


def test_there_is_nothing_to_show_without_a_panel():
    assert panel_chart.show(None) is None


def test_each_number_is_written_once_and_the_chart_names_its_data():
    panel = panels.of_curves({"one-shot": [curve()]}, "words")
    for chart in (panel_chart.chart(panel, controls=True), panel_chart.chart(panel, controls=False)):
        named = [layer["data"]["name"] for layer in chart["layer"] if "name" in layer["data"]]
        assert named == ["rows", "marks"] and "datasets" not in chart
    data = panel_chart.book_data(panel)
    texts = {row["text"] for row in data["rows"]}
    assert "\u221220.0 [" in str(texts) and not any(text in json.dumps(data["chart"]) for text in texts)


def drawn(panel, **signals):
    """The chart of a live notebook as a reader sees it, with some of its parameters set."""
    chart = panel_chart.notebook_chart(panel)
    for parameter in chart["params"]:
        if parameter["name"] in signals:
            parameter["value"] = signals[parameter["name"]]
    return vl_convert.vegalite_to_svg(chart)


def test_what_is_drawn_in_a_live_notebook_follows_every_control():
    random = dataclasses.replace(curve("rte"), variant="random")
    panel = panels.of_curves({"a": [curve("rte"), curve("sst2")], "b": [random]}, "words", shown=["a"])
    charts = [
        drawn(panel),
        drawn(panel, place=90),
        drawn(panel, reading=panels.PERCENT),
        drawn(panel, shape_0=False),
        drawn(panel, dash_0=False, dash_1=True),
        drawn(panel, dash_0=False),
    ]
    assert len(set(charts)) == len(charts)
    lines = [len(re.findall('aria-roledescription="line mark"', chart)) for chart in charts]
    assert lines == [2, 2, 2, 1, 1, 0]
    assert ["No line is drawn" in chart for chart in charts] == [False] * 5 + [True]


def test_the_line_below_dense_is_there_where_changes_are_drawn():
    panel = panels.of_curves({"a": [curve()]}, "words", epsilon=2.0)
    charts = [drawn(panel), drawn(panel, reading=panels.PERCENT), drawn(panel, reading=panels.SCORE)]
    assert ["−ε, 2 below dense" in chart for chart in charts] == [True, True, False]
    titles = (panels.CHANGE, panels.PERCENT, panels.SCORE)
    assert all(title in re.findall(">([^<]*)</text>", chart) for title, chart in zip(titles, charts, strict=True))


def test_a_panel_of_a_study_has_all_that_its_records_have():
    found = records(knee_at(0.5))
    (one,) = curves(STUDY, found)
    panel = panels.of_study(STUDY, found)
    data = panel_chart.book_data(panel)
    assert (group(data, "shape"), group(data, "dash")) == ((["t"], ["t"]), (["one-shot"], ["one-shot"]))
    assert panel.start == 40 and data["slider"]["step"] == 10
    at_70 = {row["reading"]: row for row in data["rows"] if row["place"] == 70}
    assert at_70[panels.CHANGE]["text"] == (-one.drop_estimates()[7]).text()
    assert at_70[panels.PERCENT]["text"] == (-one.drop_estimates(relative=True)[7]).text()
    assert len(at_70[panels.CHANGE]["seeds"].split(", ")) == 3
    marks = {mark["reading"]: mark["text"] for mark in data["marks"]}
    assert marks[panels.CHANGE] == essential_sparsity(one).scaled(100).text(0)
    assert marks[panels.PERCENT] == essential_sparsity(one, relative=True).scaled(100).text(0)
    assert panels.of_study(STUDY, {}) is None


def test_the_book_s_element_holds_the_data_and_words_for_those_without_scripts():
    data = panel_chart.book_data(panels.of_curves({"one-shot": [curve("</script>")]}, "a < b"))
    html = panel_chart.book_html(data)
    inner = html.split('<script type="application/json">')[1].split("</script>")[0]
    assert group(json.loads(inner), "shape")[0] == ["</script>"]
    assert "<noscript><p>a &lt; b" in html


def test_lines_need_be_no_curves():
    line = panels.Line(colour="pairs", places=[10, 20], readings={"cosine": [Estimate(99, 98, 100), exact(97)]})
    panel = panels.Panel(lines=[line], axis="sparsity (%)", description="words", interval="least, greatest")
    data = panel_chart.book_data(panel)
    assert data["interval"] == "least, greatest" and data["slider"]["to"] == 20
    assert [(row["text"], row["low"], row["high"]) for row in data["rows"]] == [
        ("99.0 [98.0, 100.0]", 98, 100),
        ("97.0", 97, 97),
    ]


@pytest.mark.parametrize(
    ("values", "texts"), [((1.62, 0.02), ["1.62", "0.02"]), ((0.0005086, 0.0), ["0.000509", "0.000000"])]
)
def test_numbers_have_as_many_digits_as_tell_them_apart(values, texts):
    line = panels.Line(colour="run", places=[0, 1], readings={"zeros": [exact(value) for value in values]})
    panel = panels.Panel(lines=[line], axis="step", description="words", interval="", digits=None)
    assert [row["text"] for row in panel_chart.rows(panel)] == texts


TRAINING = {"*": Training(learning_rate=1e-3, epochs=1, batch_size=8, max_length=16)}


def test_lines_that_could_not_be_told_apart_are_refused():
    with pytest.raises(ValueError, match="same colour, shape and dashes"):
        panels.of_curves({"M = 4": [curve()], "M = 8": [curve()]}, "words")


def test_ways_of_several_models_are_told_apart_and_dense_models_alone_are_left_out():
    bert, opt = curve(model="bert"), curve(model="opt")
    alone = dataclasses.replace(opt, prunings=opt.prunings[:1], levels=opt.levels[:1])
    assert panels.by_model_and_variant({"random": [bert, alone]}) == {"random": [bert]}
    both = panels.by_model_and_variant({"M = 4": [bert, opt], "M = 8": [bert]})
    assert both == {"bert, M = 4": [bert], "opt, M = 4": [opt], "bert, M = 8": [bert]}


def test_the_first_page_shows_the_first_model_and_its_block():
    study = Study(
        figure="fig2",
        scale="lab",
        models=("a", "b"),
        tasks=("rte",),
        training=TRAINING,
        variants={"one-shot": at_sparsities((0.5,))},
        overrides={"b": Override()},
    )
    assert landing.panel(study, {}) is None
    made = {"labels": "01", "provenance": {}}
    made_records = [
        Record(
            spec=study.trial(model, "rte", pruning, seed),
            status="ok",
            metrics={"accuracy": 100.0},
            predictions="01",
            **made,
        )
        for model in ("a", "b")
        for pruning in (Pruning(), Pruning(sparsity=0.5))
        for seed in (0, 1, 2)
    ]
    found = {record.spec.id: record for record in made_records}
    data = landing.panel(study, found)
    assert group(data, "shape") == (["a"], ["a"]) and data["slider"]["step"] == 1 and "weights" not in data
    assert group(data, "colour") == (["rte"], ["rte"])
    order = Measurement(kind="pruning-order", model="a", sparsity=0.0)
    found[order.id] = Record(spec=order, status="ok", values={"matrices": [{"component": "query"}]})
    assert landing.panel(study, found)["weights"] == [{"component": "query"}]
