"""A directory that path resolution cannot leave.

A hostile layer makes `a -> /etc` and then writes `a/passwd`. Checking names beforehand is a race and a
guess; openat2(2) with RESOLVE_IN_ROOT makes the kernel itself take the directory for `/`, for `..` and for
absolute links alike. Only parents are resolved; the last component is always used as it is.
"""

import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import TracebackType

Parts = tuple[str, ...]

_SYS_OPENAT2 = 437  # the same number on every architecture: it is newer than the unified table
_NO_MAGICLINKS = 0x02
_IN_ROOT = 0x10
_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    """`struct open_how` of linux/openat2.h."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def openat2(directory: int, path: str, flags: int) -> int:
    """Open `path` as if `directory` were `/`; returns a close-on-exec descriptor, raises `OSError`."""
    how = _OpenHow(flags | os.O_CLOEXEC, 0, _IN_ROOT | _NO_MAGICLINKS)
    # EAGAIN: a rename or mount elsewhere made the kernel unsure about a `..`; it asks to be called again.
    for _ in range(128):
        descriptor = _libc.syscall(
            _SYS_OPENAT2, directory, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how)
        )
        if descriptor >= 0:
            return int(descriptor)
        if (number := ctypes.get_errno()) not in (errno.EAGAIN, errno.EINTR):
            raise OSError(number, os.strerror(number), path if number != errno.ENOSYS else "openat2")
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)


class Rooted:
    """An open directory in which paths are resolved as after chroot(2). A context manager."""

    def __init__(self, root: Path) -> None:
        self._fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        # Neighbours in a tar share their parent, so the last one stays open.
        self._cached: tuple[Parts, int] | None = None
        self.implied: list[Parts] = []
        """Directories that were made because something was to be below them."""

    def __enter__(self) -> "Rooted":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.forget()
        os.close(self._fd)

    def parent(self, parts: Parts) -> int:
        """Return a descriptor of the directory that holds `parts`, made where missing; owned by us."""
        directory = parts[:-1]
        if self._cached is None or self._cached[0] != directory:
            descriptor = self._make(directory)
            self.forget()
            self._cached = (directory, descriptor)
        return self._cached[1]

    def forget(self) -> None:
        """Drop the cached parent, since what was under that name may have been replaced."""
        if self._cached is not None:
            os.close(self._cached[1])
            self._cached = None

    @contextmanager
    def directory(self, parts: Parts) -> Iterator[int]:
        """Open an existing directory for fchmod and the like; its last component is not followed."""
        descriptor = self._open(parts, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def remove(self, parts: Parts) -> None:
        """Remove whatever is at `parts`, a whole tree too, without following a link."""
        parent, name = self.parent(parts), parts[-1]
        if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            _remove_tree(parent, name)
            self.forget()
        else:
            os.unlink(name, dir_fd=parent)

    def _make(self, parts: Parts) -> int:
        with suppress(FileNotFoundError):
            return self._open(parts, os.O_RDONLY)
        above = self._make(parts[:-1])
        try:
            os.mkdir(parts[-1], 0o755, dir_fd=above)
            self.implied.append(parts)
        except FileExistsError:
            # A link whose target is in a lower layer, such as /var/run to /run: make the target here.
            os.close(self._make(self._target(above, parts[-1])))
        finally:
            os.close(above)
        return self._open(parts, os.O_RDONLY)

    def _target(self, directory: int, name: str) -> Parts:
        try:
            target = PurePosixPath(os.readlink(name, dir_fd=directory))
        except OSError as err:  # EINVAL: it is no link
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name) from err
        root, here = (Path(f"/proc/self/fd/{fd}").readlink() for fd in (self._fd, directory))
        parts: list[str] = []
        for part in (here.relative_to(root) / target).parts:
            if part == "..":
                del parts[-1:]  # as at the root of a process: one can't climb out
            elif part != "/":
                parts.append(part)
        return tuple(parts)

    def _open(self, parts: Parts, flags: int) -> int:
        return openat2(self._fd, "/".join(parts) or ".", flags | os.O_DIRECTORY)


def _remove_tree(parent: int, name: str) -> None:
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        with os.scandir(descriptor) as entries:
            for entry in list(entries):
                if entry.is_dir(follow_symlinks=False):
                    _remove_tree(descriptor, entry.name)
                else:
                    os.unlink(entry.name, dir_fd=descriptor)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=parent)
