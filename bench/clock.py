"""The one clock of every duration: the host's CLOCK_MONOTONIC.

It never steps back (clock_gettime(2)); NTP may slew its rate by at most 500 ppm. It stands still while the
host is suspended: the sentinels notice that. Guests' clocks are never read.
"""

from __future__ import annotations

import time
from typing import Protocol

from bench.errors import ImpossibleFigure

NANOSECOND = 1e-9


class Clock(Protocol):
    """What tells the time; tests pass one that they move by hand."""

    def now_ns(self) -> int:
        """Return nanoseconds since an arbitrary fixed moment."""

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""


class MonotonicClock:
    """The host's clock."""

    def now_ns(self) -> int:
        """Return nanoseconds of CLOCK_MONOTONIC."""
        return time.monotonic_ns()

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass; never used inside a duration that is measured."""
        time.sleep(seconds)


def now_ns() -> int:
    """Return nanoseconds of CLOCK_MONOTONIC."""
    return time.monotonic_ns()


def now() -> float:
    """Return seconds of CLOCK_MONOTONIC; a float holds nanoseconds exactly for 104 days of uptime."""
    return time.monotonic_ns() * NANOSECOND


def elapsed(begin: float, end: float) -> float:
    """Return end - begin in seconds.

    Raises `ImpossibleFigure` when it is negative: two clocks were mixed or two events swapped, and no
    number that follows can be trusted.
    """
    if not end >= begin:
        raise ImpossibleFigure(
            f"negative duration: {begin!r} s to {end!r} s",
            hint="events were paired wrongly or came from two clocks; this is a defect, please report it",
        )
    return end - begin


def elapsed_ns(begin: int, end: int) -> float:
    """Return end - begin in seconds from two readings in nanoseconds; errors as `elapsed`."""
    elapsed(begin, end)
    return (end - begin) * NANOSECOND
