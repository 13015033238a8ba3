"""What a container's cgroup has used, as runc's `events --stats` reports it (types/events.go there).

Bytes, and nanoseconds of CPU; what this cgroup version or kernel lacks is 0 or left out, as in runc. A limit
that is not set is v1's largest number of pages, and on v2 the largest number of 64 bits.
"""

from __future__ import annotations

import os

from runtime.cgroups import pressure
from runtime.cgroups.room import Spot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cgroups.oci import Group

_MOST = (1 << 64) - 1
_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")  # nanoseconds
_IO_V2 = {
    "rbytes": ("bytes", "Read"),
    "wbytes": ("bytes", "Write"),
    "rios": ("ios", "Read"),
    "wios": ("ios", "Write"),
}


def stats(group: Group) -> dict[str, Any]:
    """Return the figures now; controllers that the container has not got report zeros."""
    return {
        "cpu": _cpu(group), "cpuset": _cpuset(group.spots.get("cpuset")), "memory": _memory(group),
        "pids": _pids(group.spots.get("pids")), "blkio": _blkio(group.spots.get("blkio")),
        "hugetlb": _hugetlb(group.spots.get("hugetlb")), "intel_rdt": {}, "network_interfaces": None,
    }  # fmt: skip


def oom_kills(group: Group) -> int:
    """How many of its processes the kernel has killed for want of memory; 0 without a memory cgroup."""
    spot = group.spots.get("memory")
    if spot is None:
        return 0
    return table(spot, "memory.oom_control" if spot.version == 1 else "memory.events").get("oom_kill", 0)


def table(spot: Spot, name: str) -> dict[str, int]:
    """Read "key value" lines; empty when the file is missing."""
    pairs = (line.rpartition(" ") for line in spot.read(name).splitlines())
    return {key: int(value) for key, _, value in pairs if key and value.isdigit()}


def _number(spot: Spot, name: str) -> int:
    text = spot.read(name)
    return int(text) if text.isdigit() else _MOST if text == "max" else 0


def _cpu(group: Group) -> dict[str, Any]:
    spot = group.spots.get("cpu") or Spot(1, "/nonexistent")
    stat = table(spot, "cpu.stat")
    if spot.version == 1:
        usage, throttled = _usage_v1(group.spots.get("cpuacct")), stat.get("throttled_time", 0)
    else:
        micro = {"total": "usage_usec", "kernel": "system_usec", "user": "user_usec"}
        usage = {name: stat.get(key, 0) * 1000 for name, key in micro.items()}
        throttled = stat.get("throttled_usec", 0) * 1000
    periods = {"periods": stat.get("nr_periods", 0), "throttledPeriods": stat.get("nr_throttled", 0)}
    found = {"usage": usage, "throttling": {**periods, "throttledTime": throttled}}
    return _with_psi(found, spot, "cpu")


def _usage_v1(spot: Spot | None) -> dict[str, Any]:
    if spot is None:
        return {"total": 0, "kernel": 0, "user": 0}
    ticks = table(spot, "cpuacct.stat")
    rows = [line.split() for line in spot.read("cpuacct.usage_all").splitlines()[1:]]
    return {
        "total": _number(spot, "cpuacct.usage"),
        "percpu": [int(number) for number in spot.read("cpuacct.usage_percpu").split()],
        "percpu_kernel": [int(row[2]) for row in rows], "percpu_user": [int(row[1]) for row in rows],
        "kernel": ticks.get("system", 0) * _TICK, "user": ticks.get("user", 0) * _TICK,
    }  # fmt: skip


def _cpuset(spot: Spot | None) -> dict[str, Any]:
    if spot is None:
        spot = Spot(1, "/nonexistent")
    effective = "" if spot.version == 1 else ".effective"
    flags = ("cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
             "memory_spread_slab", "memory_pressure", "sched_load_balance")  # fmt: skip
    return {
        "cpus": _list(spot.read(f"cpuset.cpus{effective}")),
        "mems": _list(spot.read(f"cpuset.mems{effective}")),
        **{name: _number(spot, f"cpuset.{name}") for name in flags},
        "sched_relax_domain_level": spot.number("cpuset.sched_relax_domain_level") or 0,
    }  # fmt: skip


def _list(text: str) -> list[int]:
    """Numbers of a list such as 0-2,7."""
    ranges = [part.partition("-") for part in text.split(",") if part]
    return [number for low, _, high in ranges for number in range(int(low), int(high or low) + 1)]


