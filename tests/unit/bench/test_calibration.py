"""What measuring costs: the harness without a box, a bare process, and every channel."""

from pathlib import Path

import pytest

from bench import calibration
from bench.calibration import echoes, own_costs
from bench.ladder import climb
from bench.scenarios.startup import Startup
from bench.targets.bare import Bare
from bench.targets.null import Null, NullLauncher
from tests import descriptors
from tests.fakes.fake_target import FakeTarget, virtual


def test_the_null_target_is_ready_at_once_and_leaves_nothing():
    before = descriptors.of()
    with Null().launcher(None) as launcher, climb(launcher, "n") as running:
        assert running.instance.members() == ()
        durations = running.ladder.durations()
    assert 0 < durations["ready"] < 1
    assert "kernel" not in durations
    assert not descriptors.since(before)
    assert running.instance.leftovers() == []


@pytest.mark.parametrize("channel", ["socket pair", "named pipes", "terminal"])
def test_a_bare_process_replies_on_every_kind_of_channel(channel):
    before = descriptors.of()
    with climb(Bare(channel), "b") as running:
        found = echoes(running.channel, 5)
        done = running.channel.execute("test -t 0 && echo a terminal", deadline=running.ladder.ready + 60)
        (member,) = running.instance.members()
        assert Path(f"/proc/{member.pid}").exists()
    assert len(found) == 5
    assert min(found) > 0
    assert not descriptors.since(before)
    assert not Path(f"/proc/{member.pid}").exists()
    assert done.status == 1  # the command itself has no terminal; its channel is one or none


def test_the_harness_costs_less_than_a_process_and_all_is_there():
    found = {(one.kind, one.channel): one.samples for one in own_costs()}
    assert {key: len(samples) for key, samples in found.items()} == {
        ("null", "socket pair"): calibration.NOTHING,
        ("bare process", "socket pair"): calibration.PROCESSES,
        ("echo", "socket pair"): calibration.ECHOES,
        ("echo", "named pipes"): calibration.ECHOES,
        ("echo", "terminal"): calibration.ECHOES,
    }
    middle = {key: sorted(samples)[len(samples) // 2] for key, samples in found.items()}
    assert middle["null", "socket pair"] < middle["bare process", "socket pair"]


def test_each_target_is_listened_to_once_and_never_in_a_run_that_counts(measure):
    native, machine = FakeTarget("native"), virtual()
    run = measure(Startup(), native, machine, runs=5)
    found = {one.target: len(one.samples) for one in run.calibrations if one.kind == "echo"}
    assert found == {"native": calibration.ECHOES, "vm": calibration.ECHOES}
    asked = [len(instance.inside.asked) for instance in machine.instances]
    assert asked == [1 + calibration.ECHOES, 1, 1, 1, 1, 1]


def test_a_target_that_claims_let_run_once_is_listened_to_all_the_same(measure):
    run = measure(Startup(), virtual(), runs=1, bounds={"startup": {"vm": 1}})
    (ready,) = (m for m in run.measurements if m.metric == "ready")
    assert [sample.warmup for sample in ready.samples] == [False]
    assert [one.target for one in run.calibrations] == ["vm"]


def test_the_launcher_of_nothing_says_that_it_is_nothing():
    assert "no process" in NullLauncher.prepared.boundary
