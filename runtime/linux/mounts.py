"""Mount flags, and the mounts that take more than one system call."""

from __future__ import annotations

import errno
import os

from runtime.linux import syscalls

RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND = 1, 2, 4, 8, 32, 4096
REC, PRIVATE, STRICTATIME = 16384, 1 << 18, 1 << 24
DETACH = 2
_ATTR_NODEV = 4
_STATVFS_TO_MOUNT = (
    (os.ST_NOSUID, NOSUID),
    (os.ST_NODEV, NODEV),
    (os.ST_NOEXEC, NOEXEC),
    (os.ST_RDONLY, RDONLY),
)


def overlay(layers: list[str], upper: str, work: str, target: str) -> None:
    """Mount an overlay of `layers` (bottom first) at `target`, without device nodes.

    The old interface takes all options in one page, about 60 layers; the new one a layer at a time
    ("lowerdir+", Linux 6.7), each shorter than 256 bytes. So the new one first,
    and mount(2) where it is refused.
    """
    try:
        fd = syscalls.fsopen("overlay")
    except OSError as err:
        if err.errno != errno.ENOSYS:
            raise
    else:
        if _overlay_new(fd, layers, upper, work, target):
            return
    lower = ":".join(map(_escape, reversed(layers)))
    options = f"lowerdir={lower},upperdir={_escape(upper)},workdir={_escape(work)}"
    syscalls.mount("overlay", target, "overlay", NODEV, options)


def _overlay_new(fd: int, layers: list[str], upper: str, work: str, target: str) -> bool:
    try:
        try:
            for layer in reversed(layers):
                syscalls.fsconfig(fd, syscalls.FSCONFIG_SET_STRING, "lowerdir+", layer)
            syscalls.fsconfig(fd, syscalls.FSCONFIG_SET_STRING, "upperdir", upper)
            syscalls.fsconfig(fd, syscalls.FSCONFIG_SET_STRING, "workdir", work)
        except OSError as err:
            if err.errno in {errno.EINVAL, errno.EOPNOTSUPP}:  # unknown option, or a path that is too long
                return False
            raise
        syscalls.fsconfig(fd, syscalls.FSCONFIG_CMD_CREATE)
        attach(syscalls.fsmount(fd, _ATTR_NODEV), target)
    finally:
        os.close(fd)
    return True


def attach(fd: int, target: str) -> None:
    """Attach the detached mount `fd` at `target`, and close the descriptor."""
    try:
        syscalls.move_mount(fd, target)
    finally:
        os.close(fd)


def make_readonly(target: str) -> None:
    """Remount the mount at `target` read-only, keeping its other flags (a remount drops those not named)."""
    now = os.statvfs(target).f_flag
    kept = sum(flag for bit, flag in _STATVFS_TO_MOUNT if now & bit)
    syscalls.mount("", target, "", REMOUNT | BIND | RDONLY | kept)


def _escape(path: str) -> str:
    # Documentation/filesystems/overlayfs.rst: a colon separates layers; a comma would end the option.
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")
