"""Mount flags, and the mounts that take more than one system call."""

# pathlib stays out of the process that forks:
# ruff: noqa: PTH123

from __future__ import annotations

import errno
import os

from runtime.linux import syscalls, userns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Path = str | bytes

RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND = 1, 2, 4, 8, 32, 4096
MOVE, REC, PRIVATE, SLAVE, SHARED, STRICTATIME = 8192, 16384, 1 << 18, 1 << 19, 1 << 20, 1 << 24
DETACH = 2
OWN = frozenset((b"/", b"/sys", b"/sys/fs/cgroup"))
"""Mounts of every container, which are sealed without being bound onto themselves."""
_ATTR_NODEV = 4
_PAGE = 4096  # bytes of options that mount(2) reads; the rest is cut off without a word
_KEPT = RDONLY | NOSUID | NODEV | NOEXEC  # the same bits in f_flag of statvfs(3), ST_RDONLY and so on


def overlay(layers: Sequence[Path], upper: Path, work: Path, target: Path) -> None:
    """Mount an overlay of `layers` (bottom first) at `target`, without device nodes.

    The old interface takes all options in one page; the new one a layer at a time ("lowerdir+", Linux 6.7),
    each shorter than 256 bytes. So the new one first, and mount(2) where it is refused. In a user namespace
    (Linux 5.11) overlay keeps its marks in attributes that a user may set ("userxattr", as
    `image.layer.whiteout` makes them).
    """
    below, places = [os.fsencode(one) for one in layers], [os.fsencode(one) for one in (upper, work, target)]
    try:
        fd = syscalls.fsopen("overlay")
    except OSError as err:
        if err.errno != errno.ENOSYS:
            raise
    else:
        if _overlay_new(fd, below, *places):
            return
    options = _overlay_options(below, *places[:2])
    if len(options) < _PAGE:
        _overlay_old(places[2], options)
        return
    # By descriptors, whose names are short: 200 layers fit into the page.
    held = [os.open(layer, os.O_PATH | os.O_CLOEXEC) for layer in below]
    try:
        short = [f"/proc/self/fd/{fd}".encode() for fd in held]
        _overlay_old(places[2], _overlay_options(short, *places[:2]))
    finally:
        for fd in held:
            os.close(fd)


def overlay_options(layers: list[bytes], upper: bytes, work: bytes) -> bytes:
    """Return the options by which mount(2) makes the overlay of `overlay`; empty if they are too many."""
    found = _overlay_options(layers, upper, work)
    return found if len(found) < _PAGE else b""


def _overlay_old(target: bytes, options: bytes) -> None:
    number = syscalls.try_mount(b"overlay", target, b"overlay", NODEV, options)
    if number:
        raise OSError(number, os.strerror(number), os.fsdecode(target))


def _overlay_options(layers: list[bytes], upper: bytes, work: bytes) -> bytes:
    lower = b":".join(map(_escape, reversed(layers)))
    private = b"" if userns.privileged() else b",userxattr"
    return b"lowerdir=%b,upperdir=%b,workdir=%b%b" % (lower, _escape(upper), _escape(work), private)


def _overlay_new(fd: int, layers: list[bytes], upper: bytes, work: bytes, target: bytes) -> bool:
    try:
        try:
            for layer in reversed(layers):
                syscalls.fsconfig(fd, syscalls.FSCONFIG_SET_STRING, b"lowerdir+", layer)
            syscalls.fsconfig(fd, syscalls.FSCONFIG_SET_STRING, b"upperdir", upper)
            syscalls.fsconfig(fd, syscalls.FSCONFIG_SET_STRING, b"workdir", work)
            if not userns.privileged():
                syscalls.fsconfig(fd, syscalls.FSCONFIG_SET_FLAG, b"userxattr")
            syscalls.fsconfig(fd, syscalls.FSCONFIG_CMD_CREATE)
        except OSError as err:
            # Unknown option, or a path that is too long. Before Linux 6.5 overlay takes any option and looks
            # at it when it is created.
            if err.errno in {errno.EINVAL, errno.EOPNOTSUPP}:
                return False
            raise
        attach(syscalls.fsmount(fd, _ATTR_NODEV), target)
    finally:
        os.close(fd)
    return True


