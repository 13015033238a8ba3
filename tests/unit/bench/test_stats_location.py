import math
import random
import statistics
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from bench.stats import LEVEL, median, order_interval, ratio
from bench.stats.location import interpolated_interval
from bench.stats.ratio import WIDENING

numbers = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
samples = st.lists(numbers, min_size=1, max_size=14)


def test_one_or_two_runs_have_no_interval():
    for values in ([3.0], [3.0, 5.0]):
        estimate = median(values)
        assert estimate.value == statistics.median(values)
        assert not estimate.has_interval
        assert (estimate.low, estimate.high, estimate.level, estimate.method) == (None, None, 0.0, "none")


@pytest.mark.parametrize(("n", "level"), [(3, 0.75), (4, 0.875), (5, 0.9375)])
def test_a_few_runs_give_their_range_and_its_true_level(n, level):
    estimate = median(list(map(float, range(n))))
    assert (estimate.low, estimate.high, estimate.level) == (0, n - 1, level)


@pytest.mark.parametrize(
    ("n", "depth"), [(8, 1), (9, 2), (10, 2), (12, 3), (20, 6), (30, 10), (50, 18), (100, 40)]
)
def test_depths_agree_with_the_published_table(n, depth):
    # Conover 1999, "Practical Nonparametric Statistics", table A3 through the binomial at p = 1/2.
    low, high, level = order_interval(list(map(float, range(1, n + 1))))
    assert (low, high) == (depth, n + 1 - depth)
    assert level == pytest.approx(1 - 2 * scipy_stats.binom.cdf(depth - 1, n, 0.5))
    assert level >= LEVEL
    assert 1 - 2 * scipy_stats.binom.cdf(depth, n, 0.5) < LEVEL


@pytest.mark.parametrize(
    ("n", "low", "high"),
    [(6, 1.3571, 5.6429), (10, 2.6577, 8.3423), (20, 6.2352, 14.7648), (50, 18.6717, 32.3283)],
)
def test_from_6_runs_on_it_interpolates_between_depths(n, low, high):
    # The weight is (n - k) I / (k + (n - 2 k) I), I the excess cover as a share of the step's. For n = 6:
    # k = 1 covers 31/32, k = 2 25/32, so I = 0.1 and the weight 0.5 / 1.4.
    values = list(map(float, range(1, n + 1)))
    estimate = median(values)
    assert (estimate.low, estimate.high) == (pytest.approx(low, abs=2e-4), pytest.approx(high, abs=2e-4))
    assert (estimate.level, estimate.method) == (LEVEL, "interpolated order statistics")


def test_an_interval_lies_between_those_of_the_levels_around_it():
    values = list(map(float, range(1, 21)))
    wide, narrow = order_interval(values), order_interval(values, 0.85)
    low, high = interpolated_interval(values)
    assert wide[0] < low < narrow[0]
    assert narrow[1] < high < wide[1]
    assert interpolated_interval(values, 1 - 1e-9) == (1, 20)


@pytest.mark.parametrize("values", [[2.0] * 20, [1.0] * 19 + [2.0], [1.0] * 10 + [2.0] * 10])
def test_ties_give_an_interval_and_no_warning(values):
    estimate = median(values)
    assert estimate.low <= estimate.value <= estimate.high
    assert math.isfinite(estimate.low)


@given(samples)
def test_the_interval_holds_the_median_and_lies_within_the_data(values):
    estimate = median(values)
    assert estimate.n == len(values)
    if estimate.has_interval:
        assert min(values) <= estimate.low <= estimate.value <= estimate.high <= max(values)


@given(samples, st.randoms())
def test_order_of_the_values_does_not_matter(values, rng):
    shuffled = list(values)
    rng.shuffle(shuffled)
    assert median(shuffled) == median(values)


@given(samples)
def test_units_scale(values):
    estimate, doubled = median(values), median([2 * value for value in values])
    assert doubled.value == 2 * estimate.value
    assert doubled.has_interval == estimate.has_interval
    if estimate.has_interval:
        assert (doubled.low, doubled.high) == (2 * estimate.low, 2 * estimate.high)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf, 1.0]])
def test_nonsense_is_refused(values):
    with pytest.raises(ValueError, match="values"):
        median(values)


def hits(n, draw, truth, repeats):
    rng = random.Random(7)
    intervals = (median([draw(rng) for _ in range(n)]) for _ in range(repeats))
    return sum(e.low <= truth <= e.high for e in intervals) / repeats


