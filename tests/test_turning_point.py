"""Where curves bend and how steep they are after it, on curves of which that is known."""

import numpy as np
import pytest
from helpers import curve, knee_at
from hypothesis import given, settings
from hypothesis import strategies as st

from essparse_lib.analysis.turning_point import _fit, find_turning_point, turning_point
from essparse_lib.specs.study import TENTHS


@pytest.mark.parametrize("slope", [30.0, 60.0, 80.0])
@pytest.mark.parametrize("knee", [0.2, 0.45])
def test_the_slope_after_the_knee_is_that_of_the_curve(slope, knee):
    found = find_turning_point(curve(knee_at(knee, slope)))
    assert found.at.value == pytest.approx(knee, abs=0.02)
    assert found.slope.value == pytest.approx(slope / 10, rel=0.05)
    assert found.slope.low <= slope / 10 <= found.slope.high
    room = 90 - 50
    assert found.share.value == pytest.approx(100 * found.slope.value / room, rel=0.01)
    assert found.share.low <= 100 * slope / 10 / room <= found.share.high


def test_the_same_share_of_less_is_as_sharp():
    """A model that knows half as much, and loses half as many points, loses the same share."""
    much, little = (find_turning_point(curve(knee_at(0.4, slope, top))) for slope, top in ((60.0, 90.0), (30.0, 70.0)))
    assert little.slope.value == pytest.approx(much.slope.value / 2, rel=0.05)
    assert little.share.value == pytest.approx(much.share.value, rel=0.05)


def test_a_slope_before_the_knee_counts_in_the_slope_after_it():
    found = find_turning_point(curve(lambda s: 90 - 10 * s - 50 * max(0.0, s - 0.5)))
    assert found.slope.value == pytest.approx(6, rel=0.1)


def test_the_floor_does_not_blunt_a_curve():
    found = find_turning_point(curve(lambda s: max(50.0, 90 - 100 * max(0.0, s - 0.4))))
    assert found.at.value == pytest.approx(0.4, abs=0.02) and found.slope.value == pytest.approx(10, rel=0.05)


def test_what_does_not_steepen_has_no_bend():
    assert find_turning_point(curve(lambda s: 90 - 30 * s + 20 * max(0, s - 0.4))) is None
    assert np.isnan(turning_point(curve(lambda s: 90 - 30 * s + 20 * max(0, s - 0.4))).value)


def test_the_turning_point_is_that_of_the_bend():
    found = curve(knee_at(0.5), noise=1.0)
    assert turning_point(found) == find_turning_point(found).at


def test_seeds_that_differ_widen_the_interval_of_the_slope():
    calm, rough = find_turning_point(curve(knee_at(0.5))), find_turning_point(curve(knee_at(0.5), noise=2.0))
    assert rough.share.high - rough.share.low > 1.5 * (calm.share.high - calm.share.low)


@settings(max_examples=30)
@given(st.integers(1, 8), st.floats(-2, 2), st.floats(0.5, 50), st.floats(-5, 5))
def test_two_straight_lines_are_fitted_exactly(place, before, steeper, start):
    levels = np.array(TENTHS)
    knee = levels[place]
    (at,), (slope,) = _fit(levels, (start + before * levels + steeper * np.maximum(levels - knee, 0))[None])
    assert at == pytest.approx(knee, abs=1e-9) and slope == pytest.approx((before + steeper) / 10, abs=1e-6)