_SUPER_NAMES = ((RDONLY, "ro"), (16, "sync"), (128, "dirsync"), (1 << 25, "lazytime"))
_LONGEST = 255


def expressible(super_flags: int, data: list[str]) -> bool:
    """Whether fsconfig(2) can say this: it has no word for some flags, and no value of 256 bytes."""
    return not super_flags & ~sum(flag for flag, _ in _SUPER_NAMES) and all(
        len(os.fsencode(option)) <= _LONGEST for option in data
    )


def fresh(fstype: str, source: str, attributes: int, super_flags: int, data: list[str]) -> int:
    """Detached mount of a new file system; an error carries the kernel's own words where it gives any."""
    fd = syscalls.fsopen(fstype)
    try:
        if source:
            syscalls.fsconfig(fd, syscalls.FSCONFIG_SET_STRING, b"source", os.fsencode(source))
        for flag, name in _SUPER_NAMES:
            if super_flags & flag:
                syscalls.fsconfig(fd, syscalls.FSCONFIG_SET_FLAG, name.encode())
        for option in data:
            _set(fd, option)
        syscalls.fsconfig(fd, syscalls.FSCONFIG_CMD_CREATE)
        return syscalls.fsmount(fd, attributes)
    except OSError as err:
        raise OSError(err.errno, _words(fd) or err.strerror, fstype) from err
    finally:
        os.close(fd)


def _set(fd: int, option: str) -> None:
    key, equals, value = os.fsencode(option).partition(b"=")
    if equals:
        syscalls.fsconfig(fd, syscalls.FSCONFIG_SET_STRING, key, value)
    else:
        syscalls.fsconfig(fd, syscalls.FSCONFIG_SET_FLAG, key)


def _words(fd: int) -> str:
    """Read what the file system said of its options (fsopen(2): a line a message, "e " for errors)."""
    try:
        return os.read(fd, 4096).decode(errors="replace").strip().partition(" ")[2]
    except OSError:
        return ""


def table() -> list[tuple[str, str]]:
    """Mount points and types of this namespace, in the order in which they were mounted."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            found.append((unescape(before.split(" ")[4]), after.partition(" ")[0]))
    return found


def mount_point(fd: int) -> str:
    """Where the mount that holds `fd` is mounted (proc_pid_fdinfo(5), mnt_id)."""
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
        number = next(line.split()[1] for line in file if line.startswith("mnt_id"))
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            words = line.split(" ", 5)
            if words[0] == number:
                return unescape(words[4])
    raise OSError(errno.ENOENT, "no such mount in this namespace", number)


def unescape(path: str) -> str:
    """Undo the octal escapes of a mountinfo file (space, tab, newline, backslash)."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, character)
    return path


def attach(fd: int, target: str | bytes) -> None:
    """Attach the detached mount `fd` at `target`, and close the descriptor."""
    try:
        syscalls.move_mount(fd, target)
    finally:
        os.close(fd)


def change(target: str, set_: int, clear: int) -> None:
    """Set and clear MOUNT_ATTR_ bits (of those that are MS_ flags too: ro, nosuid, nodev, noexec)."""
    kept = os.statvfs(target).f_flag & _KEPT
    syscalls.mount("", target, "", REMOUNT | BIND | kept & ~clear | set_ & 0xF)


def seal(target: bytes) -> int:
    """Make the mount at `target` read-only and keep its other flags; returns 0, or an errno."""
    number = syscalls.try_readonly(target)
    if number != errno.ENOSYS:
        return number
    # Before Linux 5.12: a remount drops the flags that it does not name.
    kept = os.statvfs(target).f_flag & _KEPT
    return syscalls.try_mount(None, target, None, REMOUNT | BIND | RDONLY | kept, None)


def _escape(path: bytes) -> bytes:
    # Documentation/filesystems/overlayfs.rst: a colon separates layers; a comma would end the option.
    return path.replace(b"\\", b"\\\\").replace(b":", b"\\:").replace(b",", b"\\,")
