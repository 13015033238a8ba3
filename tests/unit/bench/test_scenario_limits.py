"""The limits scenario on fake boxes, and its reading of what the scheduler accounts."""

import os
from types import SimpleNamespace

import pytest

from bench import processes
from bench.channel import ChannelFault
from bench.scenarios import limits
from bench.scenarios.limits import GREEDY, MODEST, Limits, delivered, refused
from tests.fakes.fake_target import FakeTarget, Inside

BYTES = f"bs={GREEDY}"


def box(*, kills=True, dies=False):
    """A box that starts endless loops, and ends (or not) whoever takes too much memory, or itself."""

    def behave(inside: Inside) -> None:
        inside.say(b"\x1etare init\n", b"\x1etare listening\n")
        for words in inside.requests():
            if words[0] == "ping":
                inside.pong(words)
                continue
            over = BYTES in words[2]
            if over and dies:
                return inside.hang_up()
            inside.say(f"\x1etare done {words[1]} {137 if over and kills else 0}\n".encode())
        return None

    return behave


def facts(run):
    return {m.metric: [s.value for s in m.samples] for m in run.measurements if m.metric != "delivered"}


@pytest.mark.parametrize(
    ("behaviour", "dies"), [(box(), 1.0), (box(kills=False), 0.0), (box(dies=True), 1.0)]
)
def test_who_dies_for_want_of_memory(measure, behaviour, dies):
    run = measure(Limits(), FakeTarget("container", "container", behaviour=behaviour), runs=1)
    assert facts(run) == {"within_limit_lives": [1.0], "over_limit_dies": [dies], "neighbour_lives": [1.0]}


@pytest.mark.parametrize(("behaviour", "dies"), [(box(kills=False), 0.0), (box(), 1.0)])
def test_whether_a_bare_process_may_take_as_much_is_seen(measure, behaviour, dies):
    run = measure(Limits(), FakeTarget("native", "native", behaviour=behaviour), runs=1)
    assert facts(run) == {"over_limit_dies": [dies]}


def test_a_neighbour_that_dies_too_is_seen(measure):
    target = FakeTarget("container", "container", behaviour=box())
    known = len([cpus for cpus in limits.CPUS["fast"] if cpus <= len(os.sched_getaffinity(0))])

    def taken_along(inside):
        inside.say(b"\x1etare init\n", b"\x1etare listening\n")
        inside.pong(next(inside.requests()))
        inside.hang_up()

    target.behaviours[known] = taken_along  # the first box after those of the CPU limits
    run = measure(Limits(), target, runs=1)
    assert facts(run)["neighbour_lives"] == [0.0]


def test_a_silent_box_is_not_a_dead_one():
    def silent(_command, _deadline):
        raise ChannelFault("no marker")

    running = SimpleNamespace(channel=SimpleNamespace(execute=silent))
    with pytest.raises(ChannelFault):
        refused(running, MODEST)


def test_every_limit_that_the_host_has_is_asked_of_a_container(measure, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    boxes = {}
    for name, kind in (("container", "container"), ("native", "native"), ("vm", "vm")):
        accelerator = "tcg" if kind == "vm" else None
        target = FakeTarget(name, kind, accelerator, behaviour=box())
        run = measure(Limits(), target, runs=1)
        boxes[name] = {m.params["limit"] for m in run.measurements if m.metric == "delivered"}
        assert all(one.cpus in limits.CPUS["rigorous"] for one in target.boxes)
    assert boxes == {"container": {0.1, 0.5, 1.0, 1.5, 2.0}, "native": {0.1}, "vm": {1.0, 2.0}}
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})
    run = measure(Limits(), FakeTarget("container", "container", behaviour=box()), runs=1)
    assert {m.params["limit"] for m in run.measurements if m.metric == "delivered"} == {0.1, 0.5, 1.0}


def test_what_the_scheduler_accounts_is_summed_over_threads_and_processes(tmp_path):
    for pid, tid, nanoseconds in ((7, 7, 250_000_000), (7, 8, 500_000_000), (9, 9, 2_000_000_000)):
        task = tmp_path / f"{pid}/task/{tid}"
        task.mkdir(parents=True)
        (task / "schedstat").write_text(f"{nanoseconds} 1 2\n")
    assert processes.on_cpu([7, 9, 11], tmp_path) == 2.75


def test_delivered_cpus_are_cpu_seconds_per_second_of_the_host(monkeypatch):
    clock = iter([10.0, 12.0])
    used = iter([1.0, 2.0])
    monkeypatch.setattr(limits, "now", lambda: next(clock))
    monkeypatch.setattr(limits.processes, "on_cpu", lambda _pids, _proc: next(used))
    monkeypatch.setattr(limits, "carry_out", lambda _channel, _command: None)
    running = SimpleNamespace(channel=None, instance=SimpleNamespace(members=list))
    assert delivered(running, 0.0) == 0.5
