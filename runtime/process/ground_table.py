"""The steps of `runtime.process.ground` as a table of system calls (`runtime.linux.batch`), for x86_64."""

from __future__ import annotations

import ctypes
import errno
import os

from runtime.linux.batch import Batch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ID, GROUP = "\0i", "\0g"  # no path has a zero byte
_WRITE, _OPEN, _CLOSE, _CHDIR, _MKDIR = 1, 2, 3, 80, 83
_LONGEST = 256  # bytes of a name, with the one that ends it
_THERE = {errno.EEXIST: 1}


class Unsuited(Exception):  # noqa: N818
    """There are steps that a table has no calls for."""


class GroundTable:
    """Goes from directory to directory, so that only the two names differ from one container to the next.

    A parent that is missing stops it.
    """

    def __init__(self, make: Iterable[str], steps: Iterable[Sequence[str]], joined: Iterable[str]) -> None:
        self._batch, self._at = Batch(), ""
        self._names = [(ctypes.c_char * _LONGEST)() for _ in range(2)]
        for directory in make:
            self._mkdir(directory)
        for group, writes in _by_group(steps).items():
            self._mkdir(group)
            for verb, path, text in writes:
                self._write(path, text, optional=verb == "try")
        for group in joined:  # once all are made: what that takes of the kernel is not the container's
            self._write(f"{group}/tasks", "0")  # moves the caller (`cgroups.doors`)
        self._batch.ready()

    def run(self, names: Sequence[str]) -> bool:
        """Whether all calls were made, for these names; if not, the caller does everything anew."""
        for place, name in zip(self._names, names, strict=True):
            place.value = os.fsencode(name)
        return self._batch.run() == len(self._batch) - 1

    def _mkdir(self, path: str) -> None:
        parent, mark, below = _parts(path)
        if below:
            self._stand(parent, mark)
            self._batch.call(_MKDIR, os.fsencode(below), 0o755, errors=_THERE)
        else:
            self._stand(parent)
            self._batch.call(_MKDIR, self._name(mark), 0o755, errors=_THERE)

    def _write(self, path: str, text: str, *, optional: bool = False) -> None:
        parent, mark, below = _parts(path)
        self._stand(parent, mark)
        absent = {errno.ENOENT: 3} if optional else {}
        flags = os.O_WRONLY | os.O_CLOEXEC
        self._batch.call(_OPEN, os.fsencode(below), flags, errors=absent, handed_on=True)
        self._batch.call(_WRITE, -1, text.encode(), len(text.encode()))
        self._batch.call(_CLOSE, -1)

    def _stand(self, parent: str, mark: str = "") -> None:
        """Be in that directory from here on, or in the one of that name in it."""
        if self._at == parent + mark:
            return
        if self._at != parent or not mark:
            self._batch.call(_CHDIR, os.fsencode(parent))
        if mark:
            self._batch.call(_CHDIR, self._name(mark))
        self._at = parent + mark

    def _name(self, mark: str) -> ctypes.Array[ctypes.c_char]:
        return self._names[(ID, GROUP).index(mark)]


def _by_group(steps: Iterable[Sequence[str]]) -> dict[str, list[Sequence[str]]]:
    """Return what is written into each cgroup that is made; its parent is there, as a rule."""
    found: dict[str, list[Sequence[str]]] = {}
    for step in steps:
        if step[0] == "mkdir":
            if GROUP in step[1]:
                found[step[1]] = []
            continue
        group = step[1].rpartition("/")[0]
        if step[0] not in {"write", "try"} or group not in found:
            raise Unsuited
        found[group].append(step)
    return found


def _parts(path: str) -> tuple[str, str, str]:
    """Parent with its slash, mark of the name in it, and what is below that."""
    mark = GROUP if GROUP in path else ID
    parent, found, below = path.partition(mark)
    if not found or not parent.endswith("/") or (below and not below.startswith("/")):
        raise Unsuited
    return parent, mark, below[1:]
