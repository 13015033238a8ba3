"""Reads facts of the host from proc, sys and etc; None where the host doesn't tell."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.results import Cpu, Kernel, Memory, Storage

Cgroup = Literal["v1", "v2", "hybrid", "none"]


@dataclass(frozen=True)
class Host:
    """The files under `root` ("/", or a directory that poses as a host in tests)."""

    root: Path = Path("/")

    def text(self, path: str) -> str | None:
        """Return the stripped text of a file, or None when it can't be read or is empty."""
        try:
            return (self.root / path).read_text(errors="replace").strip() or None
        except OSError:
            return None

    def chosen(self, path: str) -> str | None:
        """Return the [bracketed] word of a sysfs file that lists all choices."""
        words = (self.text(path) or "").split()
        return next((word.strip("[]") for word in words if word.startswith("[")), None)


def kernel(host: Host) -> Kernel:
    """Describe the running kernel."""
    folder = host.root / "sys/devices/system/cpu/vulnerabilities"
    names = sorted(path.name for path in folder.glob("*"))
    states = {name: host.text(f"sys/devices/system/cpu/vulnerabilities/{name}") for name in names}
    return Kernel(
        release=platform.release(),
        version=platform.version(),
        clocksource=host.text("sys/devices/system/clocksource/clocksource0/current_clocksource"),
        transparent_hugepages=host.chosen("sys/kernel/mm/transparent_hugepage/enabled"),
        ksm=host.text("sys/kernel/mm/ksm/run"),
        mitigations={name: state for name, state in states.items() if state},
    )


def cpu(host: Host) -> Cpu:
    """Describe the processors that this process may run on; the governor is that of CPU 0."""
    fastest = host.text("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")  # kHz
    return Cpu(
        model=field(host, "proc/cpuinfo", "model name") or field(host, "proc/cpuinfo", "CPU part"),
        architecture=platform.machine(),
        count=len(os.sched_getaffinity(0)),
        governor=host.text("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        frequency_max=float(fastest) * 1000 if fastest else None,
    )


def memory(host: Host) -> Memory:
    """Describe memory and swap (proc_meminfo(5), which counts in KiB and says kB)."""
    total, free = kibibytes(host, "SwapTotal"), kibibytes(host, "SwapFree")
    return Memory(
        total=kibibytes(host, "MemTotal"),
        available=kibibytes(host, "MemAvailable"),
        swap_total=total,
        swap_used=None if total is None or free is None else total - free,
    )


def kibibytes(host: Host, name: str) -> int | None:
    """Return a line of /proc/meminfo in bytes."""
    value = field(host, "proc/meminfo", name)
    return int(value.split()[0]) * 1024 if value else None


def storage(host: Host, data: Path) -> Storage:
    """Describe the file system that holds `data`, or its nearest parent that exists."""
    place = next(path for path in (data.absolute(), *data.absolute().parents) if path.exists())
    space = os.statvfs(place)
    kind, options = mount_of(host, place)
    return Storage(
        filesystem=kind,
        options=options,
        total=space.f_blocks * space.f_frsize,
        free=space.f_bavail * space.f_frsize,
    )


def mount_of(host: Host, place: Path) -> tuple[str | None, str | None]:
    """Return type and options of the mount with the device number of `place` (proc_pid_mountinfo(5))."""
    number = place.stat().st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    for line in mounts(host):
        before, _, after = line.partition(" - ")
        fields = before.split()
        if fields[2] == device:
            return after.split()[0], fields[5]
    return None, None


def mounts(host: Host) -> list[str]:
    """Return the lines of mountinfo."""
    return (host.text("proc/self/mountinfo") or "").splitlines()


def cgroup(host: Host) -> Cgroup:
    """Return which cgroup hierarchies are mounted: hybrid is v1 controllers with a v2 tree beside them."""
    kinds = {line.partition(" - ")[2].split()[0] for line in mounts(host)}
    if {"cgroup", "cgroup2"} <= kinds:
        return "hybrid"
    return "v2" if "cgroup2" in kinds else "v1" if "cgroup" in kinds else "none"


def load(host: Host) -> tuple[float, ...]:
    """Return the load averages over 1, 5 and 15 minutes; empty when unknown."""
    return tuple(float(word) for word in (host.text("proc/loadavg") or "").split()[:3])


def distribution(host: Host) -> str | None:
    """Return PRETTY_NAME of os-release(5)."""
    for line in (host.text("etc/os-release") or "").splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip("\"'")
    return None


def field(host: Host, path: str, name: str) -> str | None:
    """Return the value of the first `name : value` line of a file in proc."""
    for line in (host.text(path) or "").splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() == name:
            return value.strip()
    return None
