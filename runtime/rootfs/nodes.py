"""Device files and links of a new root (config-linux.md, Default Devices, Devices, Dev symbolic links).

The directory is opened inside the root first, and the node is made by name in it: an image whose /dev leads
elsewhere gets its devices there, but still inside.
"""

# pathlib stays out of the start path:
# ruff: noqa: PTH101

from __future__ import annotations

import errno
import os
import stat

from runtime.linux import syscalls
from runtime.rootfs import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.rootfs.room import Room

KINDS = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}


def node(room: Room, *, path: str, kind: str, major: int, minor: int, mode: int, uid: int, gid: int) -> None:
    """Make a device file; one that is there already has to be the same device (a MUST of Devices)."""
    device = os.makedev(major, minor) if kind != "p" else 0
    folder, name = resolve.parent(room.root, path)
    try:
        os.mknod(name, KINDS[kind] | mode, device, dir_fd=folder)
    except FileExistsError:
        _same(folder, name, path, KINDS[kind], device)
    except PermissionError:
        if kind == "p":
            raise
        borrow(room, path=path, kind=kind, major=major, minor=minor)
    else:
        # By descriptor, since the name could be another file by now; chmod after chown, which clears bits.
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            os.chown(f"/proc/self/fd/{fd}", uid, gid)
            os.chmod(f"/proc/self/fd/{fd}", mode)
        finally:
            os.close(fd)
    finally:
        os.close(folder)


def _same(folder: int, name: str, path: str, kind: int, device: int) -> None:
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_IFMT(found.st_mode) != kind or (kind != stat.S_IFIFO and found.st_rdev != device):
        raise OSError(errno.EEXIST, "is there, and is not that device", path)


def borrow(room: Room, *, path: str, kind: str, major: int, minor: int) -> None:
    """Bind the host's device file of the same path: in a user namespace mknod(2) is not allowed."""
    fd = device(path, KINDS[kind], os.makedev(major, minor))
    try:
        place = room.place(path, directory=False)
        try:
            syscalls.move_mount_to(fd, place)
        finally:
            os.close(place)
    finally:
        os.close(fd)


def device(path: str, kind: int, number: int) -> int:
    """Return a detached mount of the host's device file, which has to be the very device (CVE-2025-31133)."""
    fd = syscalls.open_tree(path, recursive=False)
    found = os.fstat(fd)
    if stat.S_IFMT(found.st_mode) != kind or found.st_rdev != number:
        os.close(fd)
        raise OSError(errno.ENODEV, "is not the device that it should be", path)
    return fd


def symlink(room: Room, *, text: str, path: str, replace: bool) -> None:
    """Make a link; what is there stays, unless it is to be replaced (a stale /dev/ptmx of the image)."""
    folder, name = resolve.parent(room.root, path)
    try:
        try:
            os.symlink(text, name, dir_fd=folder)
        except FileExistsError:
            if replace:
                os.unlink(name, dir_fd=folder)
                os.symlink(text, name, dir_fd=folder)
    finally:
        os.close(folder)
