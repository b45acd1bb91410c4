"""How sharply vision turns beside language, and the verdict on C4, on curves of which that is known."""

import dataclasses

import matplotlib as mpl
import pytest
from helpers import tunings
from matplotlib import pyplot

from essparse_lib import figures
from essparse_lib.analysis.comparisons import known_tasks
from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.turns import (
    INCOMPLETE,
    STRAIGHT,
    UNLEARNED,
    for_comparison_only,
    slope_difference,
    slopes,
    turns,
)
from essparse_lib.claims.c04_sharper_in_vision import judge
from essparse_lib.figures import fig3
from essparse_lib.records.store import results
from essparse_lib.specs.pretraining import ImagePretraining
from essparse_lib.specs.study import Override, Study
from essparse_lib.specs.trial import Pruning, Training

mpl.use("agg")

TRAINING = {"*": Training(epochs=1, batch_size=8, learning_rate=1e-3, max_length=16)}
VISION = Study(figure="fig3", scale="lab", models=("v", "w"), tasks=("a", "b"), training=TRAINING)
LANGUAGE = Study(figure="fig2", scale="lab", models=("m", "n"), tasks=("s", "t"), training=TRAINING)


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def bending(slopes_, top=90.0, knee=0.4):
    """By model, a curve that loses so many points per tenth after its knee."""
    return lambda model, s: top - 10 * slopes_[model] * max(0.0, s - knee)


def turned(study, kind, accuracy, left=()):
    found = tunings(accuracy, study)
    for trial in left:
        del found[trial.id]
    return turns(study, curves(study, found), kind)


def judged(vision, language, **options):
    seen = turned(VISION, "vision", bending({"v": vision, "w": vision + 0.2}), **options)
    return judge(VISION, seen, turned(LANGUAGE, "language", bending({"m": language, "n": language + 0.2})))


@pytest.mark.parametrize(("vision", "language", "sign"), [(7, 3, 1), (3, 7, -1), (5, 5, 0)])
def test_nothing_that_curves_show_tests_the_claim_and_both_numbers_are_told(vision, language, sign):
    verdict = judged(vision, language)
    assert verdict.outcome == "cannot be tested here"
    assert (
        "chosen by what is measured of them" in verdict.reason and "need not come from what they read" in verdict.reason
    )
    for number in verdict.numbers.values():
        assert (number.estimate.low > 0) - (number.estimate.high < 0) == sign
        assert number.text in verdict.measured


def test_the_two_numbers_may_point_to_different_sides():
    """Vision loses more points, since it has more to lose, but less of them."""
    vision = turned(VISION, "vision", bending({"v": 6.0, "w": 6.2}, top=95))
    language = turned(LANGUAGE, "language", bending({"m": 4.0, "n": 4.2}, top=70))
    assert slope_difference(vision, language, points=True).low > 0
    share, points = (number.estimate for number in judge(VISION, vision, language).numbers.values())
    assert share.high < 0 < points.low


def test_the_reason_names_the_slopes_and_their_difference():
    text = judged(7, 3).reason
    assert "18% in vision (4 curves) and 8% in language (4 curves): vision − language 10 [" in text
    assert "in points of the score 4.0 [" in text


def test_two_kinds_of_language_are_told_apart():
    vision = turned(VISION, "vision", bending({"v": 7, "w": 7.2}))
    both = turned(LANGUAGE, "public", bending({"m": 3, "n": 3.2})) + turned(
        LANGUAGE, "own", bending({"m": 5, "n": 5.2})
    )
    text = judge(VISION, vision, both).reason
    assert "that share against public: 10 [" in text and "that share against own: 5 [" in text
    assert "against" not in judged(7, 3).reason


