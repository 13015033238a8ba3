"""The memory controller: memory.max and its v1 elders."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.cgroups.figures import number, table

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.cgroups.hierarchy import Tree

_EVENTS = {1: "memory.oom_control", 2: "memory.events"}
_LONGEST = 4096  # bytes; a few lines


@dataclass(frozen=True)
class Memory:
    """Memory charged to a cgroup, in bytes; None where this cgroup version has no such figure.

    `kernel` includes slab, stacks and page tables; `file` includes shared memory.
    """

    current: int
    peak: int | None
    anon: int
    file: int
    shmem: int
    kernel: int | None
    page_tables: int | None
    swap: int | None
    oom_kills: int


def limit(tree: Tree, directory: str, limit_bytes: int) -> list[tuple[str, ...]]:
    """Return steps that cap memory, and swap with it, so that the cap is one on the sum."""
    if tree.version == 1:
        # Order matters: memory.memsw may not be below memory.limit.
        return [
            ("write", f"{directory}/memory.limit_in_bytes", str(limit_bytes)),
            ("try", f"{directory}/memory.memsw.limit_in_bytes", str(limit_bytes)),
        ]
    return [
        ("write", f"{directory}/memory.max", str(limit_bytes)),
        ("try", f"{directory}/memory.swap.max", "0"),
    ]


def read(tree: Tree, directory: Path) -> Memory:
    """Figures of the cgroup now; all zero when it is gone."""
    return _read_v1(directory) if tree.version == 1 else _read_v2(directory)


def oom_kills(tree: Tree, directory: str) -> int:
    """How many processes of the cgroup the kernel has killed for want of memory; every start's end waits."""
    try:
        fd = os.open(f"{directory}/{_EVENTS[tree.version]}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        _, found, rest = os.read(fd, _LONGEST).partition(b"oom_kill ")
    finally:
        os.close(fd)
    return int(rest.partition(b"\n")[0]) if found else 0


def _read_v1(directory: Path) -> Memory:
    stat = table(directory / "memory.stat")
    return Memory(
        current=number(directory / "memory.usage_in_bytes") or 0,
        peak=number(directory / "memory.max_usage_in_bytes"),
        anon=stat.get("total_rss", 0),
        file=stat.get("total_cache", 0),
        shmem=stat.get("total_shmem", 0),
        kernel=number(directory / "memory.kmem.usage_in_bytes"),
        page_tables=None,
        swap=stat.get("total_swap"),
        oom_kills=table(directory / "memory.oom_control").get("oom_kill", 0),
    )


def _read_v2(directory: Path) -> Memory:
    stat = table(directory / "memory.stat")
    return Memory(
        current=number(directory / "memory.current") or 0,
        peak=number(directory / "memory.peak"),  # Linux 5.19
        anon=stat.get("anon", 0),
        file=stat.get("file", 0),
        shmem=stat.get("shmem", 0),
        kernel=stat.get("kernel"),  # Linux 5.18
        page_tables=stat.get("pagetables"),
        swap=number(directory / "memory.swap.current"),
        oom_kills=table(directory / "memory.events").get("oom_kill", 0),
    )
