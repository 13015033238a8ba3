"""Mount flags, and the mounts that take more than one system call."""

# pathlib stays out of the process that forks:
# ruff: noqa: PTH123

from __future__ import annotations

import errno
import os

from runtime.linux import syscalls, userns

RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND = 1, 2, 4, 8, 32, 4096
MOVE, REC, PRIVATE, SLAVE, SHARED, STRICTATIME = 8192, 16384, 1 << 18, 1 << 19, 1 << 20, 1 << 24
DETACH = 2
_ATTR_NODEV = 4
_PAGE = 4096  # bytes of options that mount(2) reads; the rest is cut off without a word
_KEPT = RDONLY | NOSUID | NODEV | NOEXEC  # the same bits in f_flag of statvfs(3), ST_RDONLY and so on


def overlay(layers: list[str], upper: str, work: str, target: str) -> None:
    """Mount an overlay of `layers` (bottom first) at `target`, without device nodes.

    The old interface takes all options in one page; the new one a layer at a time ("lowerdir+", Linux 6.7),
    each shorter than 256 bytes. So the new one first, and mount(2) where it is refused. In a user namespace
    (Linux 5.11) overlay keeps its marks in attributes that a user may set ("userxattr", as
    `image.layer.whiteout` makes them).
    """
    try:
        fd = syscalls.fsopen("overlay")
    except OSError as err:
        if err.errno != errno.ENOSYS:
            raise
    else:
        if _overlay_new(fd, layers, upper, work, target):
            return
    options = _overlay_options(layers, upper, work)
    if len(os.fsencode(options)) < _PAGE:
        syscalls.mount("overlay", target, "overlay", NODEV, options)
        return
    # By descriptors, whose names are short: 200 layers fit into the page.
    held = [os.open(layer, os.O_PATH | os.O_CLOEXEC) for layer in layers]
    try:
        short = [f"/proc/self/fd/{fd}" for fd in held]
        syscalls.mount("overlay", target, "overlay", NODEV, _overlay_options(short, upper, work))
    finally:
        for fd in held:
            os.close(fd)


def _overlay_options(layers: list[str], upper: str, work: str) -> str:
    lower = ":".join(map(_escape, reversed(layers)))
    private = "" if userns.privileged() else ",userxattr"
    return f"lowerdir={lower},upperdir={_escape(upper)},workdir={_escape(work)}{private}"


def _overlay_new(fd: int, layers: list[str], upper: str, work: str, target: str) -> bool:
    try:
        try:
            for layer in reversed(layers):
                syscalls.fsconfig(fd, syscalls.FSCONFIG_SET_STRING, "lowerdir+", layer)
            syscalls.fsconfig(fd, syscalls.FSCONFIG_SET_STRING, "upperdir", upper)
            syscalls.fsconfig(fd, syscalls.FSCONFIG_SET_STRING, "workdir", work)
            if not userns.privileged():
                syscalls.fsconfig(fd, syscalls.FSCONFIG_SET_FLAG, "userxattr")
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
            syscalls.fsconfig(fd, syscalls.FSCONFIG_SET_STRING, "source", source)
        for flag, name in _SUPER_NAMES:
            if super_flags & flag:
                syscalls.fsconfig(fd, syscalls.FSCONFIG_SET_FLAG, name)
        for option in data:
            _set(fd, option)
        syscalls.fsconfig(fd, syscalls.FSCONFIG_CMD_CREATE)
        return syscalls.fsmount(fd, attributes)
    except OSError as err:
        raise OSError(err.errno, _words(fd) or err.strerror, fstype) from err
    finally:
        os.close(fd)


def _set(fd: int, option: str) -> None:
    key, equals, value = option.partition("=")
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


def attach(fd: int, target: str) -> None:
    """Attach the detached mount `fd` at `target`, and close the descriptor."""
    try:
        syscalls.move_mount(fd, target)
    finally:
        os.close(fd)


def change(target: str, set_: int, clear: int) -> None:
    """Set and clear MOUNT_ATTR_ bits (of those that are MS_ flags too: ro, nosuid, nodev, noexec)."""
    kept = os.statvfs(target).f_flag & _KEPT
    syscalls.mount("", target, "", REMOUNT | BIND | kept & ~clear | set_ & 0xF)


def make_readonly(target: str) -> None:
    """Remount the mount at `target` read-only, keeping its other flags (a remount drops those not named)."""
    kept = os.statvfs(target).f_flag & _KEPT
    syscalls.mount("", target, "", REMOUNT | BIND | RDONLY | kept)


def _escape(path: str) -> str:
    # Documentation/filesystems/overlayfs.rst: a colon separates layers; a comma would end the option.
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")
