"""How much to prune, as a curve says: the rule, what it says where there is no answer, and the words for it."""

import numpy as np
import pytest
from helpers import curve, knee_at

from essparse_lib import choose_sparsity, essential_sparsity
from essparse_lib.analysis.choice import Found, Place, place_of
from essparse_lib.analysis.estimate import Estimate
from essparse_lib.errors import InputError
from essparse_lib.figures import choice_plots
from essparse_lib.sweeps.answer import answer
from essparse_lib.sweeps.tolerance import Tolerance


def flat(top=90.0):
    return lambda sparsity: top


#: A curve for each thing that can be found.
CURVES = {
    Found.SPARSITY: lambda: curve(knee_at(0.42)),
    Found.AT_LEAST: lambda: curve(flat()),
    Found.NONE: lambda: curve(lambda sparsity: 90 - 40 * sparsity),
    Found.NOT_LEARNED: lambda: curve(flat(top=50.0)),
    Found.TOO_FEW_SEEDS: lambda: curve(knee_at(0.42), seeds=(0,)),
}


@pytest.mark.parametrize("found", CURVES)
def test_each_kind_of_curve_is_told_apart_and_has_its_advice(found):
    made = CURVES[found]()
    choice = choose_sparsity(made)
    assert choice.found is found
    assert len(choice.places) == len(made.levels)
    assert choice_plots.ADVICE[found] and "**" in choice_plots.sentence(made)
    if found not in (Found.SPARSITY, Found.AT_LEAST):
        assert choice.sparsity == 0


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
def test_the_sparsity_is_the_largest_whose_whole_interval_is_tolerated(noise):
    made = curve(knee_at(0.42), noise=noise)
    choice = choose_sparsity(made, 1.0)
    losses = dict(zip(made.levels.tolist(), made.drop_estimates(), strict=True))
    assert losses[choice.sparsity].high <= 1.0
    above = [loss for level, loss in losses.items() if choice.sparsity < level < choice.too_much]
    assert all(loss.high > 1.0 for loss in above)
    assert choice.sparsity <= essential_sparsity(made, 1.0).value <= choice.too_much


def test_it_gives_the_ends_of_a_sweeps_interval():
    made = curve(knee_at(0.42), noise=0.3)
    choice = choose_sparsity(made, 2.0)
    essential = answer(made, Tolerance(2.0), 0.2).essential
    assert (choice.sparsity, choice.too_much) == (essential.low, essential.high)


def test_an_unknown_loss_is_undecided():
    assert place_of(Estimate(np.nan, np.nan, np.nan), 1.0) is Place.UNDECIDED


@pytest.mark.parametrize("epsilon", [0, -1, 101, float("nan"), "1"])
def test_a_wrong_tolerance_is_refused(epsilon):
    with pytest.raises(InputError, match="epsilon"):
        choose_sparsity(curve(flat()), epsilon)


def test_the_table_has_a_row_for_each_curve_and_at_most_six_columns():
    frame = choice_plots.table([make() for make in CURVES.values()])
    assert len(frame) == len(CURVES) and len(frame.columns) <= 6
    assert frame["prune to"].tolist() == ["40%", "90%", "–", "–", "–"]


def test_the_picture_marks_the_sparsity_only_where_there_is_one():
    for found, make in CURVES.items():
        figure = choice_plots.draw_curve(make())
        names = [text.get_text() for text in figure.legends[0].get_texts()]
        assert ("chosen sparsity" in names) == (found in (Found.SPARSITY, Found.AT_LEAST))
