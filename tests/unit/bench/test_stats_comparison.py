"""Tests of two groups against scipy, against counting by hand, and against their own error rates."""

import math
import random
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from bench.stats.comparison import compare, family
from bench.stats.delta import cliffs_delta
from bench.stats.holm import holm
from bench.stats.permutation import p_value
from bench.stats.tail import fewest, percentile

groups = st.lists(st.integers(1, 9).map(float), min_size=1, max_size=6)


def draws(rng, n, factor=1.0, spread=0.05):
    return [factor * rng.lognormvariate(0, spread) for _ in range(n)]


@pytest.mark.parametrize("seed", range(5))
def test_few_runs_have_the_exact_p_of_the_rank_sum_test(seed):
    rng = random.Random(seed)
    first, second = draws(rng, 6), draws(rng, 7, 1.03)
    expected = scipy_stats.mannwhitneyu(first, second, method="exact").pvalue
    assert p_value(first, second) == pytest.approx(expected)


def test_ties_are_permuted_as_they_are():
    first, second = [1.0, 1.0, 2.0, 5.0], [1.0, 3.0, 3.0, 5.0, 6.0]
    # scipy doubles the smaller tail, which with ties is another p; both tails are counted here.
    ranks = scipy_stats.rankdata([*first, *second]) - 5.0
    sums = [
        abs(sum(rank for rank, chosen in zip(ranks, choice, strict=True) if chosen))
        for choice in product([0, 1], repeat=9)
        if sum(choice) == 4
    ]
    observed = abs(ranks[:4].sum())
    assert p_value(first, second) == pytest.approx(np.mean([s >= observed - 1e-9 for s in sums]))


def test_many_runs_are_drawn_and_the_seed_repeats_them():
    rng = random.Random(3)
    first, second = draws(rng, 30), draws(rng, 30, 1.02)
    p = p_value(first, second, seed=1)
    assert p == p_value(first, second, seed=1)
    expected = scipy_stats.mannwhitneyu(first, second, method="asymptotic").pvalue
    assert p == pytest.approx(expected, abs=4 * math.sqrt(expected / 9999) + 0.003)
    assert p_value([1.0] * 30, [2.0] * 30) == 1e-4  # never zero


def test_what_ranks_alone_tell_apart_is_not_claimed():
    """One percent in five of noise: the test by ranks finds it, the medians can't say by how much."""
    rng = random.Random(1)
    pairs = [(draws(rng, 100, 1.02), draws(rng, 100)) for _ in range(60)]
    found = [compare(new, old, margin=0.0) for new, old in pairs]
    torn = [one for one in found if one.p <= 0.05 and one.ratio.low <= 1 <= one.ratio.high]
    assert torn
    assert {one.verdict for one in torn} == {"inconclusive"}
    told = [one for one in found if one.verdict == "higher"]
    assert told
    assert all(one.ratio.low > 1 and one.p <= 0.05 for one in told)


def test_equal_groups_have_no_difference_at_all():
    assert p_value([2.0] * 5, [2.0] * 5) == 1
    assert cliffs_delta([2.0] * 5, [2.0] * 5).value == 0


@given(groups, groups)
def test_delta_counts_every_pair(first, second):
    pairs = [(a > b) - (a < b) for a, b in product(first, second)]
    estimate = cliffs_delta(first, second)
    assert estimate.value == pytest.approx(np.mean(pairs))
    assert cliffs_delta(second, first).value == pytest.approx(-estimate.value)
    if estimate.has_interval:
        assert -1 <= estimate.low <= estimate.value + 1e-12
        assert estimate.value - 1e-12 <= estimate.high <= 1


def test_deltas_interval_covers():
    rng, found, repeats = random.Random(5), 0, 1500
    truth = 2 * scipy_stats.norm.cdf(0.8 / math.sqrt(2)) - 1  # two normals, 0.8 standard deviations apart
    for _ in range(repeats):
        estimate = cliffs_delta([rng.gauss(0.8, 1) for _ in range(15)], [rng.gauss(0, 1) for _ in range(15)])
        found += estimate.low <= truth <= estimate.high
    assert 0.93 <= found / repeats <= 0.975


