"""The controls of Figures 6 and 8: a floor of random weights, and other learning rates."""

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import pytest
from helpers import answered

from essparse_lib import figures
from essparse_lib.analysis.comparisons import known_tasks
from essparse_lib.analysis.curves import curves
from essparse_lib.figures import fig6, fig6_floor, fig6_learned, fig8_rates, vision_settings
from essparse_lib.records.store import Record
from essparse_lib.wording import listing

mpl.use("agg")

FIG6 = replace(figures.study("fig6", "lab"), overrides={})
(FLOOR,) = FIG6.controls
FIG8 = figures.study("fig8", "lab")


def test_the_floor_is_fine_tuned_as_the_other_models_from_the_weights_that_one_of_them_began_with():
    assert {t.model for t in FLOOR.trials()} == {vision_settings.FRESH["lab"]} and FLOOR.measurements() == []
    usual = {replace(t, model=FLOOR.models[0]) for t in FIG6.trials() if t.model == FIG6.models[0]}
    assert {t for t in usual if t.pruning.sparsity <= 0.6} == set(FLOOR.trials())
    (fresh,) = FLOOR.pretrainings()
    assert fresh.steps == 0 and known_tasks(FLOOR, FLOOR.models) == set()
    assert known_tasks(FIG6, FIG6.models) == {"cifar10"}


def scored(study, dense, loss):
    """Records in which a model scores ``dense(model)`` percent, less ``loss(model)`` times the sparsity."""
    return {t.id: answered(t, dense(t.model) - loss(t.model) * t.pruning.sparsity, 2000) for t in study.trials()}


def everything(floor_dense=70.0, floor_loss=4.0):
    pre_trained = scored(FIG6, lambda m: 70.0 if "masked" in m else 80.0, lambda m: 2.0 if "dino" in m else 10.0)
    return pre_trained | scored(FLOOR, lambda _: floor_dense, lambda _: floor_loss)


def told(found):
    return fig6_floor.answer(FIG6, found, curves(FIG6, found))


def test_the_floor_says_where_robustness_says_nothing_and_what_loses_no_more():
    text = told(everything())
    assert "1.4 [" in text  # 4 points at 100%, over 10 to 60%
    unseen, alike = text.split("reaches the floor for ")[1].split("These lose no more than the floor: ")
    assert "masked images on elpv" in unseen and "DINO" not in unseen and "supervised" not in unseen
    assert "DINO on fashion-mnist" in alike and "masked" not in alike and "supervised" not in alike
    other = told(everything(floor_dense=60.0, floor_loss=0.0))
    assert (
        "every objective lies above" in other.replace("scores", "lies")
        and "loses more than the floor on every" in other
    )


def test_the_floor_is_not_in_the_figure_before_all_its_records_are():
    whole = everything()
    gone = FLOOR.trials()[-1].id
    part = {i: record for i, record in whole.items() if i != gone}
    count = len(FLOOR.trials())
    assert told(part) == f"The floor has not been run yet: 1 of its {count} fine-tunings have no record."
    assert fig6_floor.floor_curves(FIG6, part) == []
    floor = fig6_floor.floor_curves(FIG6, whole)
    assert [curve.task for curve in floor] == list(FIG6.tasks)
    table = fig6_floor.table(FIG6, curves(FIG6, whole), floor)
    assert len(table) == 3 * 5 and list(table["pre-training"][:2]) == [fig6_floor.NAME, "supervised"]
    gain = table["above the floor"][1]
    assert gain.startswith("10.0 [")
    figure = fig6.draw(FIG6, curves(FIG6, whole), floor=floor)
    drawn = [ax for ax in figure.axes if any(line.get_color() == "black" for line in ax.lines)]
    assert [ax.get_title() for ax in drawn] == list(FIG6.tasks)
    assert fig6_floor.NAME in [text.get_text() for text in figure.legends[0].get_texts()]
    assert "no floor" in fig6_floor.answer(figures.study("fig6", "paper"), {}, [])


