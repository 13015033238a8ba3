"""Comparisons round by round: what drifts cancels, and nothing else changes."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from bench.results import Sample
from bench.stats import ratio
from bench.stats.comparison import compare
from bench.stats.pairing import match
from bench.stats.signed_rank import paired_p_value

pairs = st.lists(st.tuples(st.floats(0.5, 2), st.floats(0.5, 2)), min_size=6, max_size=20)


def drifting(rng, n, factor=1.0, drift=0.5, spread=0.05):
    """Two targets whose host becomes slower by `drift` while they take turns."""
    times = [math.exp(drift * i / n) for i in range(n)]
    return (
        [factor * t * rng.lognormvariate(0, spread) for t in times],
        [t * rng.lognormvariate(0, spread) for t in times],
    )


@pytest.mark.parametrize("n", [6, 14, 40])
def test_p_is_that_of_the_signed_rank_test(n):
    first, second = drifting(random.Random(n), n, 1.02)
    logs = [math.log(a / b) for a, b in zip(first, second, strict=True)]
    expected = scipy_stats.wilcoxon(logs, method="exact").pvalue
    margin = 0 if n <= 14 else 4 * math.sqrt(expected / 9999) + 1e-3
    assert paired_p_value(first, second) == pytest.approx(expected, abs=margin + 1e-9)


def test_equal_pairs_are_no_difference():
    assert paired_p_value([2.0] * 5, [2.0] * 5) == 1
    assert paired_p_value([-1.0, 0.0] * 10, [-1.0, 0.0] * 10) == 1


def test_a_drift_hides_a_difference_from_groups_and_not_from_pairs():
    first, second = drifting(random.Random(1), 30, 1.05)
    assert compare(first, second).verdict == "inconclusive"
    found = compare(first, second, paired=True)
    assert found.verdict == "higher"
    assert found.p < 0.01
    assert found.ratio.method == "paired variance recovery"
    assert found.ratio.high - found.ratio.low < 0.5 * (ratio(first, second).high - ratio(first, second).low)


def test_the_same_thing_twice_rarely_differs_under_drift():
    rng, repeats = random.Random(3), 400
    alarms = sum(paired_p_value(*drifting(rng, 12)) <= 0.05 for _ in range(repeats))
    assert alarms <= scipy_stats.binom.ppf(0.9999, repeats, 0.05)


@pytest.mark.parametrize("n", [10, 20, 50])
@pytest.mark.parametrize("drift", [0.0, 0.05])
def test_ratios_of_pairs_cover_as_often_as_they_say(n, drift):
    rng, repeats = random.Random(5), 1500
    found = [ratio(*drifting(rng, n, 3.0, drift), paired=True) for _ in range(repeats)]
    assert 0.93 - 0.02 < sum(e.low <= 3 <= e.high for e in found) / repeats < 0.97 + 0.015


@given(pairs)
def test_a_ratio_of_pairs_turned_over_is_its_inverse(values):
    above, below = map(list, zip(*values, strict=True))
    one, other = ratio(above, below, paired=True), ratio(below, above, paired=True)
    assert one.low <= one.value * (1 + 1e-12)
    assert one.high >= one.value * (1 - 1e-12)
    assert one.low == pytest.approx(1 / other.high)


def test_pairs_have_two_sides():
    with pytest.raises(ValueError, match="pairs have two values each"):
        ratio([1.0, 2.0], [1.0], paired=True)
    with pytest.raises(ValueError, match="pairs have two values each"):
        paired_p_value([1.0, 2.0], [1.0])


def taken(*rounds):
    return [Sample(value=float(r), round=r, position=0, at=0.0) for r in rounds]


def test_samples_are_matched_by_round():
    found = match(taken(3, 1, 2, 5), taken(1, 2, 3, 4))
    assert (found.first, found.second, found.paired) == ([1, 2, 3], [1, 2, 3], True)


def test_few_partners_are_no_pairs_and_nothing_is_left_out():
    found = match(taken(*range(10)), taken(0, 5))
    assert (len(found.first), len(found.second), found.paired) == (10, 2, False)
