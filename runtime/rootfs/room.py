"""The root that is being built, as the child holds it: by descriptor, so that no path can be pulled away.

Targets are found inside the root, and looked at again once they are open: nothing is mounted over the root
itself, nor inside a procfs but for the few files that people emulate (LXCFS), as in runc.
"""

# pathlib stays out of the start path:
# ruff: noqa: PTH115

from __future__ import annotations

import errno
import os

from runtime.linux import mounts, syscalls
from runtime.rootfs import resolve

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
# Files of /proc that may be covered; anything else there is how a container would fool the runtime into
# writing a label or a sysctl to the wrong file (CVE-2019-16884, CVE-2019-19921, CVE-2025-52881).
_COVERED = frozenset({
    "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps", "/proc/uptime",
    "/proc/loadavg", "/proc/slabinfo", "/proc/net/dev", "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
})  # fmt: skip


class Room:
    """`root` is the new root; `late` are mounts to be made read-only when all else is in place."""

    def __init__(self) -> None:
        self.root = -1
        self.path = ""
        self.late: list[int] = []
        self.null = self.blank = -1
        self.null_placed = False

    def open(self, path: str, propagation: int, fd: int) -> None:
        """Cut the namespace off as `propagation` (MS_ flags) says, and bind the root onto itself."""
        syscalls.mount("none", "/", "", propagation)
        tree = fd if fd >= 0 else syscalls.open_tree(path, recursive=True)
        # The mount that holds the root must not pass the new one on to the host, nor may pivot_root(2) find
        # it shared. A copy of the tree makes a mount of its own, private like nothing else is.
        syscalls.mount_setattr(tree, propagation=mounts.PRIVATE)
        _unshare_holder(path)
        syscalls.move_mount(tree, path)
        self.root = tree
        self.path = os.readlink(f"/proc/self/fd/{tree}")
        # Taken while /dev is still the host's.
        self.null = syscalls.open_tree("/dev/null", recursive=False)

    def keep(self, fd: int, *, late: bool) -> None:
        """Hold the mount `fd` until it is to turn read-only, or close it."""
        if late:
            self.late.append(fd)
        else:
            os.close(fd)

    def close(self) -> None:
        """Close every descriptor."""
        for fd in (self.root, self.null, self.blank, *self.late):
            if fd >= 0:
                os.close(fd)
        self.late, self.root, self.null, self.blank = [], -1, -1, -1

    def place(self, target: str, *, directory: bool, proc: bool = False, follow: bool = True) -> int:
        """Descriptor of the mount point `target`, made where it is missing, and checked."""
        if not follow:
            _ordinary(self.root, target)
        fd = resolve.make(self.root, target, directory=directory)
        try:
            self._check(fd, target, proc=proc)
        except OSError:
            os.close(fd)
            raise
        return fd

    def _check(self, fd: int, target: str, *, proc: bool) -> None:
        real = os.readlink(f"/proc/self/fd/{fd}")
        base = self.path.rstrip("/")
        if real == self.path or not real.startswith(base + "/"):
            raise OSError(errno.EBUSY, "is not inside the root file system", target)
        inside = real[len(base) :]
        if inside == "/proc" and proc:
            return
        in_proc = inside == "/proc" or inside.startswith("/proc/")
        if (in_proc or syscalls.filesystem_magic(fd) == resolve.PROC_MAGIC) and inside not in _COVERED:
            raise OSError(errno.EPERM, "is inside /proc, where only a procfs may be mounted", target)

    def enter(self, path: str, *, pivot: bool) -> None:
        """Make the root this process's own, and let go of the host's."""
        os.fchdir(self.root)
        if pivot:
            # pivot_root(2), NOTES: with "." twice the old root is stacked on top of the new one. It must not
            # tell the host that it goes away.
            old = os.open("/", _DIRECTORY)
            syscalls.pivot_root(".", ".")
            os.fchdir(old)
            os.close(old)
            syscalls.mount("", ".", "", mounts.REC | mounts.SLAVE)
            syscalls.umount(".", mounts.DETACH)
        else:
            _hide_kernel(path)
            syscalls.mount(".", "/", "", mounts.MOVE)
            os.chroot(".")
        os.chdir("/")
        os.close(self.root)
        self.root = os.open("/", _DIRECTORY)
        self.path = "/"


def _ordinary(root: int, target: str) -> None:
    """Refuse a proc or sysfs behind a link: that is never an accident (CVE-2019-19921, CVE-2023-27561)."""
    try:
        os.close(resolve.find(root, target, follow=False))
    except FileNotFoundError:
        return
    except OSError as err:
        if err.errno == errno.ELOOP:
            raise OSError(
                errno.ELOOP, "must be mounted on an ordinary directory, not a link", target
            ) from err
        raise


def _unshare_holder(path: str) -> None:
    """Make the mount that holds `path` private, as pivot_root(2) demands of the new root's parent."""
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        holder = mounts.mount_point(fd)
    finally:
        os.close(fd)
    syscalls.mount("", holder, "", mounts.PRIVATE)


def _hide_kernel(root: str) -> None:
    """Unmount what shows the kernel outside the root: without pivot_root the old root stays below.

    A process that gets there by an open descriptor would else find a writable /proc and /sys.
    """
    for place, fstype in reversed(mounts.table()):
        if fstype in {"proc", "sysfs"} and not (place + "/").startswith(root.rstrip("/") + "/"):
            try:
                syscalls.umount(place, mounts.DETACH)
            except PermissionError:  # locked by a user namespace: cover it
                syscalls.mount("tmpfs", place, "tmpfs", mounts.RDONLY, "size=0")
            except OSError as err:
                if err.errno not in {errno.EINVAL, errno.ENOENT}:  # went with the mount above it
                    raise
