"""The steps of a container's root as a table of system calls (`runtime.linux.batch`), for x86_64."""

# pathlib stays out of the process that forks:
# ruff: noqa: PTH120

from __future__ import annotations

import ctypes
import errno
import os
import stat
from bisect import bisect_right

from runtime.linux import mounts, syscalls
from runtime.linux.batch import Batch
from runtime.rootfs.step_error import StepError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Held = dict[bytes, list[int]]

_CLOSE, _ACCESS, _CHDIR, _MKDIR, _SYMLINK, _MKNOD, _PIVOT_ROOT, _MOUNT, _UMOUNT = (
    3, 21, 80, 83, 88, 133, 155, 165, 166,
)  # fmt: skip
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_AT_FDCWD, _MOVE_FLAGS = -100, 0x14  # MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_SYMLINKS
_FILE = stat.S_IFREG | 0o644
_READONLY = (ctypes.c_uint64 * 4)(1, 0, 0, 0)  # struct mount_attr: attr_set is MOUNT_ATTR_RDONLY


class Table:
    """Steps in their wire form, words encoded; those that it has no calls for are left to the caller."""

    def __init__(self, steps: list[tuple[str, tuple[Any, ...]]]) -> None:
        self._batch, self._starts = Batch(), list[int]()
        self._descriptors: list[tuple[int, bytes]] = []
        self._holds: list[tuple[int, bytes]] = []
        self._final: dict[int, bytes] = {}
        self._empty: set[bytes] = set()  # directories that hold nothing but what was put there before
        for name, arguments in steps:
            self._starts.append(len(self._batch))
            add = getattr(self, f"_{name}", None)
            if add:
                add(*arguments)
            else:
                self._batch.stop()
        self._batch.ready()

    def begin(self, held: Held) -> None:
        """Take the descriptors that it needs, before its first step."""
        for entry, source in self._descriptors:
            fd = held[source].pop()
            self._batch.give(entry, 0, fd)
            self._batch.give(entry + 1, 0, fd)

    def run(self, step: int, held: Held) -> int:
        """Carry out steps from one on; returns the first that it leaves to the caller, who does it anew.

        StepError where a step failed for which there is no other way.
        """
        first = self._starts[step]
        stopped = self._batch.run(first)
        for entry, source in self._holds:
            if first <= entry < stopped:
                held.setdefault(source, []).append(self._batch.result(entry))
        found = bisect_right(self._starts, stopped) - 1
        if stopped == len(self._batch) - 1:
            return len(self._starts)
        if found in self._final:
            number = self._batch.error(stopped)
            failure = OSError(number, os.strerror(number), os.fsdecode(self._final[found]))
            raise StepError(found, failure)
        return found

    def _private(self) -> None:
        self._batch.call(_MOUNT, b"none", b"/", 0, mounts.REC | mounts.PRIVATE, 0)

    def _overlay(self, layers: list[bytes], upper: bytes, work: bytes, target: bytes) -> None:
        options = mounts.overlay_options(layers, upper, work)
        if options:
            self._batch.call(_MOUNT, b"overlay", target, b"overlay", mounts.NODEV, options)
        else:
            self._batch.stop()

    def _hold(self, source: bytes, recursive: bool) -> None:  # noqa: FBT001 - from the wire
        flags = syscalls.open_tree_flags(recursive=recursive)
        self._holds.append((self._batch.call(_OPEN_TREE, _AT_FDCWD, source, flags), source))

    def _pivot(self, root: bytes) -> None:
        self._final[len(self._starts) - 1] = root
        self._batch.call(_CHDIR, root)
        self._batch.call(_PIVOT_ROOT, b".", b".")
        self._batch.call(_UMOUNT, b".", mounts.DETACH)
        self._batch.call(_CHDIR, b"/")

    def _mount(self, fstype: bytes, target: bytes, flags: int, data: bytes) -> None:
        words = fstype, target, fstype, flags, data or 0
        if os.path.dirname(target) not in self._empty:  # an image has /proc, /sys and /dev, as a rule
            self._batch.call(_MOUNT, *words, ahead=3, errors={errno.ENOENT: 1})
        self._batch.call(_MKDIR, target, 0o777, errors={errno.EEXIST: 1})
        self._batch.call(_MOUNT, *words)
        if fstype == b"tmpfs":
            self._empty.add(target)

    def _device(self, path: bytes) -> None:
        self._final[len(self._starts) - 1] = path
        self._batch.call(_MKNOD, path, _FILE, 0)
        self._descriptors.append((self._batch.call(_MOVE_MOUNT, -1, b"", _AT_FDCWD, path, _MOVE_FLAGS), path))
        self._batch.call(_CLOSE, -1)

    def _link(self, text: bytes, path: bytes) -> None:
        self._final[len(self._starts) - 1] = path
        self._batch.call(_SYMLINK, text, path)

    def _mask(self, path: bytes) -> None:
        # A bind that is refused, as that of a file onto a directory, waits for a grace period: so look first.
        self._batch.call(_ACCESS, path + b"/.", 0, ahead=2, errors={errno.ENOTDIR: 1, errno.ENOENT: 3})
        self._batch.call(_MOUNT, b"/dev/null", path, 0, mounts.BIND, 0, ahead=2, errors={errno.ENOENT: 2})
        self._batch.call(_MOUNT, b"tmpfs", path, b"tmpfs", mounts.RDONLY, b"size=0")

    def _readonly(self, path: bytes) -> None:
        if path not in mounts.OWN:
            absent = {errno.ENOENT: 2, errno.ENOTDIR: 2}
            self._batch.call(_MOUNT, path, path, 0, mounts.BIND | mounts.REC, 0, errors=absent)
        size = ctypes.sizeof(_READONLY)
        self._batch.call(
            _MOUNT_SETATTR, _AT_FDCWD, path, 0, _READONLY, size, errors={errno.ENOENT: 1, errno.ENOTDIR: 1}
        )
