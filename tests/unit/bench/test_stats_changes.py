"""Change points in histories whose truth is known."""

import random

import pytest

from bench.stats.changes import changes


def history(n, steps, *, noise=0.02, seed=0):
    """`n` figures around 100, multiplied from each index of `steps` on by its factor."""
    rng, level, found = random.Random(seed), 100.0, []
    for index in range(n):
        level *= steps.get(index, 1.0)
        found.append(level * rng.gauss(1, noise))
    return found


@pytest.mark.parametrize("factor", [1.1, 1 / 1.1])
def test_a_step_is_found_where_it_is(factor):
    (found,) = changes(history(40, {25: factor}))
    assert abs(found.index - 25) <= 1
    assert found.ratio == pytest.approx(factor, rel=0.02)
    assert found.p <= 0.01


def test_two_steps_are_found_in_order():
    found = changes(history(60, {20: 1.15, 40: 1.1}))
    assert [abs(change.index - truth) <= 1 for change, truth in zip(found, (20, 40), strict=True)] == [
        True
    ] * 2
    assert found[0].after == found[1].before


def test_a_step_that_is_taken_back_is_two_changes():
    found = changes(history(60, {25: 1.2, 35: 1 / 1.2}))
    assert [change.index for change in found] == [25, 35]


def test_one_odd_value_is_no_change():
    values = history(30, {})
    values[15] *= 3
    assert changes(values) == []


def test_a_step_at_the_end_waits_for_its_confirmation():
    values = history(30, {28: 1.5})
    assert changes(values) == []
    assert [change.index for change in changes([*values, 149.0])] == [28]


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 5, [7.0] * 30])
def test_too_little_or_nothing_that_varies_has_no_change(values):
    assert changes(values) == []


def test_pure_noise_rarely_has_a_change():
    alarms = sum(
        bool(changes(history(40, {}, noise=0.05, seed=seed), permutations=199)) for seed in range(100)
    )
    assert alarms <= 8  # 2.5 % is the level; 9 or more of 100 has a probability of 0.1 %


def test_the_same_history_has_the_same_changes():
    values = history(40, {20: 1.04})
    assert changes(values, seed=3) == changes(values, seed=3)


def test_a_history_too_long_to_compare_is_refused():
    with pytest.raises(ValueError, match="1000"):
        changes([1.0] * 1001)