DRAWS = {
    "normal": (lambda rng: rng.gauss(10, 1), 10.0),
    "log-normal": (lambda rng: rng.lognormvariate(0, 0.7), 1.0),
    "exponential": (lambda rng: rng.expovariate(1), math.log(2)),
    "bimodal": (lambda rng: rng.gauss(10, 1) if rng.random() < 0.5 else rng.gauss(14, 1), 12.0),
}


@pytest.mark.parametrize("shape", DRAWS)
@pytest.mark.parametrize("n", [3, 5, 6, 8, 10, 20, 50])
def test_intervals_cover_as_often_as_they_say(n, shape):
    stated = median(list(map(float, range(n)))).level
    share = hits(n, *DRAWS[shape], 2000)
    assert abs(share - stated) < 4 * math.sqrt(stated * (1 - stated) / 2000)


@pytest.mark.parametrize("n", [6, 7, 8, 10, 20, 50])
def test_a_median_between_two_humps_with_nothing_between_is_covered(n):
    """Interpolated ends cover 88 % of them at n = 7: they lie between the humps, where no data are."""
    share = hits(n, lambda rng: rng.choice((10.0, 14.0)) + rng.gauss(0, 0.1), 12.0, 2000)
    assert share > 0.95 - 4 * math.sqrt(0.95 * 0.05 / 2000)


def test_an_end_in_a_gap_is_put_where_the_data_are():
    humps = [1.0, 1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.07, 2.0, 2.01]
    estimate = median(humps)
    assert estimate.high == 2.0  # the ninth, not somewhere between the eighth and it
    assert 1.01 < estimate.low < 1.02


def test_the_ratio_of_constants_is_exact():
    estimate = ratio([6.0] * 8, [2.0] * 8)
    assert (estimate.value, estimate.low, estimate.high) == (3.0, 3.0, 3.0)


def test_the_ratio_reaches_as_far_as_both_medians_together():
    up, down = list(map(float, range(101, 121))), list(map(float, range(51, 71)))
    estimate = ratio(up, down)
    each = 1 - 0.05 * WIDENING
    (low, high), (below, over) = interpolated_interval(up, each), interpolated_interval(down, each)
    middle, other = statistics.median(up), statistics.median(down)
    reach = math.hypot(math.log(middle / low), math.log(over / other))
    assert math.log(estimate.value / estimate.low) == pytest.approx(reach)
    reach = math.hypot(math.log(high / middle), math.log(other / below))
    assert math.log(estimate.high / estimate.value) == pytest.approx(reach)


def test_a_higher_level_makes_a_wider_interval():
    up, down = list(map(float, range(101, 121))), list(map(float, range(51, 71)))
    narrow, wide = ratio(up, down, level=0.9), ratio(up, down, level=0.99)
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_the_ratio_of_few_runs_admits_its_level():
    estimate = ratio([4.0, 5.0, 6.0], [1.0, 2.0, 4.0])
    assert (estimate.value, estimate.low, estimate.high) == (2.5, 1.0, 6.0)
    assert estimate.level == 0.5  # 75 % and 75 %
    assert not ratio([4.0, 5.0], [1.0, 2.0, 4.0]).has_interval


@pytest.mark.parametrize(
    ("above", "below"), [([], [1.0]), ([1.0], []), ([1.0], [0.0]), ([-1.0, 2.0], [1.0, 1.0])]
)
def test_no_ratio_of_nothing_or_of_what_is_not_positive(above, below):
    assert ratio(above, below) is None


@settings(max_examples=15)
@given(
    st.lists(st.floats(0.5, 2), min_size=3, max_size=12), st.lists(st.floats(0.5, 2), min_size=3, max_size=12)
)
def test_a_ratio_turned_over_is_its_inverse(above, below):
    one, other = ratio(above, below), ratio(below, above)
    assert one.value == pytest.approx(1 / other.value)
    assert one.low <= one.high
    if one.has_interval:
        assert one.low == pytest.approx(1 / other.high)


@pytest.mark.parametrize("shape", DRAWS)
@pytest.mark.parametrize("n", [10, 20, 50])
def test_ratios_cover_as_often_as_they_say(n, shape):
    draw, _truth = DRAWS[shape]
    rng = random.Random(11)
    repeats, found = 2000, 0
    for _ in range(repeats):
        above, below = ([factor * abs(draw(rng)) for _ in range(n)] for factor in (3.0, 1.0))
        estimate = ratio(above, below)
        found += estimate.low <= 3.0 <= estimate.high
    assert 0.93 - 0.02 < found / repeats < 0.97 + 0.015  # four standard errors


def test_importing_statistics_loads_neither_numpy_nor_scipy():
    program = (
        "import sys, bench.stats, bench.results; assert not {'numpy', 'scipy', 'pandas'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
