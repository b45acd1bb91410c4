"""The page beyond the paper: its sentences say what the analysis says, and what is missing, at every scale."""

import json
import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers import CURVE_STUDY, ROOT, curve_records, knee_at, run_cells, run_notebook
from simulated_evaluations import falls_from
from simulated_evaluations import records as answers_of
from simulated_evaluations import study as asked_study

from essparse_lib import figures
from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.noise_floor import errors_to_tell, noise_floor
from essparse_lib.analysis.pooled import mean_effect, on_average
from essparse_lib.analysis.prunability import loss_curves
from essparse_lib.analysis.series import series
from essparse_lib.analysis.timing import gains, timed_curves
from essparse_lib.analysis.zero_shares import zero_shares
from essparse_lib.claims import c11_similar_masks as c11
from essparse_lib.figures import beyond, beyond_findings, fig2, fig11, plotted
from essparse_lib.wording import number_text

mpl.use("agg")

CELLS = json.loads((ROOT / "notebooks/beyond.ipynb").read_text())["cells"]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def of_figure(name):
    study = figures.study(name, "lab")
    return study, figures.records(study, *study.controls)


@pytest.fixture(scope="module")
def fine_tuned():
    study, records = of_figure("fig2")
    study = study.narrowed(models=study.models[:1])
    return study, records, curves(study, records)


def ends(estimate, digits=1):
    return [number_text(each, digits) for each in (estimate.value, estimate.low, estimate.high)]


# Chance


def test_the_mean_of_the_seeds_moves_less_than_one_run_by_their_number():
    (curve,) = curves(CURVE_STUDY, curve_records(knee_at(0.5), noise=2.0))
    pool = beyond.learned_drops(CURVE_STUDY, [curve])
    (difference,) = pool.counted
    floor, parts = noise_floor(difference), difference.components
    assert pool.of == "at 30%" and not pool.others and difference.effect().value == pytest.approx(curve.drops()[0][3])
    assert floor.mean == pytest.approx(errors_to_tell(power=0.5) * np.sqrt(parts.variance(len(curve.seeds))))
    assert floor.mean < floor.single


def test_one_runs_finding_is_the_noise_floors(fine_tuned):
    study, records, all_curves = fine_tuned
    pool = beyond.learned_drops(study, all_curves)
    finding = beyond_findings.one_run(pool, study, records)
    floors = [noise_floor(difference) for difference in pool.counted]
    for name, text in (("single", finding.sentence), ("mean", finding.more)):
        values = [getattr(floor, name) for floor in floors]
        assert all(f"±{each(values):.1f}" in text for each in (min, max))
    beyond_one = sum(floor.single > 1 for floor in floors)
    assert f"on {beyond_one} of {len(floors)} tasks" in finding.more
    assert all(f"{each.difference.curve.task} ({each.reason})" in finding.more for each in pool.others)
    panel = plotted.panels(beyond.draw_chance(pool))[0]["series"]
    drawn = {each["name"]: each for each in panel}
    for difference, floor in zip(pool.counted, floors, strict=True):
        bar = drawn[f"{difference.curve.task}, one"]
        assert (bar["x_low"], bar["x_high"]) == (pytest.approx([-floor.single]), pytest.approx([floor.single]))


# Readings of zero


def test_zeros_are_those_of_figures_7_and_8():
    (pretraining, records), (weights, of_weights) = of_figure("fig8"), of_figure("fig7")
    percents = beyond.zero_percents(series(pretraining, records), weights, of_weights)
    language, vision = percents.values()
    shares = zero_shares(weights, of_weights)
    assert vision == {reading: shares[reading][weights.models[0]] for reading in language}
    (run, *_) = series(pretraining, records)
    assert language == {reading: 100 * run.share(reading)[-1] for reading in run.zeros}
    finding = beyond_findings.zeros(percents, pretraining, records)
    assert f"to {max(language.values()):.1f}% of the weights" in finding.sentence and run.name in finding.sentence
    none = sum(not share for share in language.values())
    assert f"By {none} of {len(language)} readings" in finding.more
    (panel,) = plotted.panels(beyond.draw_zeros(percents))
    sizes = {each["name"]: len(each["y"]) if "y" in each else 0 for each in panel["series"]}
    assert sum(sizes.values()) == sum(map(len, percents.values()))