def test_the_difference_without_what_the_pre_training_taught_is_told_beside():
    """On the task whose classes it knows, a model falls much more steeply: it counts, and the rest is told as well."""
    known = ImagePretraining(
        model="v",
        objective="supervised",
        layers=4,
        hidden=192,
        heads=3,
        task="b",
        patch=4,
        batch_size=64,
        steps=100,
        learning_rate=1e-3,
    )
    study = dataclasses.replace(VISION, pretrained={"v": known})
    steep = {"a": bending({"v": 5, "w": 5.2}), "b": bending({"v": 9, "w": 9.2})}
    found = [
        turn for task, accuracy in steep.items() for turn in turned(study.narrowed(tasks=[task]), "vision", accuracy)
    ]
    language = turned(LANGUAGE, "language", bending({"m": 5, "n": 5.2}))
    told = judge(study, found, language).reason
    assert slopes(found) == pytest.approx([12.5, 13, 22.5, 23], abs=0.2)
    assert "that share without b, whose classes models knew beforehand: 0 [" in told
    assert "whose classes models knew" not in judge(VISION, found, language).reason
    other = study.narrowed(tasks=["a"])
    assert (
        "whose classes models knew" not in judge(other, [turn for turn in found if turn.task == "a"], language).reason
    )


def test_what_other_vision_models_would_say_is_told_and_decides_nothing():
    language = turned(LANGUAGE, "language", bending({"m": 3, "n": 3.2}))
    vision = turned(VISION, "vision", bending({"v": 7, "w": 7.2}))
    blunter = turned(VISION, "longer ones", bending({"v": 1, "w": 1.2}))
    verdict = judge(VISION, vision, language, blunter)
    told = "that share, on all tasks again, with longer ones in place of those above (4 of 4 curves): −5 ["
    assert told in verdict.reason and verdict.numbers == judge(VISION, vision, language).numbers
    assert "in place of" not in judge(VISION, vision, language).reason
    assert slopes(for_comparison_only(blunter)) == [] and len(slopes(blunter)) == 4
    assert fig3.table(for_comparison_only(blunter))["used in the means"].tolist() == ["no: for comparison only"] * 4


def test_what_does_not_count_is_named_with_its_reason():
    study = dataclasses.replace(LANGUAGE, models=("m", "n", "o", "p"), overrides={"p": Override(seeds=(0,))})
    by_model = {
        "m": bending({"m": 3}),
        "n": lambda _, s: 50.0,
        "o": lambda _, s: 90 - 30 * s + 20 * max(0, s - 0.4),
        "p": bending({"p": 9}),
    }
    found = turned(study, "language", lambda model, s: by_model[model](model, s))
    assert {turn.model: turn.excluded for turn in found} == {
        "m": "", "n": UNLEARNED, "o": STRAIGHT, "p": "fewer than 3 seeds",
    }  # fmt: skip
    assert len(slopes(found)) == 2
    text = judge(VISION, turned(VISION, "vision", bending({"v": 7, "w": 7.2})), found).reason
    assert "not learned: the curves for n on s and t;" in f"{text};" and "no bend: the curves for o on s and t" in text


def test_a_missing_record_in_vision_leaves_nothing_to_compare():
    gone = VISION.trial("v", "a", Pruning(sparsity=0.5), 1)
    verdict = judged(7, 3, left=[gone])
    assert (
        verdict.outcome == "cannot be tested here"
        and "1 of 4 curves in vision lack records of 3 seeds" in verdict.reason
    )
    assert judge(VISION, [], turned(LANGUAGE, "language", bending({"m": 3, "n": 3}))).outcome == "cannot be tested here"


def test_a_missing_record_in_language_takes_its_curve_out():
    gone = LANGUAGE.trial("m", "s", Pruning(sparsity=0.5), 1)
    found = turned(LANGUAGE, "language", bending({"m": 3, "n": 3.2}), left=[gone])
    assert [turn.excluded for turn in found] == [INCOMPLETE, "", "", ""]
    verdict = judge(VISION, turned(VISION, "vision", bending({"v": 7, "w": 7.2})), found)
    assert "(3 curves)" in verdict.reason


def test_one_curve_in_language_is_too_few():
    one = turned(LANGUAGE.narrowed(["m"], ["s"]), "language", bending({"m": 3}))
    verdict = judge(VISION, turned(VISION, "vision", bending({"v": 7, "w": 7.2})), one)
    assert verdict.outcome == "cannot be tested here" and "on a side: 1 in language" in verdict.reason


