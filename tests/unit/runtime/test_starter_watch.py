"""When a starter counts as stuck: its child dead at two looks in a row, and no word from it."""

from __future__ import annotations

import os
import subprocess

import pytest

from runtime.linux import processes
from runtime.process import watch


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: now[0])
    return now


def test_an_idle_spawner_waits_for_ever():
    made = watch.Watch()
    assert (made.on, made.timeout, made.due()) == (False, None, False)
    made.begin()
    made.end()
    assert (made.on, made.timeout, made.due()) == (False, None, False)


def test_looks_are_a_period_apart_however_often_something_else_wakes_the_spawner(clock):
    made = watch.Watch()
    made.begin()
    found = []
    for _ in range(40):
        clock[0] += watch.PERIOD / 1000 / 10
        found.append(made.due())
    assert 3 <= sum(found) <= 4
    assert made.timeout == watch.PERIOD


@pytest.mark.parametrize(
    ("looks", "stuck"),
    [
        ([["Z"], ["Z"]], True),
        ([["X"], ["Z"]], True),
        ([["Z"]], False),
        ([["D"], ["S"], ["T"]], False),  # it works, sleeps, or was stopped
        ([[], [], []], False),  # no child yet
        ([["Z"], ["Z", "R"], ["Z"]], False),
        ([["R"], ["Z"], ["Z"]], True),
    ],
)
def test_only_a_child_that_stays_dead_tells(looks, stuck):
    made = watch.Watch()
    made.begin()
    assert [made.stuck(states) for states in looks][-1] is stuck


def test_each_start_begins_to_count_anew():
    made = watch.Watch()
    made.begin()
    assert not made.stuck("Z")
    made.begin()
    assert not made.stuck("Z")


def test_children_are_told_with_their_state():
    child = subprocess.Popen(["sleep", "60"])
    try:
        assert processes.children(os.getpid())[child.pid] in "SRD"
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert processes.children(os.getpid())[child.pid] == "Z"
    finally:
        child.kill()
        child.wait()
    assert child.pid not in processes.children(os.getpid())
