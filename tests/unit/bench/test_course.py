"""Which turns are taken: until warm, until precise, in time, and none twice."""

import random
from types import SimpleNamespace

import pytest

from bench import precision, spares, warmup
from bench.course import Course, Deadline
from bench.results import Failure, Measurement, Sample
from bench.schedule import Slot, blocks, spare
from bench.spares import Spares


def measured(*samples, metric="ready", target="a"):
    return Measurement(scenario="startup", target=target, metric=metric, unit="s", samples=samples)


def sample(number, value, *, position=0, warmup=False, excluded=None):
    return Sample(value=value, round=number, position=position, at=0.0, warmup=warmup, excluded=excluded)


@pytest.mark.parametrize(
    ("values", "warm"),
    [([], False), ([1.0], False), ([3.0, 2.0, 1.0], False), ([3.0, 1.0, 2.0], False),
     ([3.0, 1.0, 2.0, 1.5], True),
     ([9.0, 5.0, 4.0, 3.0, 2.9], False), ([5.0, 5.0, 5.0], False), ([1.0, 1.1, 1.2], True)],
)  # fmt: skip
def test_a_target_is_warm_when_two_turns_in_a_row_were_not_the_fastest(values, warm):
    assert warmup.is_warm(values, 1) is warm


def test_warmups_are_bounded_by_the_runs_and_absolutely():
    assert [warmup.most(1, runs) for runs in (1, 7, 20, 200)] == [1, 1, 5, 10]
    assert warmup.most(0, 200) == 0


def test_warmups_that_are_not_needed_are_left_out_and_the_counted_turns_stay_where_they_are():
    slots = list(blocks(["a"], 40, 1, warmups=warmup.most(1, 40)))
    course = Course("ready", None, 1)
    taken = []
    for slot in slots:
        if course.wants(slot):
            taken.append(slot.round)
            course.note(
                [measured(sample(slot.round, [5.0, 2.0, 3.0, 2.5][min(slot.round, 3)], warmup=slot.warmup))]
            )
    assert taken == [0, 1, 2, 3, *range(10, 50)]


def spared(disturbed, runs, failing=()):
    """Which spare turns are taken, as (round, target), when those at `disturbed` are set aside."""
    planned = list(blocks(list(runs), runs, 1, warmups=0))
    last = max(slot.round for slot in planned)
    again = list(spare({name: spares.most(count) for name, count in runs.items()}, last + 1, 1))
    course = Course(spares=Spares(runs, (*planned, *again)))
    taken = []
    for slot in (*planned, *again):
        if not course.wants(slot):
            continue
        taken.append(slot)
        why = "steal" if (slot.round, slot.target) in disturbed else None
        if (slot.round, slot.target) not in failing:
            one = sample(slot.round, 1.0, position=slot.position, excluded=why)
            course.note([measured(one, target=slot.target)])
    return sorted((slot.round, slot.target) for slot in taken if slot.spares)


def test_what_was_set_aside_is_taken_again_and_nothing_else():
    assert spared(set(), {"a": 6, "b": 6}) == []
    assert spared({(3, "a")}, {"a": 6}) == [(6, "a")]
    assert spared({(3, "a"), (4, "a")}, {"a": 6}) == [(6, "a"), (7, "a")]


def test_a_spare_turn_that_is_set_aside_is_taken_again_too_as_far_as_they_go():
    assert spared({(3, "a"), (6, "a")}, {"a": 6}) == [(6, "a"), (7, "a")]
    assert spared({(3, "a"), (6, "a"), (7, "a")}, {"a": 6}) == [(6, "a"), (7, "a")]
    assert spared({(n, "a") for n in range(99)}, {"a": 16}) == [(n, "a") for n in range(16, 20)]


def test_a_pair_is_made_good_as_a_pair_and_by_targets_with_fewer_turns_not():
    assert spared({(3, "a")}, {"a": 6, "b": 6}) == [(6, "a"), (6, "b")]
    assert spared({(1, "a"), (3, "b")}, {"a": 6, "b": 6}) == [(6, "a"), (6, "b")]
    assert spared({(5, "a")}, {"a": 60, "b": 2}) == [(60, "a")]


def test_nobody_runs_for_a_debt_that_can_not_be_paid():
    runs = {"a": 60, "b": 2}
    lost = [number for number in range(60) if spared({(number, "b")}, runs)]
    assert len(lost) == 2  # the rounds in which the second target has its turns
    both = [(60, "a"), (60, "b"), (61, "a"), (61, "b")]
    assert spared({(lost[0], "b"), (60, "b"), (61, "b")}, runs) == both
    assert spared({(lost[0], "b")}, runs, failing=both) == both
    assert spared({(number, "b") for number in range(99)}, {"a": 60, "b": 1}) == []