@pytest.mark.parametrize(
    ("dino", "first"), [(40.0, "longer pre-trainings come first"), (49.0, "3 more pre-trainings a side")]
)
def test_which_pretrainings_come_next_follows_from_what_dino_has_gained(dino, first):
    found = {}
    for spec in FIG6.pretrainings():
        knn = {"dino": dino, "supervised": 60.0}.get(spec.objective, 35.0)
        found[spec.id] = Record(spec=spec, status="ok", metrics={"knn": knn, "knn_pixels": 35.0})
    text = fig6_learned.next_pretrainings(FIG6, found)
    assert first in text and "4.3 times" in text and f"+{dino - 35:.1f} points" in text
    assert "cannot be said" in fig6_learned.next_pretrainings(FIG6, {})


def rates(dense, drop):
    """Records at each rate: dense scores and drops at the last sparsity, by the learning rate."""
    found = {}
    for study in (fig8_rates._at_rate(FIG8), *FIG8.controls):
        for trial in study.trials():
            rate = trial.training.learning_rate
            found[trial.id] = answered(trial, dense(rate) - (drop(rate) if trial.pruning.sparsity else 0.0), 1000)
    return found


def test_the_other_rates_change_the_rate_alone():
    assert [c.trials()[0].training.learning_rate for c in FIG8.controls] == [5e-4, 2e-3, 4e-3]
    assert sum(len(control.trials()) for control in FIG8.controls) == 36
    for control in FIG8.controls:
        for trial in control.trials():
            usual = FIG8.trial(trial.model, trial.task, trial.pruning, trial.seed)
            rate = usual.training.learning_rate
            assert replace(trial, training=replace(trial.training, learning_rate=rate)) == usual in FIG8.trials()
    assert max(FIG8.sparsities) == fig8_rates.SPARSITY


@pytest.mark.parametrize(
    ("dense", "drop", "said"),
    [
        (
            lambda r: 70 + 1000 * r,
            lambda r: 6.0,
            "a rate of 0.004. At this rate it has something to lose on movie-reviews and",
        ),
        (lambda r: 70 + 1000 * r, lambda r: -3.0, "a rate of 0.004. At this rate and 90% sparsity, no interval"),
        # what is lost at a rate that trains worse does not count
        (
            lambda r: 70 - 1000 * r,
            lambda r: 6.0 if r > 2e-3 else -3.0,
            "a rate of 0.0005. At this rate and 90% sparsity, no interval",
        ),
    ],
)
def test_the_rate_of_the_best_dense_scores_answers(dense, drop, said):
    found = rates(dense, drop)
    assert said in fig8_rates.answer(FIG8, found)
    assert len(fig8_rates.table(FIG8, found)) == 4


def test_the_answer_waits_for_all_rates():
    found = rates(lambda _: 70, lambda _: 6)
    del found[FIG8.controls[-1].trials()[0].id]
    assert fig8_rates.answer(FIG8, found) == "Not run yet: 1 of the 36 fine-tunings at other rates have no record."
    assert len(fig8_rates.table(FIG8, found)) == 3
    assert "no fine-tunings at other" in fig8_rates.answer(replace(FIG8, controls=()), found)


def test_the_methods_page_states_what_these_records_are_asked():
    text = " ".join((Path(__file__).parents[1] / "book/methods.md").read_text().split())
    rates = listing([f"{rate:.0e}".replace("e-0", "e-") for rate in fig8_rates.RATES])
    assert f"`{fig8_rates.MODEL}`" in text and f"fine-tuned at {rates}, all else as it is" in text
    assert f"its drop at {fig8_rates.SPARSITY:.0%} lies above one point" in text
    assert all(f"on {task}, where it gains" in text for task in fig8_rates.TASKS)
    (seeds,) = {part.added.seeds for part in figures.study("fig6", "lab").overrides.values()}
    assert f"Seeds {seeds[0]} to {seeds[-1]} are added for the models that decide C7" in text
    assert f"three seeds, at 0 to {max(FLOOR.sparsities):.0%}" in text and len(FLOOR.seeds) == 3
