"""How long a killed instance is missed: from the kill to the first correct reply of its replacement."""

import os
import select
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress

from bench.clock import elapsed, now
from bench.errors import BenchFault
from bench.ladder import Running, climb
from bench.results.model import Parameter  # noqa: TC001 - with its neighbours
from bench.scenarios.repeated import OTHERS, Repeated
from bench.schedule import Slot
from bench.session import Place, Session
from bench.sizes import Mode
from bench.target import Box, Launcher, Member, Saving
from bench.value import Value

MIB = 1024 * 1024
BOX = Box(workload="agent", memory=128 * MIB)
PATIENCE = 15.0
"""Seconds in which a killed process has to be dead."""

RUNS: Mapping[Mode, Mapping[str, int]] = {
    "fast": {"native": 5, "container": 5, "vm": 1, "vm-micro": 1, "vm-full": 0, OTHERS: 2},
    "default": {"native": 20, "container": 20, "vm": 5, "vm-micro": 3, "vm-full": 1, OTHERS: 10},
    "rigorous": {"native": 100, "container": 100, "vm": 15, "vm-micro": 8, "vm-full": 3, OTHERS: 50},
}


class Recovery(Repeated):
    """A supervisor's work: see that all of an instance is dead, clear away the rest, start its replacement.

    Where instances can be saved, the replacement also starts from a snapshot of one that was ready.
    """

    name = "recovery"
    title = "From the kill to the first reply of the replacement"
    at_once = True
    box = BOX
    runs = RUNS

    def turn(self, session: Session, slot: Slot, ready: Launcher, /) -> None:
        """Kill an instance and replace it, by a start and then, where that can be, by a restored one."""
        name = f"recovery-{slot.target}-{slot.round}"
        place = Place(self.name, slot, ready.prepared)
        session.sentinels.start()
        with climb(ready, name) as running:
            session.listen(slot.target, ready.prepared, running.channel)
            with _replaced(running, ready, f"{name}-next") as (values, replacement):
                found = list(_with(values, "start"))
                if isinstance(ready, Saving):
                    found += _with(_from_snapshot(ready, replacement), "snapshot")
        session.record(place, found, session.sentinels.stop())


def _with(values: Mapping[str, float], way: str) -> Iterator[Value]:
    params: dict[str, Parameter] = {"way": way}
    return (Value(metric, "s", seconds, params) for metric, seconds in values.items())


def _from_snapshot(ready: Saving, running: Running) -> Mapping[str, float]:
    with ExitStack() as stack:
        restoring = stack.enter_context(ready.saved(running.instance))
        running.remove()  # to be saved has ended it, and its name is free
        restored = stack.enter_context(climb(restoring, running.instance.name, saved=True))
        values, _ = stack.enter_context(_replaced(restored, restoring, running.instance.name, saved=True))
        return values


@contextmanager
def _replaced(
    running: Running, launcher: Launcher, name: str, *, saved: bool = False
) -> Iterator[tuple[Mapping[str, float], Running]]:
    """Kill an instance; yield the seconds until each step of its replacement, and the replacement."""
    with _watching(running.instance.members()) as watch:
        killed = now()
        noticed = watch.kill()
    running.remove()
    cleared = now()
    with climb(launcher, name, saved=saved) as replacement:
        moments = {"noticed": noticed, "cleared": cleared, "recovered": replacement.ladder.ready}
        yield {metric: elapsed(killed, at) for metric, at in moments.items()}, replacement


class Watch:
    """Descriptors of the processes of an instance (pidfd_open(2)), each readable when its process is dead."""

    def __init__(self, descriptors: Sequence[int]) -> None:
        self._descriptors = descriptors

    def kill(self) -> float:
        """Kill all of them at once and return the moment when the last was seen dead."""
        for descriptor in self._descriptors:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        poll, deadline = select.poll(), now() + PATIENCE
        for descriptor in self._descriptors:
            poll.register(descriptor, select.POLLIN)
        left = set(self._descriptors)
        while left:
            dead = poll.poll(max(0.0, deadline - now()) * 1000)
            if not dead:
                raise BenchFault(
                    f"{len(left)} killed processes are not dead after {PATIENCE:g} s",
                    hint="see /proc/PID/stack for what holds them",
                    kind="failed",
                )
            for descriptor, _ in dead:
                poll.unregister(descriptor)
                left.discard(descriptor)
        return now()


@contextmanager
def _watching(members: Sequence[Member]) -> Iterator[Watch]:
    with ExitStack() as opened:
        found = []
        for member in members:
            with suppress(ProcessLookupError):
                found.append(os.pidfd_open(member.pid))
                opened.callback(os.close, found[-1])
        if not found:
            raise BenchFault("an instance has no process to kill", hint="report this", kind="failed")
        yield Watch(found)