# Learning rates


def test_rates_are_those_of_c11():
    study, records = of_figure("fig10")
    first, last = beyond.at_two_rates(study, records)
    every = {(each.model, each.rate): each for each in c11.eligible(study, records).cosines}
    assert first.model == last.model and first.least_mean > last.least_mean
    assert every[first.model, first.rate] == first and every[last.model, last.rate] == last
    finding = beyond_findings.rates([first, last], study, records)
    for each in (first, last):
        assert f"{100 * np.mean(each.inside[0.4]):.1f}% (at {each.rate})" in finding.sentence
    assert "chance gives 60%" in finding.sentence


def test_with_one_rate_it_says_what_is_missing():
    study, records = of_figure("fig10")
    control = {spec.id for each in study.controls for spec in each.specs()}
    less = {name: record for name, record in records.items() if name not in control}
    finding = beyond_findings.rates(beyond.at_two_rates(study, less), study, less)
    assert not finding.known and re.search(r"ncomplete: \d+ of \d+ ", finding.more)


# Prunability


def test_emergence_is_told_for_the_first_and_the_last_step_that_are_known():
    study, records = of_figure("fig8")
    known = loss_curves(study, records)
    finding = beyond_findings.emergence(study, known, records)
    shares = [round(100 * curve.prunable().value) for curve in known if curve.step == 16_000]
    assert f"{min(shares)}% to {max(shares)}%" in finding.text
    earlier = [type(curve)(model=curve.model, step=8_000, levels=curve.levels, losses=curve.losses) for curve in known]
    both = beyond_findings.emergence(study, [*earlier, *known], records)
    assert "After 8,000 steps" in both.sentence and "after 16,000 steps" in both.sentence


# Language and facts


def test_the_gap_of_language_and_facts_is_that_of_the_mean_drops():
    study = asked_study("blimp", "arc-easy", "sciq")
    knees = {"blimp": 0.6, "arc-easy": 0.2, "sciq": 0.1}
    made = answers_of(study, lambda each: falls_from(knees[each.task], 60.0)(each.pruning.sparsity))
    pool = beyond.learned_drops(study, curves(study, made, fig11.MAGNITUDE))
    finding = beyond_findings.domains(pool, study, made)
    language, *facts = sorted(pool.effects, key=lambda effect: effect.task != "blimp")
    assert language.estimate.text() in finding.sentence and mean_effect(facts).estimate.text() in finding.sentence
    assert (mean_effect(facts) - language).estimate.text() in finding.more and "chance" not in finding.more
    (panel,) = plotted.panels(beyond.draw_domains(pool))
    assert {"blimp", "arc-easy", "sciq"} <= {each["name"] for each in panel["series"]}


# No training after pruning


def test_what_training_brings_is_the_paired_difference_of_the_two_drops(fine_tuned):
    study, records, all_curves = fine_tuned
    timed = timed_curves(study, all_curves, fig2.AFTER)
    assert [each.after.task for each in timed] == [curve.task for curve in all_curves if curve.learned()]
    recorded = {curve.task: curve for curve in curves(study, records, fig2.AFTER)}
    effects = gains(timed)
    for each in timed:
        after = recorded[each.after.task]
        assert ends(each.after.drop_estimates()[-1], 9) == ends(after.drop_estimates()[-1], 9)
    for sparsity, of_tasks in effects.items():
        for effect in of_tasks:
            (each,) = [each for each in timed if each.after.task == effect.task]
            level = list(each.before.levels).index(sparsity)
            assert effect.value == pytest.approx(each.after.drops()[0][level] - each.before.drops()[0][level])
    means = {sparsity: on_average(of_tasks) for sparsity, of_tasks in effects.items()}
    first = min(sparsity for sparsity, mean in means.items() if mean.low > 0)
    finding = beyond_findings.no_training(timed, study, records)
    assert f"with {first:.0%} gone it brings {means[first].text()} points" in finding.sentence
    assert all(effect.task in finding.more for effect in effects[first])


