import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from bench.stats import Point, fit

COUNTS = (1, 2, 4, 8)


def noisy(rng, *, rounds, slope=5.0, intercept=2.0, noise=0.5, mood=0.0):
    """Points of a line whose rounds differ in slope by `mood`."""
    points = []
    for index in range(rounds):
        tilt = slope + rng.gauss(0, mood)
        points += [Point(x, intercept + tilt * x + rng.gauss(0, noise), index) for x in COUNTS]
    return points


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.integers(1, 5))
def test_points_on_a_line_give_the_line(slope, intercept, rounds):
    line = fit([Point(x, intercept + slope * x, index) for index in range(rounds) for x in COUNTS])
    assert line.slope.value == pytest.approx(slope, abs=1e-6)
    assert line.intercept.value == pytest.approx(intercept, abs=1e-6)
    assert line.at(3) == pytest.approx(intercept + 3 * slope, abs=1e-6)
    assert line.residual == pytest.approx(0, abs=1e-6)


def test_no_line_without_two_places():
    assert fit([]) is None
    assert fit([Point(2, 1.0, 0), Point(2, 5.0, 1)]) is None


def test_two_points_have_no_interval():
    line = fit([Point(1, 3.0, 0), Point(2, 5.0, 0)])
    assert (line.slope.value, line.intercept.value) == (2.0, 1.0)
    assert not line.slope.has_interval
    assert not line.intercept.has_interval
    assert line.residual is None


def test_over_points_it_is_the_textbook_interval():
    points = noisy(random.Random(2), rounds=2)
    line = fit(points)
    theirs = scipy_stats.linregress([p.x for p in points], [p.y for p in points])
    quantile = scipy_stats.t.ppf(0.975, len(points) - 2)
    assert line.slope.method == "Student t over points"
    assert line.slope.value == pytest.approx(theirs.slope)
    assert line.slope.high - line.slope.value == pytest.approx(quantile * theirs.stderr)
    assert line.intercept.value - line.intercept.low == pytest.approx(quantile * theirs.intercept_stderr)


def test_over_rounds_it_is_student_t_of_the_slopes():
    points = noisy(random.Random(3), rounds=4)
    slopes = []
    for index in range(4):
        mine = [p for p in points if p.round == index]
        slopes.append(scipy_stats.linregress([p.x for p in mine], [p.y for p in mine]).slope)
    theirs = scipy_stats.ttest_1samp(slopes, 0).confidence_interval(0.95)
    line = fit(points)
    assert line.slope.method == "Student t over rounds"
    assert line.slope.n == 4
    assert line.points == 16
    assert (line.slope.low, line.slope.high) == pytest.approx(tuple(theirs))


def test_rounds_that_saw_one_count_each_are_points():
    points = [Point(x, 2.0 * x + 0.1 * (-1) ** x, x) for x in range(1, 7)]
    assert fit(points).slope.method == "Student t over points"


@pytest.mark.parametrize("mood", [0.0, 1.0])
def test_slopes_cover_even_when_rounds_differ(mood):
    rng = random.Random(5)
    repeats = 1000
    lines = [fit(noisy(rng, rounds=4, mood=mood)) for _ in range(repeats)]
    share = sum(line.slope.low <= 5.0 <= line.slope.high for line in lines) / repeats
    assert abs(share - 0.95) < 4 * math.sqrt(0.95 * 0.05 / repeats)


def test_pooling_the_points_would_cover_too_little():
    # The reason for taking rounds as units: the same data, with the rounds' borders hidden.
    rng = random.Random(5)
    repeats = 400
    found = 0
    for _ in range(repeats):
        hidden = [Point(p.x, p.y, 0) for p in noisy(rng, rounds=4, mood=1.0)]
        slope = fit(hidden).slope
        found += slope.low <= 5.0 <= slope.high
    assert found / repeats < 0.85
