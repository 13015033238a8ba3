"""Disturbances around a sample: what the host did besides, read from /proc and /sys.

Two readings, before the request and after the instance is gone, both outside of what is timed (about
0.5 ms each). A source that the host lacks leaves its key out. Keys and units:

psi_{cpu,memory,io}_{some,full}  share of the time that tasks stalled (Documentation/accounting/psi.rst)
steal                 share of all CPU time that the hypervisor under the host took (proc_stat(5))
steal_seconds         the same in CPU seconds
load_other            CPUs that other programs kept busy in the gap before the sample
load_1m               load average over a minute (proc_loadavg(5))
frequency             mean of scaling_cur_freq at the end, Hz
temperature           of the hottest thermal zone at the end, degrees Celsius
throttled             thermal throttle events of all cores
involuntary_switches  of the harness, its reaped children and the given processes (getrusage(2))
major_faults          of the same
suspended             seconds that the host slept (CLOCK_BOOTTIME gains on CLOCK_MONOTONIC)
window                seconds between the two readings
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench import pressure, processes

if TYPE_CHECKING:
    from collections.abc import Iterable

# /proc/stat counts in ticks of 10 ms: a share of fewer ticks than this is noise, so it is left out.
FEWEST_TICKS = 20
FEWEST_QUIET_TICKS = 10  # of half a CPU, rather than a twentieth: one CPU has 15 in a quiet moment
CPU_FIELDS = 8  # user nice system idle iowait irq softirq steal; guest time is inside user already
IDLE, IOWAIT, STEAL = 3, 4, 7


@dataclass(frozen=True)
class Reading:
    """All counters at one moment; seconds, events since boot or start."""

    monotonic: float
    boottime: float
    pressure: dict[str, float]
    cpu: tuple[int, ...] | None
    throttled: int | None
    usage: processes.Usage
    pids: dict[int, processes.Usage]


@dataclass
class Sentinels:
    """Watches one sample after another; `root` is where proc/ and sys/ are (tests give a directory)."""

    root: Path = Path("/")
    ticks_per_second: int = field(default_factory=lambda: os.sysconf("SC_CLK_TCK"))
    _begin: Reading | None = None
    _end: Reading | None = None
    _gap: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        cpus = self.root / "sys/devices/system/cpu"
        self._throttle_files = tuple(cpus.glob("cpu[0-9]*/thermal_throttle/core_throttle_count"))
        zones = self.root / "sys/class/thermal"
        self._temperature_files = tuple(zones.glob("thermal_zone[0-9]*/temp"))
        self._frequency_files = tuple(cpus.glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))

    def start(self, pids: Iterable[int] = ()) -> None:
        """Take the first reading; what happened since the last `stop` is other programs' load."""
        begin = self._read(pids)
        self._gap = self._other_load(self._end, begin) if self._end else {}
        self._begin = begin

    def stop(self, pids: Iterable[int] = ()) -> dict[str, float]:
        """Take the second reading and return the differences.

        `pids` are processes that live now and belong to the sample but aren't children of the harness;
        those that `start` was not told about count from their birth. Raises RuntimeError before `start`.
        """
        if self._begin is None:
            raise RuntimeError("stop() before start()")
        begin, end = self._begin, self._read(pids)
        self._begin, self._end = None, end
        return {
            **self._gap,
            **_shares(begin, end),
            **self._stolen(begin, end),
            **_events(begin, end),
            **self._levels(),
        }

    def unavailable(self) -> tuple[str, ...]:
        """Return the sources that this host lacks, in words."""
        reading = self._read(())
        missing = {
            "pressure stall information": not reading.pressure,
            "CPU time of the whole host": reading.cpu is None,
            "CPU frequency": "frequency" not in self._levels(),
            "thermal throttling": reading.throttled is None,
            "temperature": self._temperature() is None,
        }
        return tuple(name for name, absent in missing.items() if absent)

    def _read(self, pids: Iterable[int]) -> Reading:
        return Reading(
            monotonic=time.clock_gettime(time.CLOCK_MONOTONIC),
            boottime=time.clock_gettime(time.CLOCK_BOOTTIME),
            pressure=pressure.stalls(self.root / "proc/pressure"),
            cpu=self._cpu_times(),
            throttled=self._throttled(),
            usage=processes.own(),
            pids={pid: usage for pid in pids if (usage := processes.of(pid, self.root / "proc"))},
        )

    def _cpu_times(self) -> tuple[int, ...] | None:
        fields = _text(self.root / "proc/stat").partition("\n")[0].split()
        return tuple(map(int, fields[1 : CPU_FIELDS + 1])) if len(fields) > CPU_FIELDS else None

    def _throttled(self) -> int | None:
        counts = [int(text) for core in self._throttle_files if (text := _text(core).strip())]
        return sum(counts) if counts else None

    def _levels(self) -> dict[str, float]:
        load = _text(self.root / "proc/loadavg").split()
        kilohertz = [float(text) for core in self._frequency_files if (text := _text(core).strip())]
        levels = {"load_1m": float(load[0])} if load else {}
        if kilohertz:
            levels["frequency"] = 1000 * sum(kilohertz) / len(kilohertz)
        hottest = self._temperature()
        return levels if hottest is None else {**levels, "temperature": hottest}

    def _temperature(self) -> float | None:
        # In thousandths of a degree (Documentation/driver-api/thermal/sysfs-api.rst); a zone may refuse.
        found = [float(text) / 1000 for zone in self._temperature_files if (text := _text(zone).strip())]
        return max(found, default=None)

    def _other_load(self, begin: Reading, end: Reading) -> dict[str, float]:
        ticks = _ticks(begin, end)
        seconds = end.monotonic - begin.monotonic
        if ticks is None or sum(ticks) < FEWEST_QUIET_TICKS or seconds <= 0:
            return {}
        busy = sum(ticks) - ticks[IDLE] - ticks[IOWAIT] - ticks[STEAL]
        own = end.usage.cpu - begin.usage.cpu
        return {"load_other": max(0.0, busy / self.ticks_per_second - own) / seconds}

    def _stolen(self, begin: Reading, end: Reading) -> dict[str, float]:
        ticks = _ticks(begin, end)
        if ticks is None:
            return {}
        found = {"steal_seconds": ticks[STEAL] / self.ticks_per_second}
        if sum(ticks) >= FEWEST_TICKS:
            found["steal"] = ticks[STEAL] / sum(ticks)
        return found