# What is missing, and the page


def test_without_records_each_finding_says_how_many_are_missing_and_how_to_make_them():
    study = {name: figures.study(name, "tiny") for name in ("fig2", "fig8", "fig10", "fig11")}
    found = [
        beyond_findings.one_run(beyond.learned_drops(study["fig2"], []), study["fig2"], {}),
        beyond_findings.zeros({}, study["fig8"], {}),
        beyond_findings.rates(beyond.at_two_rates(study["fig10"], {}), study["fig10"], {}),
        beyond_findings.emergence(study["fig8"], [], {}),
        beyond_findings.domains(beyond.learned_drops(study["fig11"], []), study["fig11"], {}),
        beyond_findings.no_training([], study["fig2"], {}),
    ]
    for finding in found:
        assert not finding.known and re.search(r"ncomplete: (\d+) of \1 ", finding.more)
        assert re.search(r"`essparse run fig\d+ --scale tiny`", finding.more)
    assert beyond_findings.headline(found) == "Nothing is measured yet."


@pytest.mark.parametrize("scale", ["tiny", "paper"])
def test_a_scale_without_records_is_drawn_and_runs_nothing(scale, tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    run_cells(monkeypatch, "beyond", scale=scale)
    assert len(plt.get_fignums()) == 6 and not list(tmp_path.iterdir())


def test_each_section_has_its_finding_first_one_picture_and_a_link_to_its_figure():
    text = "\n".join("".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "markdown")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:-1]
    assert len(sections) == 6 and all(re.search(r"More: \[Figure \d+\]\(fig\d+\.ipynb\)", each) for each in sections)
    sources = ["".join(cell["source"]) for cell in CELLS]
    for number, source in enumerate(sources):
        if source.startswith("## ") and not source.startswith("## Where"):
            assert sources[number + 1].startswith("html.paragraphs(")
            assert CELLS[number + 2]["metadata"]["mystnb"]["figure"]["name"].startswith("beyond-")


def test_captions_and_sentences_are_short():
    captions = [cell["metadata"]["mystnb"]["figure"]["caption"] for cell in CELLS if "mystnb" in cell["metadata"]]
    assert len(captions) == 6 and not [caption for caption in captions if len(caption.split()) > 40]
    texts = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "markdown"]
    sentences = [each for text in (*texts, *captions) for each in re.split(r"(?<=[.?!])\s+|\n\n", text)]
    assert not [sentence for sentence in sentences if len(sentence.split()) > 40]


@pytest.mark.notebook
def test_the_page_is_drawn_from_committed_records(tmp_path, monkeypatch):
    text, images = run_notebook(tmp_path, monkeypatch, "beyond")
    assert len(images) == 6 and "Running" not in text and "not known yet. Without" not in text
    sentences = re.split(r"(?<=\.)\s|(?<=[a-z]\.)(?=[A-Z])", text)
    assert not [sentence for sentence in sentences if len(sentence.split()) > 40]


@pytest.mark.notebook
def test_all_that_the_page_draws_has_a_name_and_numbers(monkeypatch):
    run_cells(monkeypatch, "beyond")
    pictures = [plt.figure(number) for number in plt.get_fignums()]
    assert len(pictures) == 6 and not [offender for figure in pictures for offender in plotted.unnamed(figure)]
    assert all(plotted.panels(figure) for figure in pictures)
