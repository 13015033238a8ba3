"""Mount what a configuration asks for into a root that is being built.

Each mount is made detached, gets its attributes, and is then attached to an open descriptor: there is no
moment at which it is writable by mistake, and no path between looking and mounting. For options that
fsconfig(2) has no words for, and before Linux 5.12, it is mount(2) on /proc/self/fd, of the host's /proc.
"""

# The arguments are named as in JSON:
# ruff: noqa: A002

from __future__ import annotations

import errno
import os
import stat

from runtime.linux import mounts, syscalls
from runtime.rootfs import copyup, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.rootfs.room import Room

    Changes = list[tuple[int, int, int, bool]]


def fresh(
    room: Room,
    *,
    target: str,
    fstype: str,
    source: str,
    set: int,
    super: int,
    data: list[str],
    changes: Changes,
    flags: int,
    late: bool,
    copy: bool,
    instead: str,
) -> None:
    """Mount a new file system; `late` ones turn read-only when the root is complete.

    `instead` is bound where the kernel refuses a new mount: a cgroup2 one, from inside a user namespace.
    """
    inherits = _inherits_mode(fstype, data) and _existed(room, target)
    place = room.place(target, directory=True, proc=fstype == "proc", follow=fstype not in {"proc", "sysfs"})
    try:
        data = _with_mode(data, place) if inherits else data
        try:
            fd = _new(fstype, source, set, super, data)
        except OSError as err:
            if not instead or err.errno not in {errno.EPERM, errno.EBUSY}:
                raise
            fd = syscalls.open_tree(instead, recursive=True)
            changes = [(set, 0, 0, False), *changes]
        if copy and fd >= 0:
            _copy(place, fd)
        if fd >= 0:
            _attach(fd, place, changes)
        else:
            syscalls.mount(source, f"/proc/self/fd/{place}", fstype, flags, ",".join(data))
            fd = resolve.find(room.root, target)
            _attach(fd, -1, changes)
            if copy:
                _copy(place, fd)
    finally:
        os.close(place)
    room.keep(fd, late=late)


def _new(fstype: str, source: str, attributes: int, super: int, data: list[str]) -> int:
    """Detached mount, or -1 where only mount(2) can do it."""
    if not mounts.expressible(super, data):
        return -1
    try:
        return mounts.fresh(fstype, source, attributes, super, data)
    except OSError as err:
        if err.errno == errno.ENOSYS:
            return -1
        raise


def _existed(room: Room, target: str) -> bool:
    try:
        os.close(resolve.find(room.root, target))
    except OSError:
        return False
    return True


def _inherits_mode(fstype: str, data: list[str]) -> bool:
    """Whether it takes the mode of the directory that it covers: a tmpfs, as in other runtimes."""
    return fstype == "tmpfs" and not any(option.startswith("mode=") for option in data)


def _with_mode(data: list[str], place: int) -> list[str]:
    return [*data, f"mode={stat.S_IMODE(os.fstat(place).st_mode):o}"]


def _copy(place: int, fd: int) -> None:
    source = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place)
    try:
        copyup.tree(source, fd)
    finally:
        os.close(source)


def tree(
    room: Room,
    *,
    target: str,
    source: str,
    recursive: bool,
    changes: Changes,
    fd: int,
) -> None:
    """Bind a file or a directory; `fd` is the detached mount, if the parent had to open it."""
    try:
        fd = fd if fd >= 0 else syscalls.open_tree(source, recursive=recursive)
    except OSError as err:
        if err.errno != errno.ENOSYS:
            raise
        _tree_old(room, target, source, changes, recursive=recursive)
        return
    try:
        place = _point_for(room, target, fd)
        try:
            _attach(fd, place, changes)
        finally:
            os.close(place)
    finally:
        os.close(fd)


def _point_for(room: Room, target: str, source: int) -> int:
    directory = stat.S_ISDIR(os.fstat(source).st_mode)
    return room.place(
        target, directory=directory, proc=syscalls.filesystem_magic(source) == resolve.PROC_MAGIC
    )


def _tree_old(room: Room, target: str, source: str, changes: Changes, *, recursive: bool) -> None:
    taken = os.open(source, os.O_PATH | os.O_CLOEXEC)
    try:
        place = _point_for(room, target, taken)
        flags = mounts.BIND | (mounts.REC if recursive else 0)
        syscalls.mount(f"/proc/self/fd/{taken}", f"/proc/self/fd/{place}", "", flags)
        os.close(place)
    finally:
        os.close(taken)
    fd = resolve.find(room.root, target)
    try:
        _attach(fd, -1, changes)
    finally:
        os.close(fd)


def _attach(fd: int, place: int, changes: Changes) -> None:
    """Apply (set, clear, propagation, recursive) one after the other, and attach unless `place` is -1."""
    try:
        for set_, clear, propagation, recursive in changes:
            syscalls.mount_setattr(fd, set_=set_, clear=clear, propagation=propagation, recursive=recursive)
        changes = []
    except OSError as err:
        if err.errno != errno.ENOSYS:
            raise
    if place >= 0:
        syscalls.move_mount_to(fd, place)
    for set_, clear, propagation, recursive in changes:
        _change_old(fd, set_, clear, propagation, recursive=recursive)


def _change_old(fd: int, set_: int, clear: int, propagation: int, *, recursive: bool) -> None:
    """Do as mount_setattr(2) does, with mount(2), which knows no recursive attributes."""
    path = f"/proc/self/fd/{fd}"
    if propagation:
        syscalls.mount("", path, "", propagation | (mounts.REC if recursive else 0))
    elif recursive:
        raise OSError(errno.ENOSYS, "recursive mount attributes need Linux 5.12", path)
    else:
        mounts.change(path, set_, clear)


def remount(room: Room, target: str, flags: int, data: str) -> None:
    """Change a mount that is there already."""
    fd = resolve.find(room.root, target)
    try:
        syscalls.mount("", f"/proc/self/fd/{fd}", "", mounts.REMOUNT | flags, data)
    finally:
        os.close(fd)
