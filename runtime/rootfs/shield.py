"""Hide and protect paths of a finished root (config-linux.md, Masked Paths and Readonly Paths).

What covers a file is a null device that was taken from the host before the root was entered, and looked at:
not whatever the container calls /dev/null (CVE-2025-31133). The place is opened inside the root, once.
"""

from __future__ import annotations

import errno
import os
import stat

from runtime.linux import mounts, syscalls
from runtime.rootfs import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.rootfs.room import Room

_RDONLY = 1
_ABSENT = (errno.ENOENT, errno.ENOTDIR)
_NULL = os.makedev(1, 3)


def _at(room: Room, path: str) -> int:
    """Descriptor of `path`, or -1 where there is nothing to protect."""
    try:
        return resolve.find(room.root, path)
    except OSError as err:
        if err.errno in _ABSENT:
            return -1
        raise


def cover(room: Room, path: str) -> None:
    """Mask a path: a file by the null device, a directory by an empty read-only tmpfs."""
    place = _at(room, path)
    if place < 0:
        return
    try:
        fd = _blank(room) if stat.S_ISDIR(os.fstat(place).st_mode) else _null(room)
        try:
            syscalls.move_mount_to(fd, place)
        finally:
            os.close(fd)
    finally:
        os.close(place)


def _null(room: Room) -> int:
    found = os.fstat(room.null)
    if not stat.S_ISCHR(found.st_mode) or found.st_rdev != _NULL:
        raise OSError(errno.ENODEV, "is not the null device", "/dev/null")
    if room.null_placed:
        return syscalls.clone_mount(room.null, recursive=False)
    # Before Linux 6.15 only a mount that has its place can be copied: so the first is placed itself.
    room.null_placed = True
    return os.dup(room.null)


def _blank(room: Room) -> int:
    if room.blank >= 0:
        return syscalls.clone_mount(room.blank, recursive=False)
    data = ["size=0", "nr_inodes=1"]
    room.blank = mounts.fresh("tmpfs", "tmpfs", _RDONLY | 2 | 4 | 8, mounts.RDONLY, data)
    return os.dup(room.blank)


def shield(room: Room, path: str) -> None:
    """Make a path read-only by a bind of itself; what is mounted below it keeps its own flags."""
    place = _at(room, path)
    if place < 0:
        return
    try:
        fd = syscalls.clone_mount(place, recursive=True)
        try:
            syscalls.mount_setattr(fd, set_=_RDONLY)
            syscalls.move_mount_to(fd, place)
        finally:
            os.close(fd)
    finally:
        os.close(place)


def late(room: Room) -> None:
    """Make those mounts read-only that had to be written while the root was built."""
    for fd in room.late:
        syscalls.mount_setattr(fd, set_=_RDONLY)


def seal(room: Room) -> None:
    """Make the root itself read-only."""
    syscalls.mount_setattr(room.root, set_=_RDONLY)


def spread(room: Room, *, propagation: int, recursive: bool) -> None:
    """Give the root the propagation that rootfsPropagation asks for."""
    syscalls.mount_setattr(room.root, propagation=propagation, recursive=recursive)