def test_tiny_models_test_nothing():
    tiny = dataclasses.replace(VISION, scale="tiny")
    assert judge(tiny, turned(VISION, "vision", bending({"v": 7, "w": 7})), []).outcome == "cannot be tested here"


# Figure 3


def test_figure_3_has_the_papers_models_tasks_and_settings():
    study = figures.study("fig3", "paper")
    assert study.models == ("vit-base-patch16-224", "vit-large-patch16-224")
    assert study.tasks == ("cifar10", "cifar100", "tiny-imagenet")
    epochs = {
        "cifar10": (8, 45_000),
        "cifar100": (8, 45_000),
        "fashion-mnist": (8, 55_000),
        "tiny-imagenet": (5, 90_000),
    }
    for task, (passes, examples) in epochs.items():
        training = study.trial(study.models[0], task, Pruning(), 0).training
        assert (training.epochs, training.batch_size, training.learning_rate) == (passes, 64, 2e-5)
        assert training.max_train == examples


def test_slopes_are_drawn_with_intervals_and_hollow_where_they_do_not_count():
    gone = LANGUAGE.trial("m", "s", Pruning(sparsity=0.5), 1)
    found = turned(VISION, "vision", bending({"v": 7, "w": 7.2}))
    found += turned(LANGUAGE, "language", bending({"m": 3, "n": 3.2}), left=[gone])
    points, shares = fig3.draw_turns(found).axes
    assert [label.get_text() for label in points.get_yticklabels()][:2] == ["v on a", "v on b"]
    for ax, name in ((points, "slope"), (shares, "share")):
        assert len(ax.containers) == 8
        for turn, drawn in zip(found, ax.containers, strict=True):
            (middle, _, (bar,)) = drawn.lines
            value = getattr(turn.point, name)
            assert middle.get_xdata()[0] == pytest.approx(value.value)
            assert bar.get_segments()[0][:, 0] == pytest.approx([value.low, value.high])
    hollow = [drawn.lines[0].get_markerfacecolor() == "white" for drawn in points.containers]
    assert hollow == [turn.excluded != "" for turn in found] and sum(hollow) == 1


def test_the_table_of_turns_tells_why_one_does_not_count():
    found = turned(LANGUAGE, "language", lambda model, s: 50.0 if model == "m" else bending({"n": 3})("n", s))
    table = fig3.table(found)
    assert table["used in the means"].tolist() == ["no: not learned"] * 2 + ["yes"] * 2
    assert table[fig3.POINTS_LOST][0] == "—" and table[fig3.POINTS_LOST][2].startswith("3.0 [")


def test_without_records_words_stand_in_the_figures_place():
    for figure in (fig3.draw([]), fig3.draw_turns([])):
        assert [text.get_text() for ax in figure.axes for text in ax.texts] == ["no records yet"]
    assert fig3.table([]).empty


def test_the_committed_curves_of_language_turn():
    found = fig3.language("lab", results("lab").records())
    kinds = {turn.model: turn.group for turn in found}
    assert kinds["minilm-l6"] == fig3.LANGUAGE
    assert {kinds[model] for model in ("opt-2x128", "bert-2x128-100-0", "bert-2x128-100-1")} == {fig3.SCRATCH}
    assert len(slopes(found)) >= 3
    assert all(1 < share < 100 for share in slopes(found))


def test_the_committed_curves_of_models_trained_for_longer_turn():
    found = fig3.longer(figures.study("fig3", "lab"), results("lab").records())
    assert {turn.model for turn in found} == {"vit-4x192-long-0", "vit-4x192-long-1"}
    assert {turn.group for turn in found} == {fig3.LONGER} and slopes(found)
    study = figures.study("fig3", "lab")
    assert {t.task for t in fig3.longer(study.narrowed(tasks=["elpv"]), results("lab").records())} == {"elpv"}
    counted = study.narrowed(models=["vit-4x192-long-0"])  # which are then no longer told beside
    assert {t.model for t in fig3.longer(counted, results("lab").records())} == {"vit-4x192-long-1"}
    assert known_tasks(counted, counted.models) == {"cifar10"}
    assert fig3.longer(figures.study("fig3", "paper"), {}) == []
