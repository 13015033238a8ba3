"""A container's cgroups as the host sees them, in either world."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids")


def is_v2() -> bool:
    """Whether the host has only the one hierarchy of version 2."""
    return (MOUNT / "cgroup.controllers").exists()


def has(controller: str) -> bool:
    """Whether the host offers a controller to its cgroups."""
    if is_v2():
        return controller in (MOUNT / "cgroup.controllers").read_text().split()
    return (MOUNT / controller).is_dir()


class Groups:
    """The directories of one cgroup path, one per hierarchy."""

    def __init__(self, path: str) -> None:
        self.path = path.lstrip("/")

    def directories(self) -> list[Path]:
        if is_v2():
            return [MOUNT / self.path]
        return [tree / self.path for tree in MOUNT.iterdir() if tree.is_dir() and not tree.is_symlink()]

    def exist(self) -> bool:
        return any(directory.is_dir() for directory in self.directories())

    def read(self, v1: str, v2: str = "") -> str:
        """A value by its file: `v1` is controller/file, `v2` a file name; as the kernel shows it."""
        place = MOUNT / self.path / v2 if is_v2() else MOUNT / Path(v1).parts[0] / self.path / Path(v1).name
        return place.read_text().strip()

    def pids(self) -> set[int]:
        """Every process in any of the directories."""
        found = set()
        for directory in self.directories():
            with contextlib.suppress(OSError):
                found |= {int(word) for word in (directory / "cgroup.procs").read_text().split()}
        return found

    def remove(self) -> None:
        """Kill what is inside and remove the directories, those below first, then an empty parent."""
        if not self.exist():
            return
        self._kill()
        for directory in self.directories():
            below = sorted((path for path in directory.rglob("*") if path.is_dir()), reverse=True)
            for path in (*below, directory, directory.parent):
                with contextlib.suppress(OSError):
                    path.rmdir()

    def _kill(self) -> None:
        for _ in range(100):
            self._thaw()
            pids = self.pids()
            if not pids:
                return
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def _thaw(self) -> None:
        name, word = ("cgroup.freeze", "0") if is_v2() else ("freezer.state", "THAWED")
        for directory in self.directories():
            if (directory / name).exists():
                with contextlib.suppress(OSError):
                    (directory / name).write_text(word)