def _ticks(begin: Reading, end: Reading) -> tuple[int, ...] | None:
    if begin.cpu is None or end.cpu is None:
        return None
    # idle and iowait may step back a little when a CPU goes offline or wakes up (proc_stat(5)).
    return tuple(max(0, after - before) for before, after in zip(begin.cpu, end.cpu, strict=True))


def _shares(begin: Reading, end: Reading) -> dict[str, float]:
    seconds = end.monotonic - begin.monotonic
    if seconds <= 0:
        return {}
    both = begin.pressure.keys() & end.pressure.keys()
    return {f"psi_{key}": (end.pressure[key] - begin.pressure[key]) / seconds for key in sorted(both)}


def _events(begin: Reading, end: Reading) -> dict[str, float]:
    used = end.usage - begin.usage
    for pid, usage in end.pids.items():
        used += usage - begin.pids.get(pid, processes.NOTHING)
    slept = (end.boottime - begin.boottime) - (end.monotonic - begin.monotonic)
    found = {
        "involuntary_switches": float(used.involuntary_switches),
        "major_faults": float(used.major_faults),
        "suspended": max(0.0, slept),  # not exactly 0: the clocks are read microseconds apart
        "window": end.monotonic - begin.monotonic,
    }
    if begin.throttled is not None and end.throttled is not None:
        found["throttled"] = float(end.throttled - begin.throttled)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the host doesn't have this source, or not for us
        return ""