def _memory(group: Group) -> dict[str, Any]:
    spot = group.spots.get("memory") or Spot(1, "/nonexistent")
    raw = table(spot, "memory.stat")
    if spot.version == 1:
        names = {
            "usage": "memory",
            "swap": "memory.memsw",
            "kernel": "memory.kmem",
            "kernelTCP": "memory.kmem.tcp",
        }
        found: dict[str, Any] = {name: _entry_v1(spot, prefix) for name, prefix in names.items()}
        return {"cache": raw.get("cache", 0), **found, "raw": raw}
    usage = _entry_v2(spot, "memory")
    usage["failcnt"] = table(spot, "memory.events").get("max", 0)
    # As in runc, "swap" has v1's meaning here: memory and swap together.
    swap = _entry_v2(spot, "memory.swap")
    swap = {
        **swap,
        "usage": swap["usage"] + usage["usage"],
        "limit": min(swap["limit"] + usage["limit"], _MOST),
    }
    return _with_psi({"cache": raw.get("file", 0), "usage": usage, "swap": swap, "raw": raw}, spot, "memory")


def _entry_v1(spot: Spot, prefix: str) -> dict[str, int]:
    files = {
        "limit": "limit_in_bytes",
        "usage": "usage_in_bytes",
        "max": "max_usage_in_bytes",
        "failcnt": "failcnt",
    }
    return {name: _number(spot, f"{prefix}.{file}") for name, file in files.items()}


def _entry_v2(spot: Spot, prefix: str) -> dict[str, int]:
    files = {"limit": "max", "usage": "current", "max": "peak"}
    return {**{name: _number(spot, f"{prefix}.{file}") for name, file in files.items()}, "failcnt": 0}


def _pids(spot: Spot | None) -> dict[str, int]:
    if spot is None:
        return {}
    limit = _number(spot, "pids.max")
    return {"current": _number(spot, "pids.current"), "limit": limit % _MOST}  # 0 is none, as in runc


def _blkio(spot: Spot | None) -> dict[str, Any]:
    if spot is None:
        return {}
    if spot.version == 1:
        names = {"ioServiceBytesRecursive": "io_service_bytes", "ioServicedRecursive": "io_serviced"}
        return {key: _io_v1(spot, name) for key, name in names.items()}
    found: dict[str, list[dict[str, Any]]] = {"bytes": [], "ios": []}
    for line in spot.read("io.stat").splitlines():
        device, *pairs = line.split()
        for key, _, value in (pair.partition("=") for pair in pairs):
            if key in _IO_V2:
                where, operation = _IO_V2[key]
                found[where].append(_io(device, operation, value))
    answer = {"ioServiceBytesRecursive": found["bytes"], "ioServicedRecursive": found["ios"]}
    return _with_psi(answer, spot, "io")


def _io_v1(spot: Spot, name: str) -> list[dict[str, Any]]:
    """Figures of BFQ where it schedules, else those of throttling."""
    lines = spot.read(f"blkio.bfq.{name}_recursive").splitlines()
    rows = [line.split() for line in lines] or []
    if not any(len(row) == 3 for row in rows):  # noqa: PLR2004 - device, operation, value; the total has two
        rows = [line.split() for line in spot.read(f"blkio.throttle.{name}_recursive").splitlines()]
    return [_io(*row) for row in rows if len(row) == 3]  # noqa: PLR2004


def _io(device: str, operation: str, value: str) -> dict[str, Any]:
    major, _, minor = device.partition(":")
    return {"major": int(major), "minor": int(minor), "op": operation, "value": int(value)}


def _hugetlb(spot: Spot | None) -> dict[str, Any]:
    if spot is None or not os.path.isdir(spot.directory):  # noqa: PTH112
        return {}
    suffix = ".usage_in_bytes" if spot.version == 1 else ".current"
    names = [name for name in os.listdir(spot.directory) if name.startswith("hugetlb.")]  # noqa: PTH208
    sizes = sorted(name[8 : -len(suffix)] for name in names if name.endswith(suffix) and ".rsvd" not in name)
    return {size: _hugepages(spot, f"hugetlb.{size}", suffix) for size in sizes}


def _hugepages(spot: Spot, prefix: str, suffix: str) -> dict[str, int]:
    if spot.version == 1:
        most, fails = _number(spot, f"{prefix}.max_usage_in_bytes"), _number(spot, f"{prefix}.failcnt")
    else:
        most, fails = 0, table(spot, f"{prefix}.events").get("max", 0)
    return {"usage": _number(spot, prefix + suffix), "max": most, "failcnt": fails}


def _with_psi(found: dict[str, Any], spot: Spot, resource: str) -> dict[str, Any]:
    psi = pressure.read(spot, resource)
    return {**found, "psi": psi} if psi else found