def test_a_run_that_was_cut_off_makes_good_what_it_would_have():
    again = list(spare({"a": 2}, 6, 1))
    run = SimpleNamespace(
        measurements=(measured(sample(3, 1.0, excluded="steal"), sample(4, 1.0)),), failures=()
    )
    course = Course(spares=Spares({"a": 6}, (*blocks(["a"], 6, 1, warmups=0), *again)))
    course.recall(run, "startup")
    assert [course.wants(slot) for slot in again] == [True, True]
    course.note([measured(sample(6, 1.0))])
    assert [course.wants(slot) for slot in again] == [True, False]
    assert course.is_done(again[0])


def values(spread, n=3000, seed=1):
    rng = random.Random(seed)
    return [rng.gauss(1, spread) for _ in range(n)]


def stages(data, share):
    n, seen = 0, []
    while (wanted := precision.needed(data[:n], share)) > n:
        n = wanted
        seen.append(n)
    return seen


def test_precision_is_judged_in_few_stages_of_whole_blocks():
    seen = stages(values(0.1), 0.02)
    assert seen[0] == precision.FIRST
    assert 2 <= len(seen) <= 6
    assert all(n % 2 == 0 for n in seen)
    assert stages(values(0.001), 0.02) == [precision.FIRST]


def test_between_stages_nothing_that_comes_changes_the_next_stage():
    data = values(0.1)
    seen = stages(data, 0.02)
    for n in range(seen[0], seen[1]):
        assert precision.needed(data[:n], 0.02) == seen[1]


def test_the_interval_at_the_end_is_as_narrow_as_was_asked():
    data = values(0.05)
    n = stages(data, 0.03)[-1]
    middle = sorted(data[:n])[n // 2]
    assert precision._reach(data[:n]) <= 0.03
    assert abs(middle - 1) < 0.03


def test_a_median_of_nothing_is_never_precise():
    assert precision.needed([0.0] * 30, 0.5) > 30


def test_only_whole_blocks_decide_and_excluded_samples_do_not_count():
    course = Course("ready", 0.1)
    course.note([measured(*(sample(i, 1.0) for i in range(20)))])
    assert not course.wants(Slot(20, 0, "a", block=20))
    course = Course("ready", 0.1)
    course.note([measured(*(sample(i, 1.0, excluded="steal" if i == 3 else None) for i in range(20)))])
    assert course.wants(Slot(20, 0, "a", block=20))
    course.note([measured(sample(20, 1.0))])
    assert course.wants(Slot(21, 0, "a", block=20))  # the mirror image of round 20
    assert not course.wants(Slot(22, 0, "a", block=22))


def test_every_set_of_parameters_has_to_be_precise():
    course = Course("rate", 0.1)
    steady = Measurement(scenario="cpu", target="a", metric="rate", unit="1/s", params={"work": "x"},
                         samples=tuple(sample(i, 1.0) for i in range(20)))  # fmt: skip
    wild = Measurement(scenario="cpu", target="a", metric="rate", unit="1/s", params={"work": "y"},
                       samples=tuple(sample(i, 1.0 + i) for i in range(20)))  # fmt: skip
    course.note([steady])
    assert not course.wants(Slot(20, 0, "a", block=20))
    course.note([wild])
    assert course.wants(Slot(20, 0, "a", block=20))


def test_what_was_taken_or_failed_is_done_and_a_failed_preparation_is_not():
    course = Course("ready")
    run = type("Cut", (), {})()
    run.measurements = (measured(sample(2, 1.0, position=1)), measured(sample(7, 1.0)))
    run.failures = tuple(
        Failure(scenario=name, target="b", round=number, text="")
        for name, number in (("startup", 3), ("startup", 0), ("cpu", 4))
    )
    course.recall(run, "startup")
    done = [Slot(2, 1, "a"), Slot(7, 0, "a"), Slot(3, 0, "b")]
    left = [Slot(2, 0, "b"), Slot(3, 1, "a"), Slot(0, 0, "b"), Slot(4, 0, "b")]
    assert all(course.is_done(slot) for slot in done)
    assert not any(course.is_done(slot) for slot in left)


def test_the_time_is_shared_by_the_scenarios_to_come():
    deadline = Deadline(100.0)
    assert deadline.share(0.0, 4) == 25
    assert deadline.share(40.0, 1) == 100
    deadline.miss("startup vm")
    deadline.miss("startup vm")
    assert deadline.shortfall() == "2 of startup vm"