def test_groups_apart_still_admit_doubt():
    estimate = cliffs_delta([3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [1.0, 2.0, 2.5, 2.7, 2.8, 2.9])
    assert (estimate.value, estimate.high) == (1, 1)
    assert 0 < estimate.low < 1


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(("share", "needed"), [(0.95, 72), (0.99, 368), (0.05, 72), (0.5, 6)])
def test_percentiles_need_enough_runs(share, needed):
    assert fewest(share) == needed
    assert percentile([1.0] * (needed - 1), share) is None
    assert percentile(list(map(float, range(needed))), share) is not None


@pytest.mark.parametrize(("n", "share"), [(100, 0.95), (400, 0.99), (80, 0.95), (60, 0.9)])
def test_the_ends_of_a_percentile_are_exact_and_no_wider_than_needed(n, share):
    estimate = percentile(list(map(float, range(1, n + 1))), share)
    below = scipy_stats.binom(n, share)
    low, high = int(estimate.low), int(estimate.high)
    assert estimate.value == pytest.approx(np.quantile(np.arange(1, n + 1), share))
    assert below.cdf(low - 1) <= 0.025 < below.cdf(low)
    assert 1 - below.cdf(high - 1) <= 0.025 < 1 - below.cdf(high - 2)


def test_verdicts():
    rng = random.Random(9)
    old = draws(rng, 30)
    assert compare(draws(rng, 30, 1.2), old).verdict == "higher"
    assert compare(draws(rng, 30, 0.8), old).verdict == "lower"
    assert compare(draws(rng, 60), draws(rng, 60), margin=0.1).verdict == "equivalent"
    assert compare(draws(rng, 5, 1.02), old[:5]).verdict == "inconclusive"
    assert compare([0.0, 1.0], old) is None


def test_a_real_difference_within_the_margin_is_equivalent_and_shown():
    rng = random.Random(2)
    found = compare(draws(rng, 50, 1.01, 0.002), draws(rng, 50, 1.0, 0.002), margin=0.05)
    assert found.verdict == "equivalent"
    assert found.p < 0.001
    assert found.ratio.low > 1


def test_few_runs_are_never_equivalent():
    same = [1.0, 1.0, 1.0]
    assert compare(same, same).verdict == "inconclusive"


def _borderline(one):
    return 0.02 < one.p < 0.05 and one.verdict == "higher"


def test_a_family_is_held_to_one_rate():
    rng = random.Random(4)
    old = draws(rng, 8)
    borderline = next(c for _ in range(999) if _borderline(c := compare(draws(rng, 8, 1.06), old)))
    nothing = [compare(draws(rng, 8, spread=0.3), draws(rng, 8, spread=0.3)) for _ in range(4)]
    first, *_ = family([borderline, *nothing])
    assert (first.p_raw, first.verdict) == (borderline.p_raw, "inconclusive")
    assert first.p > 0.05


@pytest.mark.parametrize("n", [8, 20])
def test_the_same_thing_twice_rarely_differs(n):
    rng, repeats = random.Random(n), 400
    alarms = sum(
        compare(draws(rng, n, spread=0.5), draws(rng, n, spread=0.5), seed=i).verdict in {"higher", "lower"}
        for i in range(repeats)
    )
    assert alarms <= scipy_stats.binom.ppf(0.9999, repeats, 0.05)


@pytest.mark.parametrize("factor", [1.05, 1 / 1.05])
def test_equivalence_is_rarely_granted_at_the_margin(factor):
    rng, repeats = random.Random(1), 400
    granted = sum(
        compare(draws(rng, 30, factor), draws(rng, 30), margin=0.05, seed=i).is_equivalent
        for i in range(repeats)
    )
    assert granted <= scipy_stats.binom.ppf(0.9999, repeats, 0.05)


def test_equivalence_is_granted_where_there_is_none():
    rng = random.Random(1)
    granted = sum(compare(draws(rng, 30), draws(rng, 30), margin=0.1).is_equivalent for _ in range(100))
    assert granted >= 90
