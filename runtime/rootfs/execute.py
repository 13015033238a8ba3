"""Carry out the steps of a plan, in the child, with only what the parent has already imported."""

# pathlib stays out of the process that forks; the flags come from JSON:
# ruff: noqa: FBT001, PTH103, PTH112, PTH116, PTH120

from __future__ import annotations

import errno
import os
import stat

from runtime.linux import mounts, syscalls
from runtime.rootfs import fill, nodes, shield
from runtime.rootfs.room import Room

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class StepError(OSError):
    """A step failed; `index` is its place in the plan."""

    def __init__(self, index: int, err: OSError) -> None:
        super().__init__(err.errno, err.strerror, err.filename)
        self.index = index


def execute(plan: list[list[object]], pauses: dict[str, Callable[[], None]] | None = None) -> None:
    """Carry out the wire form of a plan; StepError tells which step failed.

    `pauses` are called at the moments of an OCI plan: "mounted", when the root is complete and not entered
    (createContainer hooks), and "entered", when it is "/" and nothing is read-only yet (console, sysctl).
    What they raise passes through as it is.
    """
    held: dict[str, list[int]] = {}
    room = Room()
    try:
        for index, (name, *arguments) in enumerate(plan):
            if name == "pause":
                (pauses or {}).get(arguments[0]["moment"], _nothing)()  # type: ignore[index]
                continue
            try:
                if name in _STEPS:
                    _STEPS[str(name)](*arguments)
                else:
                    _one(held, room, str(name), arguments)
            except OSError as err:
                raise StepError(index, err) from err
    finally:
        room.close()


def _nothing() -> None:
    return


def _one(held: dict[str, list[int]], room: Room, name: str, arguments: list[object]) -> None:
    if name == "hold":
        _hold(held, *arguments)  # type: ignore[arg-type]
    elif name == "device":
        _device(held, *arguments)  # type: ignore[arg-type]
    elif name == "attach":
        _attach(held, *arguments)  # type: ignore[arg-type]
    else:
        _ROOM_STEPS[name](room, **arguments[0])  # type: ignore[arg-type]


def _private() -> None:
    syscalls.mount("none", "/", "", mounts.REC | mounts.PRIVATE)


def _hold(held: dict[str, list[int]], source: str, recursive: bool) -> None:
    held.setdefault(source, []).append(syscalls.open_tree(source, recursive=recursive))


def _attach(held: dict[str, list[int]], source: str, target: str, readonly: bool, create: bool) -> None:
    fd = held[source].pop()
    try:
        # The image is the root by now: a link in it, dangling or not, leads to a place inside.
        syscalls.move_mount(fd, target)
    except FileNotFoundError:
        if not create:
            raise
        target = os.path.realpath(target)
        _make_point(target, directory=stat.S_ISDIR(os.fstat(fd).st_mode))
        syscalls.move_mount(fd, target)
    finally:
        os.close(fd)
    if readonly:
        mounts.make_readonly(target)


def _device(held: dict[str, list[int]], path: str) -> None:
    fd = held[path].pop()
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644))
        syscalls.move_mount(fd, path)
    finally:
        os.close(fd)


def _make_point(target: str, *, directory: bool) -> None:
    if directory:
        os.makedirs(target, exist_ok=True)
        return
    flags = os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC
    try:
        os.close(os.open(target, flags, 0o644))
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target))
        os.close(os.open(target, flags, 0o644))


def _pivot(root: str) -> None:
    # pivot_root(2), NOTES: with "." twice the old root is stacked on top of the new one, and no directory is
    # needed.
    os.chdir(root)
    syscalls.pivot_root(".", ".")
    syscalls.umount(".", mounts.DETACH)
    os.chdir("/")


def _chroot(root: str) -> None:
    os.chroot(root)
    os.chdir("/")


def _mount(fstype: str, target: str, flags: int, data: str) -> None:
    if not os.path.isdir(target):
        os.makedirs(target, exist_ok=True)
    syscalls.mount(fstype, target, fstype, flags, data)


def _mask(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        syscalls.mount("tmpfs", path, "tmpfs", mounts.RDONLY, "size=0")
    else:
        syscalls.mount("/dev/null", path, "", mounts.BIND)


def _readonly(path: str) -> None:
    try:
        if path not in _OWN_MOUNTS:
            syscalls.mount(path, path, "", mounts.BIND | mounts.REC)
        mounts.make_readonly(path)
    except FileNotFoundError:
        return
    except OSError as err:
        if err.errno != errno.ENOTDIR:
            raise


_OWN_MOUNTS = {"/", "/sys", "/sys/fs/cgroup"}  # no bind onto itself is needed to remount these

_STEPS: dict[str, Callable[..., None]] = {
    "private": _private,
    "overlay": mounts.overlay,
    "pivot": _pivot,
    "chroot": _chroot,
    "mount": _mount,
    "link": os.symlink,
    "mask": _mask,
    "readonly": _readonly,
}

_ROOM_STEPS: dict[str, Callable[..., None]] = {
    "root": Room.open,
    "enter": Room.enter,
    "fresh": fill.fresh,
    "tree": fill.tree,
    "remount": fill.remount,
    "node": nodes.node,
    "borrow": nodes.borrow,
    "symlink": nodes.symlink,
    "late": shield.late,
    "seal": shield.seal,
    "shield": shield.shield,
    "cover": shield.cover,
    "spread": shield.spread,
}
