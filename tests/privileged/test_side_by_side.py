"""Instances side by side, really started: what they share, what they do to each other, who replaces them."""

import time

import pytest

from bench.errors import BenchFault
from bench.ladder import climb
from bench.scenarios import contention
from bench.scenarios.contention import AGGRESSORS, BOXES, attack, lives
from bench.targets.container import Container
from bench.targets.native import Native

pytestmark = [pytest.mark.privileged, pytest.mark.timeout(300)]
KILLS = ("memory.oom_control", "memory.events")
"""Where versions 1 and 2 of cgroups count them."""


def figures(run, metric, target, param):
    return {
        m.params[param]: [sample.value for sample in m.samples]
        for m in run.measurements
        if (m.metric, m.target) == (metric, target)
    }


def test_two_containers_share_nothing_but_users_and_two_bare_processes_share_all(drivers, judged):
    wanted = {"isolation": {"container": 2, "native": 2}}
    run, _ = judged(Container(drivers), Native(drivers), wanted=wanted)
    assert not run.failures
    found = figures(run, "isolated", "container", "resource")
    # Root in Tare's container is root on the host, with fewer capabilities: there is no user namespace.
    assert {resource for resource, own in found.items() if set(own) != {1.0}} == {"user"}
    assert set(found["user"]) == {0.0}
    assert figures(run, "isolated", "native", "resource") == {kind: [0.0, 0.0] for kind in found}


def test_a_killed_container_is_replaced_and_ten_come_and_go(drivers, judged):
    wanted = {"recovery": {"container": 2}, "lifecycle": {"container": 2}}
    run, _ = judged(Container(drivers), wanted=wanted)
    assert not run.failures
    (recovered,) = figures(run, "recovered", "container", "way").values()
    assert len(recovered) >= 2
    for metric in ("create", "answer", "delete"):
        assert set(figures(run, metric, "container", "at_once")) == {1, 10}


def test_every_aggressor_runs_in_a_container_with_and_without_limits(drivers, judged, monkeypatch):
    monkeypatch.setattr(contention, "REQUESTS", {"default": 5})
    run, _ = judged(Container(drivers), wanted={"contention": {"container": 1}}, mode="default")
    assert not run.failures
    seen = {(m.params["aggressor"], m.params["limits"]) for m in run.measurements if m.metric == "slowdown"}
    assert seen == {(kind, limits) for kind in AGGRESSORS for limits in ("none", "set")}


def killed(group):
    """Return how many processes of the group the kernel has killed for want of memory."""
    (words,) = [f.read_text().split() for f in group.glob("memory.*") if f.name in KILLS]
    return int(words[words.index("oom_kill") + 1])


def test_the_limit_of_memory_is_less_than_its_aggressor_takes(drivers):
    for limits, bites in (("set", True), ("none", False)):
        box = BOXES[limits]
        with Container(drivers).launcher(box) as launcher, climb(launcher, f"hungry-{limits}") as hungry:
            attack(hungry.channel, AGGRESSORS["memory"])
            end = time.monotonic() + (60 if bites else 2)  # it takes a second, at a quarter of a CPU
            while not (found := killed(hungry.instance.memory_cgroup)) and time.monotonic() < end:
                time.sleep(0.1)
            assert bool(found) == bites, limits


def test_an_aggressor_that_has_ended_is_no_aggressor(drivers):
    with Container(drivers).launcher(BOXES["none"]) as launcher, climb(launcher, "ended") as box:
        pid = attack(box.channel, "sh -c 'echo gave up; sleep 1'")
        lives(box.channel, pid)
        time.sleep(1)
        with pytest.raises(BenchFault, match=r"failed with status 1: '.*gave up"):
            lives(box.channel, pid)
