"""What measuring itself costs: a box that is none, a bare process, and an echo on every kind of channel.

Taken in every run and recorded beside its samples, never subtracted from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.clock import elapsed, now
from bench.ladder import climb
from bench.results import Calibration
from bench.targets.bare import Bare
from bench.targets.null import Null, NullLauncher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.channel import Channel
    from bench.results.model import Channel as Kind
    from bench.target import Launcher

ECHOES = 100
NOTHING = 100
PROCESSES = 30
PATIENCE = 60.0
"""Seconds for all echoes; an emulated guest takes 5 ms for one."""
WITHOUT_A_BOX: tuple[Kind, ...] = ("socket pair", "named pipes", "terminal")


def own_costs() -> Iterator[Calibration]:
    """Yield what the harness costs: its own work, a process of it, and the channels without any box."""
    nothing = _starts(NullLauncher(), Null.name, NOTHING)
    yield Calibration(kind="null", channel="socket pair", samples=nothing)
    bare = Bare()
    if not bare.availability().available:
        return
    processes = _starts(bare, bare.name, PROCESSES)
    yield Calibration(kind="bare process", channel="socket pair", samples=processes)
    for kind in WITHOUT_A_BOX:
        with climb(Bare(kind), f"calibration-{kind.partition(' ')[0]}") as running:
            yield Calibration(kind="echo", channel=kind, samples=echoes(running.channel))


def echoes(channel: Channel, count: int = ECHOES) -> tuple[float, ...]:
    """Return the seconds from a request to its reply, `count` times, in an instance that is ready.

    A marker's way back is one part of it, so it is an upper bound for how late a marker is seen.
    """
    found = []
    for _ in range(count):
        asked = now()
        found.append(elapsed(asked, channel.ping(asked + PATIENCE).at))
    return tuple(found)


def _starts(launcher: Launcher, name: str, count: int) -> tuple[float, ...]:
    found = []
    for index in range(count):
        with climb(launcher, f"calibration-{name}-{index}") as running:
            found.append(running.ladder.durations()["ready"])
    return tuple(found)
