"""What instances keep in memory: one boundary for every kind of box.

Sources: proc_pid_smaps_rollup and /proc/PID/status (proc(5)); memory.stat of the memory controller
(Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst); /proc/meminfo; /sys/kernel/mm/ksm.
All figures are bytes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TypeVar

PAGE = 4096
KIB = 1024
KERNEL_PARTS = ("kernel_stack", "pagetables", "percpu", "slab")


@dataclass(frozen=True, slots=True)
class Processes:
    """Sums over the processes inside the boundary, in bytes.

    `pss` counts a page shared by k processes as 1/k of it, `pss_anon` those of it that belong to no file;
    `uss` counts only what nobody else maps, so with a single instance all pages of its own program's files,
    and `rss` everything that is mapped, however often: what it is above `pss` is what sharing saves.
    """

    pss: int
    pss_anon: int
    uss: int
    page_tables: int
    rss: int


@dataclass(frozen=True, slots=True)
class Charged:
    """What memory cgroups charge to the instances, in bytes."""

    anon: int
    file: int
    kernel: int
    shmem: int


@dataclass(frozen=True, slots=True)
class Host:
    """The host's own view: memory available to new work, and pages that KSM has merged, in bytes."""

    available: int
    ksm_shared: int


T = TypeVar("T", Processes, Charged)


def added(one: T, other: T) -> T:
    """Return the sums, line by line."""
    return type(one)(*(a + b for a, b in zip(astuple(one), astuple(other), strict=True)))


def grown(after: T, before: T) -> T:
    """Return the differences, line by line."""
    return type(after)(*(a - b for a, b in zip(astuple(after), astuple(before), strict=True)))


def processes(pids: Iterable[int], proc: Path = Path("/proc")) -> Processes:
    """Sum the processes that still exist; one that ended in between counts as nothing."""
    pss = anon = uss = tables = rss = 0
    for pid in pids:
        rollup, status = _fields(proc / str(pid) / "smaps_rollup"), _fields(proc / str(pid) / "status")
        pss += rollup.get("Pss", 0) * KIB
        # Pss_Anon came with Linux 5.4; Anonymous is the same where no page is shared after a fork.
        anon += rollup.get("Pss_Anon", rollup.get("Anonymous", 0)) * KIB
        uss += (rollup.get("Private_Clean", 0) + rollup.get("Private_Dirty", 0)) * KIB
        tables += status.get("VmPTE", 0) * KIB
        rss += rollup.get("Rss", 0) * KIB
    return Processes(pss, anon, uss, tables, rss)


def charged(cgroups: Iterable[Path]) -> Charged:
    """Sum the memory controllers at `cgroups`, of version 1 or 2 by the files that they have."""
    parts = [
        _charged_v2(group) if (group / "memory.current").exists() else _charged_v1(group) for group in cgroups
    ]
    return Charged(
        anon=sum(part.anon for part in parts),
        file=sum(part.file for part in parts),
        kernel=sum(part.kernel for part in parts),
        shmem=sum(part.shmem for part in parts),
    )


def host(proc: Path = Path("/proc"), ksm: Path = Path("/sys/kernel/mm/ksm")) -> Host:
    """Read the host's figures after folding the per-CPU counters in, which lag by up to a megabyte a CPU."""
    _fold_counters(proc / "sys/vm/stat_refresh")
    try:
        merged = int((ksm / "pages_sharing").read_text())
    except OSError:
        merged = 0  # a kernel built without KSM merges nothing
    return Host(_fields(proc / "meminfo")["MemAvailable"] * KIB, merged * PAGE)


def footprint(seen: Processes, cost: Charged) -> int:
    """Return what the processes map and what their cgroups are charged for the kernel's part, in bytes.

    PSS alone leaves out page tables, mounts, dentries and the like, which are most of what one more idle
    container takes; a guest's kernel is in the PSS of the process that carries it.
    """
    return seen.pss + cost.kernel


def unexplained(before: Host, after: Host, cost: Charged) -> int:
    """Return the drop of available memory that no cgroup accounts for, in bytes.

    Page cache is left out on purpose: it can be reclaimed, so MemAvailable counts it as available.
    """
    return (before.available - after.available) - (cost.anon + cost.shmem + cost.kernel)


def _fold_counters(trigger: Path) -> None:
    try:
        trigger.read_bytes()  # mm/vmstat.c: reading flushes every CPU's difference into the global counters
    except OSError:
        return


def _fields(path: Path) -> Mapping[str, int]:
    """Parse `Name: 123 kB` lines; an absent file (the process has ended) has no fields."""
    try:
        lines = path.read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    pairs = (line.split() for line in lines)
    return {words[0].rstrip(":"): int(words[1]) for words in pairs if len(words) > 1 and words[1].isdigit()}


def _charged_v1(group: Path) -> Charged:
    stat = _fields(group / "memory.stat")
    kernel = int((group / "memory.kmem.usage_in_bytes").read_text())
    # On version 1 total_cache includes shmem, which can't be reclaimed without swap.
    shmem = stat.get("total_shmem", 0)
    return Charged(stat.get("total_rss", 0), stat.get("total_cache", 0) - shmem, kernel, shmem)


def _charged_v2(group: Path) -> Charged:
    stat = _fields(group / "memory.stat")
    shmem = stat.get("shmem", 0)
    # `kernel` came with Linux 5.18; before, the sum has to be made of the parts that it has.
    kernel = stat.get("kernel", sum(stat.get(part, 0) for part in KERNEL_PARTS))
    return Charged(stat.get("anon", 0), stat.get("file", 0) - shmem, kernel, shmem)
