"""The cpu controller: bandwidth (Documentation/scheduler/sched-bwc.rst), and cpuacct's usage on v1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.cgroups.figures import number, table

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.cgroups.hierarchy import Tree

PERIOD = 100_000  # microseconds, the kernel's default and docker's
_LEAST_QUOTA = 1_000  # microseconds, the kernel refuses less


@dataclass(frozen=True)
class Cpu:
    """Seconds of CPU used, and seconds for which runnable threads were held back by the limit."""

    usage: float
    throttled: float
    periods: int
    periods_throttled: int


def limit(tree: Tree, directory: str, cpus: float) -> list[tuple[str, ...]]:
    """Return steps that allow `cpus` CPUs' worth of time in every period."""
    quota = max(_LEAST_QUOTA, round(cpus * PERIOD))
    if tree.version == 1:
        return [
            ("write", f"{directory}/cpu.cfs_period_us", str(PERIOD)),
            ("write", f"{directory}/cpu.cfs_quota_us", str(quota)),
        ]
    return [("write", f"{directory}/cpu.max", f"{quota} {PERIOD}")]


def read(tree: Tree, directory: Path, accounting: Path | None = None) -> Cpu:
    """Figures of the cgroup; on v1 the usage comes from cpuacct's directory `accounting`."""
    stat = table(directory / "cpu.stat")
    if tree.version == 1:
        usage = number(accounting / "cpuacct.usage") if accounting else None
        seconds, throttled = (usage or 0) / 1e9, stat.get("throttled_time", 0) / 1e9
    else:
        seconds, throttled = stat.get("usage_usec", 0) / 1e6, stat.get("throttled_usec", 0) / 1e6
    return Cpu(seconds, throttled, stat.get("nr_periods", 0), stat.get("nr_throttled", 0))
