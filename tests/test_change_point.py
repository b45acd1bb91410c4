"""Jumps in made-up series: smooth growth has none beyond chance, whatever its noise; a step on top of it is found."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from essparse_lib.analysis import change_point
from essparse_lib.analysis.change_point import SHARE, ChangePoint, find_change_point
from essparse_lib.errors import InputError

#: A run of 20,000 steps, measured every 1% and, in the first, at steps evenly spaced in their logarithm.
FINE = np.unique(np.concatenate([np.linspace(0, 20_000, 101), np.round(np.geomspace(1, 200, 25))]))
#: The paper's: every 1,000 of 50,000.
COARSE = np.arange(0, 50_001, 1000.0)
GRIDS = {"fine": FINE, "coarse": COARSE}


def schedule(time, warm):
    """The share of all movement done by then, if it goes by a learning rate of linear warm-up and decay."""
    rising = np.minimum(time, warm) ** 2 / warm
    falling = (1 - warm) - (1 - np.maximum(time, warm)) ** 2 / (1 - warm)
    return np.maximum(rising + falling, 0)


def families(time):
    """Smooth courses of a series over a run, several of each kind; ``time`` runs from 0 to 1."""
    return {
        "linear": [time, -time],
        "saturating": [1 - np.exp(-time / rate) for rate in (0.05, 0.1, 0.2, 0.5)],
        "fast at first": [1 - np.exp(-time / rate) for rate in (0.002, 0.005, 0.01, 0.015, 0.02, 0.03)],
        "power law": [*(time**power for power in (0.1, 0.3, 0.5, 2, 4)), np.log1p(1e4 * time)],
        "logistic": [
            1 / (1 + np.exp(-4.4 * (time - at) / width)) for at in (0.1, 0.3, 0.5, 0.8) for width in (0.2, 0.4)
        ],
        "scheduled": [
            shape(schedule(time, warm))
            for warm in (0.05, 0.1)
            for shape in (lambda s: s, np.square, np.sqrt, lambda s: 1 - np.exp(-8 * s), lambda s: np.log1p(100 * s))
        ],
        "dip and recovery": [np.cos(6 * time), time - 0.3 * (1 - np.exp(-time / 0.01)), time + np.exp(-time / 0.02)],
    }


NAMES = list(families(COARSE / COARSE[-1]))

#: Kinds of noise, and how large it is beside a series of range 1.
NOISES = {
    "none": 0.0,
    "white 0.0001": 1e-4,
    "white 0.001": 1e-3,
    "white 0.01": 1e-2,
    "AR 0.5": 1e-2,
    "AR 0.9": 1e-2,
    "walk 0.002": 0.002,
    "walk 0.01": 0.01,
    "momentum 0.5": 0.1,
    "momentum 0.95": 0.1,
}


def noise(name, steps, count, rng):
    """Shape (count, points): white, autoregressive, a random walk, or a walk whose velocity is autoregressive."""
    kind, _, number = name.partition(" ")
    drawn = rng.normal(size=(count, len(steps)))
    memory = float(number) if kind in ("AR", "momentum") else 0.0
    for i in range(1, len(steps)):
        drawn[:, i] = memory * drawn[:, i - 1] + math.sqrt(1 - memory**2) * drawn[:, i]
    if kind == "walk":
        drawn = drawn.cumsum(1)
    if kind == "momentum":
        drawn[:, 1:] *= np.diff(steps) / steps[-1]
        drawn = drawn.cumsum(1)
    return NOISES[name] * drawn


def smooth(steps, family, name, each, seed):
    """Series of range 1 about, ``each`` of every member of a family."""
    rng = np.random.default_rng(seed)
    for course in families(steps / steps[-1])[family]:
        yield from course / np.ptp(course) + noise(name, steps, each, rng)


def stepped(steps, series, after, share):
    """The series with a step after a place, of a share (signed) of the range of all."""
    later = np.arange(len(steps)) > after
    low, high = 0.0, 1e3 * np.ptp(series)
    for _ in range(60):  # a larger step is always a larger share
        middle = (low + high) / 2
        found = series + math.copysign(middle, share) * later
        low, high = (middle, high) if middle < abs(share) * np.ptp(found) else (low, middle)
    return found


def most_allowed(number, rate=0.05):
    """Of so many trials, a count that chance exceeds about once in a thousand."""
    return number * rate + 3.1 * math.sqrt(number * rate * (1 - rate)) + 0.5


@pytest.mark.slow
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", NOISES)
def test_smooth_growth_is_no_jump(grid, name):
    steps = GRIDS[grid]
    for number, family in enumerate(NAMES):
        found = [find_change_point(steps, y) for y in smooth(steps, family, name, 1 if name == "none" else 12, number)]
        alarms = sum(j.p < change_point.ALPHA for j in found)
        assert alarms <= (0 if name == "none" else most_allowed(len(found))), family
        assert not any(j.abrupt for j in found), family


@pytest.mark.slow
@pytest.mark.parametrize("points", [12, 51, 101])
@pytest.mark.parametrize("name", ["white 0.01", "AR 0.5", "walk 0.01", "momentum 0.5"])
def test_p_is_a_probability_of_chance_alone(points, name):
    steps = np.linspace(0, 1000, points)
    found = np.array([find_change_point(steps, y).p for y in noise(name, steps, 1200, np.random.default_rng(1))])
    for level in (0.005, 0.02, 0.05, 0.2, 0.5):
        assert (found <= level).sum() <= most_allowed(len(found), level)
    assert found.min() < 0.05  # and not one that is always near 1


@pytest.mark.slow
@pytest.mark.parametrize("name", NOISES)
def test_a_step_of_a_quarter_is_found_where_it_is(name):
    interval = FINE[-1] / 100
    rng = np.random.default_rng(2)
    total = missed = 0
    for number, family in enumerate(NAMES):
        for series in smooth(FINE, family, name, 1 if name == "none" else 3, number):
            for sign in (-1, 1):
                after = int(np.searchsorted(FINE, rng.uniform(0.12, 0.95) * FINE[-1])) - 1
                found = find_change_point(FINE, stepped(FINE, series, after, 0.25 * sign))
                assert found.at is not None
                near = abs(found.at[0] - FINE[after]) <= interval and abs(found.at[1] - FINE[after + 1]) <= interval
                right = near and np.sign(found.size) == sign and 0.2 <= found.share <= 0.3
                total, missed = total + 1, missed + (not (found.abrupt and right))
    assert missed <= 0.05 * total, f"{missed} of {total} missed"


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("family", [name for name in NAMES if name != "fast at first"])
def test_on_the_papers_grid_too(family, sign):
    rng = np.random.default_rng(3)
    for series in smooth(COARSE, family, "walk 0.002", 2, 4):
        after = int(rng.integers(11, 45))
        found = find_change_point(COARSE, stepped(COARSE, series, after, 0.4 * sign))
        assert found.abrupt and found.at == (COARSE[after], COARSE[after + 1])


@pytest.mark.parametrize("percent", [2, 3, 5])
@pytest.mark.parametrize("sign", [-1, 1])
def test_an_early_step_is_found_as_far_as_the_log_spaced_points_show_it(percent, sign):
    time = FINE / FINE[-1]
    after = int(np.searchsorted(time, percent / 100 + 1e-9)) - 1
    for series in (0 * time, 0.5 * time, np.log1p(FINE) / 20, 1 / (1 + np.exp(-20 * (time - 0.5)))):
        y = series + sign * (np.arange(len(time)) > after)
        found = find_change_point(FINE, y)
        assert found.abrupt and found.at == (FINE[after], FINE[after + 1]) and np.sign(found.size) == sign


def test_bends_and_corners_are_no_jumps():
    time = FINE / FINE[-1]
    corners = [np.maximum(time - at, 0) + slope * time for at in np.linspace(0.1, 0.9, 17) for slope in (-1, 0, 0.2)]
    tents = [np.where(time < warm, time / warm, (1 - time) / (1 - warm)) for warm in (0.05, 0.1)]  # the learning rate
    onsets = [np.where(time < at, 0, 1 - np.exp(-(time - at) / 0.1)) for at in (0.2, 0.5)]
    for y in (*corners, *tents, *onsets):
        assert not find_change_point(FINE, y).abrupt


@pytest.mark.parametrize(
    ("grid", "width", "least", "most"),
    # In shares of the run: up to 2% every ramp is abrupt, from 3.5% on none, between them by where it lies.
    [
        ("fine", 0.005, 1, 1),
        ("fine", 0.01, 1, 1),
        ("fine", 0.02, 1, 1),
        ("fine", 0.025, 0.6, 1),
        ("fine", 0.03, 0, 0.6),
        ("fine", 0.035, 0, 0),
        ("fine", 0.05, 0, 0),
        ("fine", 0.1, 0, 0),
        ("fine", 0.2, 0, 0),
        ("coarse", 0.005, 0.9, 1),
        ("coarse", 0.02, 0.7, 1),
        ("coarse", 0.04, 0, 0.6),
        ("coarse", 0.05, 0, 0),
        ("coarse", 0.1, 0, 0),
    ],
)
def test_the_width_from_which_a_ramp_is_not_abrupt(grid, width, least, most):
    steps = GRIDS[grid]
    starts = np.random.default_rng(6).uniform(0.2, 0.85, 30)
    ramps = [np.clip((steps / steps[-1] - start) / width, 0, 1) for start in starts]
    assert least <= np.mean([find_change_point(steps, ramp).abrupt for ramp in ramps]) <= most


@pytest.mark.parametrize(("width", "abrupt"), [(0.005, True), (0.02, True), (0.04, False), (0.1, False)])
def test_the_width_from_which_a_logistic_rise_is_not_abrupt(width, abrupt):
    time = FINE / FINE[-1]
    for middle in np.linspace(0.2, 0.8, 13) + 0.002:
        rise = 0.5 * (1 + np.tanh(math.log(9) * (time - middle) / width))  # from 10% to 90% over the width
        assert find_change_point(FINE, rise).abrupt == abrupt


@pytest.mark.parametrize("after", [lambda t: t, lambda t: 1 - np.exp(-t / 0.03), lambda t: np.exp(-t / 0.03) - 1])
def test_a_step_with_another_course_after_it_is_found(after):
    time = FINE / FINE[-1]
    y = np.where(time > 0.455, 1 + 0.5 * after(np.maximum(time - 0.455, 0)), 0)
    found = find_change_point(FINE, y)
    assert found.abrupt and found.at == (9000, 9200)


def explicit(steps, values, window):
    """The gaps of a window and their standard errors by ordinary regression, on both axes and from both sides.

    A dummy takes up the window's own increment: leaving it out is the same.
    """
    for axis in (steps, np.log(steps + steps[1])):
        length, increments = np.diff(axis), np.diff(values)
        dummy = np.arange(len(length)) == window
        cubic = [np.diff((axis - axis[window]) ** power) / np.ptp(axis) ** power for power in (1, 2, 3)]
        for from_right in (False, True):
            after = np.arange(len(length)) >= window + (not from_right)
            design = np.stack([*cubic, length * after, dummy], 1) / np.sqrt(length)[:, None]
            target = increments / np.sqrt(length)
            found, *_ = np.linalg.lstsq(design, target, rcond=None)
            scatter = ((target - design @ found) ** 2).sum() / (len(length) - 5)
            yield found[-1], math.sqrt(scatter * np.linalg.inv(design.T @ design)[-1, -1])


def test_the_size_is_that_of_ordinary_regression():
    steps = np.arange(12) * 100.0
    rng = np.random.default_rng(5)
    for window in range(2, 9):
        y = 0.3 * rng.normal(size=12).cumsum() + 20.0 * (np.arange(12) > window)
        found = find_change_point(steps, y)
        gaps, errors = zip(*explicit(steps, y, window), strict=True)
        assert found.at == (steps[window], steps[window + 1])
        assert found.size == pytest.approx(min(gaps), rel=1e-6)
        assert (found.p < 0.05) == (min(g / e for g, e in zip(gaps, errors, strict=True)) > 3)  # none is near the limit


LEVELS = st.lists(st.integers(-1000, 1000), min_size=len(COARSE), max_size=len(COARSE))


@given(LEVELS, st.floats(0.01, 100), st.integers(-1000, 1000))
def test_units_do_not_matter(levels, factor, offset):
    y = np.array(levels, float)
    one, other = find_change_point(COARSE, y), find_change_point(10 * COARSE, factor * (y + offset))
    assert other.share == pytest.approx(one.share, abs=1e-6) and other.p == pytest.approx(one.p, abs=0.01)
    assert other.size == pytest.approx(factor * one.size, rel=1e-6, abs=1e-6 * factor)


@given(LEVELS)
def test_a_fall_is_a_rise_upside_down(levels):
    one, other = find_change_point(COARSE, levels), find_change_point(COARSE, [-level for level in levels])
    assert other == replace(one, size=-one.size)
    assert 0 <= one.share <= 1 and 0 < one.p <= 1


def test_what_rounding_does_is_no_jump():
    time = FINE / FINE[-1]
    assert (
        find_change_point(FINE, time + 1e-4 * (time > 0.5)).p
        > 0.05
        > find_change_point(FINE, time + 1e-2 * (time > 0.5)).p
    )
    assert not find_change_point(FINE, np.float32(time)).abrupt


def test_a_clear_jump_that_is_small_is_not_abrupt():
    y = FINE / FINE[-1] + 0.1 * (FINE > 10_000)
    found = find_change_point(FINE, y)
    assert found.at == (10_000, 10_200) and found.p < 0.01 and not found.abrupt
    assert found.share == pytest.approx(0.1 / 1.1, abs=0.01)


def test_a_large_jump_comes_before_a_small_one_that_is_clearer():
    later = FINE > 8_000
    y = later + 0.1 * (FINE > 14_000) + 0.01 * np.random.default_rng(0).normal(size=len(FINE)) * (FINE < 11_000)
    assert find_change_point(FINE, y).at == (8_000, 8_200)
    assert find_change_point(FINE, y - later).at == (14_000, 14_200)


def test_the_rule_needs_both():
    sure = ChangePoint(at=(1.0, 2.0), size=5.0, share=SHARE, p=0.049)
    assert sure.abrupt
    assert not replace(sure, p=0.05).abrupt and not replace(sure, share=SHARE - 0.01).abrupt


def test_a_spike_and_two_near_jumps_are_not_one():
    """What it is documented not to see, and does not take for a jump."""
    at = np.arange(len(FINE))
    assert not find_change_point(FINE, at == 70).abrupt
    assert not find_change_point(FINE, 1.0 * (at > 70) + (at > 75)).abrupt
    assert find_change_point(FINE, 1.0 * (at > 70) + (at > 79)).abrupt


def test_a_constant_has_no_jump():
    assert find_change_point(FINE, np.zeros(len(FINE))) == ChangePoint(at=None, size=0.0, share=0.0, p=1.0)
    assert not find_change_point(COARSE, [3.5] * 51).abrupt


def test_one_weight_more_is_no_jump_from_nothing():
    one = (COARSE > 20_000) * 1.0
    assert find_change_point(COARSE, one).abrupt
    assert find_change_point(COARSE, one, error=1.0).p > 0.5
    many = find_change_point(COARSE, 10_000 * one, error=100.0)
    assert many.abrupt and many.at == (20_000, 21_000) and many.size == pytest.approx(10_000) and 0 < many.p < 0.01


@pytest.mark.parametrize("mean", [0.3, 3, 300])
def test_counts_of_chance_are_no_jumps(mean):
    counts = np.random.default_rng(8).poisson(mean, (100, len(COARSE)))
    assert sum(find_change_point(COARSE, y).abrupt for y in counts) <= most_allowed(100)
    assert not any(find_change_point(COARSE, y, error=math.sqrt(y.max())).abrupt for y in counts)


def test_the_same_twice_whatever_was_drawn_between():
    y = np.random.default_rng(9).normal(size=len(FINE)).cumsum()
    first = find_change_point(FINE, y)
    np.random.default_rng(0).normal()
    change_point._random_clearness.cache_clear()
    assert find_change_point(list(FINE), list(y)) == first


def test_twelve_points_are_enough():
    assert find_change_point(range(12), [0.0] * 6 + [1.0] * 6).abrupt
    assert not find_change_point(range(12), np.arange(12) ** 2).abrupt


@pytest.mark.parametrize(
    ("steps", "values", "message"),
    [
        (range(11), range(11), "11 values are too few"),
        ([], [], "0 values are too few"),
        (range(12), range(13), "one value for each step"),
        ([range(12)], [range(12)], "one value for each step"),
        ([0, *range(11)], range(12), "steps must rise"),
        (range(12, 0, -1), range(12), "steps must rise"),
        (range(-1, 11), range(12), "steps must rise, from 0"),
        (range(12), [math.nan, *range(11)], "NaN"),
        (range(12), [math.inf, *range(11)], "infinity"),
        ([*range(11), math.inf], range(12), "infinity"),
        (range(12), ["many"] * 12, "must be numbers"),
    ],
)
def test_what_is_no_series(steps, values, message):
    with pytest.raises(InputError, match=message):
        find_change_point(steps, values)


@pytest.mark.parametrize("error", [-1.0, math.nan, math.inf])
def test_an_error_is_a_standard_deviation(error):
    with pytest.raises(InputError, match="error"):
        find_change_point(range(12), range(12), error=error)


def test_it_is_fast():
    change_point._random_clearness.cache_clear()
    start = time.process_time()
    for seed in range(20):
        find_change_point(FINE, np.random.default_rng(seed).normal(size=len(FINE)))
    assert time.process_time() - start < 20 * 0.2
