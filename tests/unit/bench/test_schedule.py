from collections import Counter, defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchFault
from bench.schedule import Slot, blocks, spare

NAMES = ["native", "container", "vm", "vm-micro", "vm-full"]
plans = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 40))
orders = st.sampled_from(["interleaved", "blocked"])


def schedule(runs, seed=1, order="interleaved", warmups=1):
    return list(blocks(list(runs), runs, seed, order, warmups=warmups))


@given(plans, st.integers(), orders, st.integers(0, 3))
def test_every_target_gets_exactly_its_runs_and_warmups(runs, seed, order, warmups):
    slots = schedule(runs, seed, order, warmups)
    counted = Counter(slot.target for slot in slots if not slot.warmup)
    assert counted == Counter({target: number for target, number in runs.items() if number})
    warm = Counter(slot.target for slot in slots if slot.warmup)
    assert warm == Counter({target: warmups for target, number in runs.items() if number and warmups})


@given(plans, st.integers(), st.integers(1, 50))
def test_spare_slots_come_in_rounds_of_their_own_from_the_first_on(runs, seed, first):
    slots = list(spare(runs, first, seed))
    assert Counter(slot.target for slot in slots) == Counter({t: n for t, n in runs.items() if n})
    assert len({(slot.round, slot.position) for slot in slots}) == len(slots)
    for target, number in runs.items():
        rounds = [slot.round for slot in slots if slot.target == target]
        assert rounds == [*range(first, first + number)]
    assert all((slot.spares, slot.warmup) == (first, False) for slot in slots)


@given(plans, st.integers(), orders)
def test_the_place_in_the_schedule_is_unique(runs, seed, order):
    slots = schedule(runs, seed, order)
    assert len({(slot.round, slot.position) for slot in slots}) == len(slots)


@given(plans, st.integers(), orders)
def test_a_target_is_warm_before_it_counts(runs, seed, order):
    seen = set()
    for slot in schedule(runs, seed, order):
        if slot.warmup:
            seen.add(slot.target)
        assert slot.target in seen


@given(plans, st.integers())
def test_few_runs_are_spread_evenly_over_the_rounds(runs, seed):
    total = max(runs.values(), default=0)
    rounds = defaultdict(list)
    for slot in schedule(runs, seed, warmups=0):
        rounds[slot.target].append(slot.round)
    for target, places in rounds.items():
        gaps = [after - before for before, after in pairwise(places)]
        assert all(total // runs[target] <= gap <= -(-total // runs[target]) for gap in gaps)


@given(st.lists(st.sampled_from(NAMES), min_size=2, unique=True), st.integers(1, 20), st.integers())
def test_two_rounds_mirror_each_other_so_that_linear_drift_cancels(targets, pairs, seed):
    slots = list(blocks(targets, 2 * pairs, seed, warmups=0))
    moments = defaultdict(int)
    for moment, slot in enumerate(slots):
        moments[slot.target] += moment
    assert len(set(moments.values())) == 1


def test_a_single_run_is_in_the_middle():
    slots = schedule({"native": 4, "vm": 1}, warmups=0)
    assert [slot.round for slot in slots if slot.target == "vm"] == [1]


def test_blocked_order_finishes_one_target_before_the_next():
    slots = schedule(dict.fromkeys(NAMES, 3), order="blocked")
    changes = sum(before.target != after.target for before, after in pairwise(slots))
    assert changes == len(NAMES) - 1


def test_interleaved_order_is_by_round_then_position():
    slots = schedule({"native": 9, "vm": 3})
    assert [(s.round, s.position) for s in slots] == sorted((s.round, s.position) for s in slots)
    assert slots[0].warmup
    assert {slot.target for slot in slots if slot.warmup} == {"native", "vm"}


def test_the_seed_decides_and_the_order_of_the_arguments_does_not():
    first = list(blocks(NAMES, 6, 7))
    assert list(blocks(NAMES[::-1], 6, 7)) == first
    assert any(list(blocks(NAMES, 6, seed)) != first for seed in range(8, 12))


def test_permutations_differ_from_block_to_block():
    slots = list(blocks(NAMES, 40, 3, warmups=0))
    first_of_round = Counter(slot.target for slot in slots if slot.position == 0)
    assert len(first_of_round) == len(NAMES)


def test_one_target_without_warmup_is_just_a_count():
    assert list(blocks(["a"], 2, 0, warmups=0)) == [Slot(0, 0, "a"), Slot(1, 0, "a")]


@pytest.mark.parametrize(
    ("targets", "runs", "warmups"),
    [(["a", "a"], 1, 1), (["a"], -1, 1), (["a"], 1, -1), (["a", "b"], {"a": 1}, 1)],
)
def test_nonsense_is_a_usage_error(targets, runs, warmups):
    with pytest.raises(BenchFault) as caught:
        blocks(targets, runs, 1, warmups=warmups)
    assert caught.value.kind == "usage"
