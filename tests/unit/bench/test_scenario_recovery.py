"""The recovery scenario on real agents as children, and on launchers that can save."""

import os
import signal
import subprocess
from contextlib import contextmanager

import pytest

from bench.errors import BenchFault
from bench.scenarios import recovery
from bench.scenarios.recovery import Recovery
from bench.target import Member, Prepared
from tests.fakes.fake_target import FakeLauncher, FakeTarget


class Restoring:
    """A launcher that saves by ending the instance, and restores by starting one that is silent."""

    def __init__(self, inner, target):
        self.inner, self.target = inner, target

    @property
    def prepared(self) -> Prepared:
        return self.inner.prepared

    def start(self, name, *, ledger=False):
        return self.inner.start(name, ledger=ledger)

    @contextmanager
    def saved(self, instance):
        self.target.journal.append(f"save {instance.name}")
        instance.remove()
        yield FakeLauncher(self.target, self.inner.prepared)
        self.target.journal.append("forget")


class SavingTarget(FakeTarget):
    """A target whose instances can be saved."""

    @contextmanager
    def launcher(self, box):
        with super().launcher(box) as inner:
            yield Restoring(inner, self)


def taken(run):
    return {(m.metric, m.params["way"]): [s.value for s in m.samples] for m in run.measurements}


def test_a_killed_instance_is_cleared_away_before_its_replacement_starts(measure):
    target = FakeTarget("native")
    found = taken(measure(Recovery(), target, runs=2))
    assert set(found) == {(metric, "start") for metric in ("noticed", "cleared", "recovered")}
    for noticed, cleared, recovered in zip(*found.values(), strict=True):
        assert 0 <= noticed <= cleared <= recovered
    name = "recovery-native-0"
    assert target.journal[1:5] == [f"start {name}", f"remove {name}", f"start {name}-next",
                                   f"remove {name}-next"]  # fmt: skip
    assert target.instances[0].body.returncode == -signal.SIGKILL


def test_what_can_be_saved_is_replaced_from_a_snapshot_too(measure):
    target = SavingTarget("native")
    found = taken(measure(Recovery(), target, runs=1))
    assert {way for _, way in found} == {"start", "snapshot"}
    done = [line.split()[0] for line in target.journal]
    assert done == ["prepare", *["start", "remove"] * 1, "start", "save", "remove", "start", "remove",
                    "start", "remove", "forget", "release"]  # fmt: skip


def test_an_instance_without_a_process_is_a_failure(measure):
    def mute(inside):
        inside.say(b"\x1etare init\n", b"\x1etare listening\n")
        for words in inside.requests():
            inside.pong(words)

    run = measure(Recovery(), FakeTarget("native", behaviour=mute), runs=1)
    assert "no process to kill" in run.failures[0].text


def test_the_last_dead_process_is_the_one_that_counts():
    children = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]
    with recovery._watching([Member(child.pid, "x") for child in children]) as watch:
        watch.kill()
    assert [child.wait() for child in children] == [-signal.SIGKILL] * 2


def test_a_process_that_does_not_die_is_a_fault(monkeypatch):
    monkeypatch.setattr(recovery, "PATIENCE", 0.0)
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *_: None)
    with recovery._watching([Member(os.getpid(), "x")]) as watch, pytest.raises(BenchFault, match="not dead"):
        watch.kill()
