"""The contention scenario on fake boxes whose requests take what the test says."""

import pytest

from bench.channel import Finished
from bench.errors import BenchFault
from bench.scenarios import contention
from bench.scenarios.contention import (
    AGGRESSORS,
    ALONE,
    CALM,
    IDLE,
    REQUESTS,
    Contention,
    attack,
    calm,
    latencies,
)
from bench.stats.tail import percentile, quantile
from tests.fakes.fake_target import FakeTarget, obedient


class Paced:
    """A channel on which requests take the given seconds, then the last of them for ever."""

    def __init__(self, *seconds, status=0):
        self.seconds, self.asked, self.status = list(seconds), 0, status

    def execute(self, command, deadline):
        self.asked += 1
        seconds = self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0]
        return Finished(self.status, "words", seconds)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(contention, "REQUESTS", {"fast": 5, "default": 5})
    monkeypatch.setattr(contention, "CALM", 2)


def test_a_bare_process_has_no_limits_a_container_both_and_a_guest_its_own(measure, few):
    expected = {"native": {"none"}, "container": {"none", "set"}, "vm": {"set"}}
    for name, kind in (("native", "native"), ("container", "container"), ("vm", "vm")):
        target = FakeTarget(name, kind, "tcg" if kind == "vm" else None, behaviour=obedient())
        run = measure(Contention(), target, runs=1, mode="default")
        seen = {(m.params["aggressor"], m.params["limits"]) for m in run.measurements}
        assert seen == {("none", "none"), *((a, limits) for a in AGGRESSORS for limits in expected[kind])}
        assert len(target.instances) == 1 + len(AGGRESSORS) * len(expected[kind])
        bound = [box for box in target.boxes if box.pids]
        assert len(bound) == (kind == "container")
        victims = [line for line in target.journal if "victim" in line]
        assert [line.split()[0] for line in victims] == ["start", "remove"]


def test_a_first_look_leaves_the_containers_limits_out(measure, few):
    target = FakeTarget("container", "container", behaviour=obedient())
    run = measure(Contention(), target, runs=1)
    assert {m.params["limits"] for m in run.measurements} == {"none"}
    assert not any(box.pids for box in target.boxes)


def test_an_aggressor_has_to_live_to_the_end_unless_it_is_limited(measure, few, monkeypatch):
    asked = []
    monkeypatch.setattr(contention, "attack", lambda _channel, _command: "17")
    monkeypatch.setattr(contention, "lives", lambda _channel, pid: asked.append(pid))
    measure(Contention(), FakeTarget("container", "container", behaviour=obedient()), runs=1, mode="default")
    assert asked == ["17"] * len(AGGRESSORS)


def test_a_slowdown_is_the_ratio_of_two_p99(measure, few, monkeypatch):
    taken = iter([([1.0] * 4 + [2.0]) * ALONE, *([[3.0] * 4 + [8.0]] * len(AGGRESSORS))])
    monkeypatch.setattr(contention, "latencies", lambda _channel, _count: next(taken))
    run = measure(Contention(), FakeTarget("native", behaviour=obedient()), runs=1)
    p99 = 3.0 + 5 * 0.96
    found = {m.params["aggressor"]: m.samples[0].value for m in run.measurements if m.metric == "slowdown"}
    assert found == dict.fromkeys(AGGRESSORS, pytest.approx(p99 / 2.0))


def test_beside_one_that_sleeps_a_p99_is_of_as_many_requests_as_alone(measure, few, monkeypatch):
    counts = []
    monkeypatch.setattr(
        contention, "latencies", lambda _channel, count: counts.append(count) or [1.0] * count
    )
    measure(Contention(), FakeTarget("native", behaviour=obedient()), runs=1)
    alone, *beside = counts
    assert dict(zip(AGGRESSORS, beside, strict=True)) == {
        kind: alone if kind == IDLE else alone // ALONE for kind in AGGRESSORS
    }


def test_a_p99_is_of_enough_requests():
    assert min(REQUESTS.values()) >= 100
    assert latencies(Paced(1.0, 2.0, 3.0), 4) == [1.0, 2.0, 3.0, 3.0]


def test_recovery_begins_with_the_row_that_lasts(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(contention, "now", lambda: float(next(clock)))
    before = Paced(1.0)
    assert calm(before, 1.0) == 1.0  # the deadline reads the clock first
    assert before.asked == CALM
    after = Paced(*[1.0] * (CALM - 1), 5.0, 1.0)
    assert calm(after, 1.0) > 2 * CALM
    assert after.asked == 2 * CALM


def test_a_victim_that_does_not_recover_is_a_fault(monkeypatch):
    monkeypatch.setattr(contention, "PATIENCE", 0.01)
    with pytest.raises(BenchFault, match="has not recovered"):
        calm(Paced(5.0), 1.0)


def test_an_aggressor_that_does_not_run_is_a_fault():
    with pytest.raises(BenchFault, match="failed with status 1: 'words'"):
        attack(Paced(1.0, status=1), "stress-ng")


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_a_quantile_is_the_one_that_percentiles_have(share):
    values = [float((7 * i) % 400) for i in range(400)]
    assert quantile(values, share) == percentile(values, share).value
