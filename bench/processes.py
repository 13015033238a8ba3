"""CPU seconds, involuntary context switches and major faults of processes."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Fields of /proc/PID/stat after the parenthesised name, which may hold spaces (proc_pid_stat(5)).
MAJOR_FAULTS, USER_TIME, SYSTEM_TIME = 9, 11, 12


@dataclass(frozen=True)
class Usage:
    """What some processes used: `cpu` in seconds, the others in events."""

    cpu: float
    involuntary_switches: int
    major_faults: int

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.cpu + other.cpu,
            self.involuntary_switches + other.involuntary_switches,
            self.major_faults + other.major_faults,
        )

    def __sub__(self, other: Usage) -> Usage:
        return Usage(
            self.cpu - other.cpu,
            self.involuntary_switches - other.involuntary_switches,
            self.major_faults - other.major_faults,
        )


NOTHING = Usage(0.0, 0, 0)


def own() -> Usage:
    """Return the usage of this process and of its children that were reaped (getrusage(2))."""
    usage = NOTHING
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        found = resource.getrusage(who)
        usage += Usage(found.ru_utime + found.ru_stime, found.ru_nivcsw, found.ru_majflt)
    return usage


def of(pid: int, proc: Path) -> Usage | None:
    """Return the usage of one living process over all its threads; None when it is gone."""
    try:
        fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
        threads = [status.read_text() for status in (proc / str(pid) / "task").glob("*/status")]
    except OSError:
        return None
    ticks = int(fields[USER_TIME]) + int(fields[SYSTEM_TIME])
    switches = sum(_involuntary(status) for status in threads)
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), switches, int(fields[MAJOR_FAULTS]))


def on_cpu(pids: Iterable[int], proc: Path) -> float:
    """Return the CPU seconds that the threads of living processes have had (sched-stats.rst, first field).

    Unlike the ticks of `of`, which are 10 ms, these are what the scheduler itself accounts.
    """
    nanoseconds = 0
    for pid in pids:
        for file in (proc / str(pid) / "task").glob("*/schedstat"):
            with suppress(OSError):  # a thread that has ended
                nanoseconds += int(file.read_text().split()[0])
    return nanoseconds / 1e9


def _involuntary(status: str) -> int:
    # Only a thread's own status counts its switches; the process' status shows the main thread's.
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "nonvoluntary_ctxt_switches":
            return int(value)
    return 0
