"""linux.resources.cpu (config-linux.md, "CPU"), but cpus and mems: shares, bandwidth in microseconds, idle.

Kernel: Documentation/scheduler/sched-bwc.rst, sched-rt-group.rst; cgroup-v2.rst "CPU".
"""

from __future__ import annotations

import math

from runtime.cgroups.resources import cpuset
from runtime.cgroups.room import unconverted
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.fields import Fields
    from runtime.cgroups.room import Room, Spot, Step

_ZERO_COUNTS = {"burst", "idle"}
_FEWEST_SHARES, _MOST_SHARES, _MOST_WEIGHT = 2, 262_144, 10_000


def plan(asked: Fields, room: Room) -> list[Step]:
    """Return the steps, in the order that the kernel accepts both up and down."""
    shares, idle = asked.integer("shares") or None, asked.integer("idle", least=0, most=1)
    quota, period = asked.limit("quota"), asked.integer("period") or None
    burst = asked.integer("burst")
    runtime, rt_period = asked.limit("realtimeRuntime"), asked.integer("realtimePeriod") or None
    found = cpuset.plan(asked, room)
    asked.done()
    if quota and burst and 0 < quota < burst:
        reason = f"{burst} is above {asked.path('quota')}, {quota}"
        raise RuntimeFault(f"{asked.path('burst')}: {reason}", kind="usage", hint="lower it")
    if runtime or rt_period:
        found += _realtime(asked, room, runtime, rt_period)
    if any((shares, quota, period)) or idle is not None or burst is not None:
        given = {"shares": shares, "quota": quota, "period": period, "burst": burst, "idle": idle}
        field = next(name for name, value in given.items() if value or (name in _ZERO_COUNTS and value == 0))
        spot = room.spot("cpu", asked.path(field))
        found += _share(spot, shares, idle) + _bandwidth(spot, quota, period, burst)
    return found


def weight(shares: int) -> int:
    """cpu.weight (1 to 10000) for v1's shares (2 to 262144).

    log10(weight) = (l² + 125·l)/612 - 7/34 with l = log2(shares), so that 1024 shares, v1's default, become
    100, v2's: kubernetes issue 131216; runc since 1.3.2, crun since 1.23.
    """
    if shares <= _FEWEST_SHARES:
        return 1
    if shares >= _MOST_SHARES:
        return _MOST_WEIGHT
    power = math.log2(shares)
    return math.ceil(10 ** ((power * power + 125 * power) / 612 - 7 / 34))


def _share(spot: Spot, shares: int | None, idle: int | None) -> list[Step]:
    # An idle group's share can't be written.
    found: list[Step] = []
    if shares:
        found.append(
            spot.write("cpu.shares", shares)
            if spot.version == 1
            else spot.write("cpu.weight", weight(shares))
        )
    if idle is not None:
        found.insert(0 if idle == 0 else len(found), spot.write("cpu.idle", idle))
    return found


def _bandwidth(spot: Spot, quota: int | None, period: int | None, burst: int | None) -> list[Step]:
    """Order by the kernel's rule that a burst is not above the quota: a smaller one first."""
    found = _v1(spot, quota, period) if spot.version == 1 else _v2(spot, quota, period)
    if burst is not None:
        name = "cpu.cfs_burst_us" if spot.version == 1 else "cpu.max.burst"
        shrinking = burst < (spot.number(name) or 0)
        found.insert(0 if shrinking else len(found), spot.write(name, burst))
    return found


def _v1(spot: Spot, quota: int | None, period: int | None) -> list[Step]:
    # The ratio may not be above the parent's, not even between two writes. With the longer period in force
    # at that time, it is below one of the two that are allowed anyway.
    found: list[Step] = []
    if quota:
        found.append(spot.write("cpu.cfs_quota_us", quota))
    if period:
        shorter = period < (spot.number("cpu.cfs_period_us") or 0)
        found.insert(len(found) if shorter else 0, spot.write("cpu.cfs_period_us", period))
    return found


def _v2(spot: Spot, quota: int | None, period: int | None) -> list[Step]:
    if not quota and not period:
        return []
    most = {None: (spot.read("cpu.max") or "max").split()[0], -1: "max"}.get(quota, str(quota))
    return [spot.write("cpu.max", f"{most} {period}" if period else most)]


def _realtime(asked: Fields, room: Room, runtime: int | None, period: int | None) -> list[Step]:
    spot = room.spot("cpu", asked.path("realtimeRuntime"))
    if spot.version != 1:
        raise unconverted(asked.path("realtimeRuntime" if runtime else "realtimePeriod"))
    found = [spot.write("cpu.rt_period_us", period)] if period else []
    return found + ([spot.write("cpu.rt_runtime_us", runtime)] if runtime else [])
