"""Signals wait while a box is started or removed, and strike only once."""

import os
import signal

import pytest

from bench.interrupts import Interrupts, install, lifted, shield


@pytest.fixture
def interrupts():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    found = Interrupts()
    install(found)
    yield found
    signal.signal(signal.SIGINT, before[0])
    signal.signal(signal.SIGTERM, before[1])


def interrupt(number=signal.SIGINT):
    os.kill(os.getpid(), number)


def test_outside_of_a_shield_it_strikes_at_once(interrupts):
    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_sigterm_ends_with_its_own_code(interrupts):
    with pytest.raises(SystemExit) as ended:
        interrupt(signal.SIGTERM)
    assert ended.value.code == 143


def test_a_shielded_start_is_finished_and_then_undone(interrupts):
    done = []
    with pytest.raises(KeyboardInterrupt), shield(interrupts):
        interrupt()
        done.append("started")
        try:
            with lifted(interrupts):
                done.append("measured")
        finally:
            done.append("removed")
    assert done == ["started", "removed"]


def test_it_strikes_where_the_shield_is_lifted_for_an_inner_one_too(interrupts):
    done = []
    with pytest.raises(KeyboardInterrupt), shield(interrupts):
        try:
            with lifted(interrupts):
                with shield(interrupts):
                    interrupt()
                    done.append("inner")
                with shield(interrupts), lifted(interrupts):
                    done.append("never")
        finally:
            done.append("outer removed")
    assert done == ["inner", "outer removed"]


def test_a_second_one_does_not_disturb_the_cleaning_up(interrupts):
    done = []
    with pytest.raises(KeyboardInterrupt):
        try:
            interrupt()
        finally:
            interrupt()
            done.append("cleaned")
    assert done == ["cleaned"]
