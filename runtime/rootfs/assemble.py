"""Build the root file system of a container of the spawner's, in its child, from steps made ready before.

`ready` does all that can be done without acting: it looks up each step's function and encodes its words, and
makes a table of calls of a sequence that comes again. So little more than the system calls is left to the
child, which a container's start waits for.
"""

# pathlib stays out of the process that forks:
# ruff: noqa: PTH103, PTH211

from __future__ import annotations

import errno
import marshal
import os
import stat

from runtime.linux import batch, mounts, syscalls
from runtime.linux.kept import Kept
from runtime.rootfs.step_error import StepError
from runtime.rootfs.table import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Held = dict[bytes, list[int]]

_ABSENT = frozenset((errno.ENOENT, errno.ENOTDIR))
_FILE = stat.S_IFREG | 0o644


class Ready:
    """A sequence of steps, looked up and encoded; a table of calls too once it comes again."""

    __slots__ = ("_words", "steps", "table")

    def __init__(self, sequence: bytes) -> None:
        steps: list[list[Any]] = marshal.loads(sequence)  # noqa: S302 - from our own client, of this interpreter
        self._words = [(name, tuple(map(_encoded, arguments))) for name, *arguments in steps]
        self.steps = [(_STEPS[name], arguments) for name, arguments in self._words]
        self.table: Table | None = None

    def again(self) -> None:
        """Make a table of it: it comes a second time, and may come a thousand times."""
        if self.table is None and batch.possible():
            self.table = Table(self._words)

    def carry_out(self, held: Held) -> None:
        """Do the steps; StepError tells which of them failed."""
        at, table = 0, self.table
        if table:
            table.begin(held)
        while at < len(self.steps):
            at = table.run(at, held) if table else at
            if at == len(self.steps):
                return
            do, arguments = self.steps[at]
            try:
                do(held, *arguments)
            except OSError as err:
                raise StepError(at, err) from err
            at += 1


_known = Kept(Ready)


def ready(sequence: bytes) -> Ready:
    """Make steps ready, given in their wire form, marshalled (`runtime.rootfs.steps`)."""
    found: Ready = _known.get(sequence)
    return found


def _encoded(argument: object) -> object:
    if isinstance(argument, str):
        return os.fsencode(argument)
    return list(map(_encoded, argument)) if isinstance(argument, tuple) else argument


def assemble(sequences: Iterable[Ready]) -> None:
    """Carry them out, one after the other; StepError tells which step of all failed."""
    held: Held = {}
    done = 0
    for sequence in sequences:
        try:
            sequence.carry_out(held)
        except StepError as err:
            raise StepError(done + err.index, err) from err
        done += len(sequence.steps)


def _private(_: Held) -> None:
    _mounted(b"none", b"/", None, mounts.REC | mounts.PRIVATE)


def _overlay(_: Held, layers: list[bytes], upper: bytes, work: bytes, target: bytes) -> None:
    mounts.overlay(layers, upper, work, target)


def _hold(held: Held, source: bytes, recursive: bool) -> None:  # noqa: FBT001 - from the wire
    held.setdefault(source, []).append(syscalls.open_tree(source, recursive=recursive))


def _pivot(_: Held, root: bytes) -> None:
    # pivot_root(2), NOTES: with "." twice the old root is stacked on top of the new one, and no directory is
    # needed.
    os.chdir(root)
    syscalls.pivot_root(".", ".")
    syscalls.umount(".", mounts.DETACH)
    os.chdir("/")


def _chroot(_: Held, root: bytes) -> None:
    os.chroot(root)
    os.chdir("/")


def _mount(_: Held, fstype: bytes, target: bytes, flags: int, data: bytes) -> None:
    number = syscalls.try_mount(fstype, target, fstype, flags, data or None)
    if number == errno.ENOENT:
        os.makedirs(target, exist_ok=True)
        number = syscalls.try_mount(fstype, target, fstype, flags, data or None)
    _check(number, target)


def _attach(held: Held, source: bytes, target: bytes, readonly: bool, create: bool) -> None:  # noqa: FBT001
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
    os.close(fd)
    if readonly:
        _check(mounts.seal(target), target)


def _device(held: Held, path: bytes) -> None:
    os.mknod(path, _FILE)
    fd = held[path].pop()
    syscalls.move_mount(fd, path)
    os.close(fd)  # here: one that only the exec closes holds that up for a tenth of a millisecond


def _make_point(target: bytes, *, directory: bool) -> None:
    os.makedirs(target if directory else os.path.dirname(target), exist_ok=True)  # noqa: PTH120
    if not directory:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def _link(_: Held, text: bytes, path: bytes) -> None:
    os.symlink(text, path)


def _mask(_: Held, path: bytes) -> None:
    number = syscalls.try_mount(b"/dev/null", path, None, mounts.BIND, None)
    if number == errno.ENOTDIR:  # nor can a file be bound onto a directory
        number = syscalls.try_mount(b"tmpfs", path, b"tmpfs", mounts.RDONLY, b"size=0")
    if number != errno.ENOENT:
        _check(number, path)


def _readonly(_: Held, path: bytes) -> None:
    number = 0
    if path not in mounts.OWN:
        number = syscalls.try_mount(path, path, None, mounts.BIND | mounts.REC, None)
    number = number or mounts.seal(path)
    if number not in _ABSENT:
        _check(number, path)


def _mounted(source: bytes, target: bytes, fstype: bytes | None, flags: int) -> None:
    _check(syscalls.try_mount(source, target, fstype, flags, None), target)


def _check(number: int, path: bytes) -> None:
    if number:
        raise OSError(number, os.strerror(number), os.fsdecode(path))


_STEPS: dict[str, Callable[..., None]] = {
    "private": _private,
    "overlay": _overlay,
    "hold": _hold,
    "pivot": _pivot,
    "chroot": _chroot,
    "mount": _mount,
    "attach": _attach,
    "device": _device,
    "link": _link,
    "mask": _mask,
    "readonly": _readonly,
}
