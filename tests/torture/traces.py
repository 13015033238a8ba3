"""What a container leaves, looked for by a word that only this test's containers have in their names."""

from __future__ import annotations

import os
from pathlib import Path


def of(word: str) -> list[str]:
    """Every mount, cgroup directory, process and network name on this host that holds `word`."""
    return sorted([*_mounts(word), *_cgroups(word), *_processes(word), *_network(word)])


def children(pid: int) -> list[int]:
    """Pids of the children of a process of one thread, the oldest first (proc_pid_task(5))."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def private_memory(pid: int) -> int:
    """USS in bytes (proc(5), smaps_rollup)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024


def _mounts(word):
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [f"mount {line}" for line in lines if word in line]


def _cgroups(word):
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    places = [Path(line.split()[4]) for line in lines if " - cgroup" in line]
    # os.walk and not rglob: others may remove a directory while we look.
    found = [Path(top) / name for place in places for top, names, _ in os.walk(place) for name in names]
    return [f"cgroup {path}" for path in found if word in path.name]


def _processes(word):
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if word in words and path.name != str(os.getpid()):
            found.append(f"process {path.name} {words.strip()[:120]}")
    return found


def _network(word):
    places = [Path("/run/netns"), Path("/sys/class/net")]
    names = [name for place in places if place.is_dir() for name in place.iterdir()]
    return [f"network {name}" for name in names if word in name.name]


def files(*roots: Path) -> list[str]:
    """Everything below the roots that is no directory, and every directory of a container."""
    found = [path for root in roots for path in root.rglob("*")]
    return [str(path) for path in found if not path.is_dir() or path.parent.name == "containers"]
