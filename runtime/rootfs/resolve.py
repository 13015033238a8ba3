"""Find, or make, a place inside a root directory; the answer is a descriptor, never a path to resolve again.

The image and the volumes belong to whoever wrote them, and another container may change them meanwhile. So no
name is looked up outside the root, whatever links say: openat2(2) with RESOLVE_IN_ROOT, and where something
has to be made or the kernel is too old, a walk component by component that expands links itself, and takes
".." from its own stack, never from the file system (CVE-2019-19921, CVE-2021-30465).
"""

from __future__ import annotations

import errno
import os
import stat

from runtime.linux import syscalls

PROC_MAGIC = 0x9FA0
_RULES = syscalls.RESOLVE_IN_ROOT | syscalls.RESOLVE_NO_MAGICLINKS
_LINKS = 40  # as the kernel's MAXSYMLINKS
_STEP = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def find(root: int, path: str, *, follow: bool = True) -> int:
    """Descriptor (O_PATH) of `path` as a process whose root is `root` would see it.

    Raises FileNotFoundError and its like with the path; ELOOP for magic links such as /proc/1/root, and with
    `follow` off for every link.
    """
    rules = _RULES if follow else _RULES | syscalls.RESOLVE_NO_SYMLINKS
    for _ in range(64):
        try:
            return syscalls.openat2(root, path, os.O_PATH, rules)
        except OSError as err:
            if err.errno == errno.ENOSYS:
                return _Walk(root, path, follow=follow).run()
            if err.errno != errno.EAGAIN:  # a rename elsewhere raced with ".." (openat2(2)): try again
                raise
    return _Walk(root, path, follow=follow).run()


def make(root: int, path: str, *, directory: bool) -> int:
    """Like `find`; what is missing is made, mode 0755, the last component as a file unless `directory`."""
    try:
        return find(root, path)
    except FileNotFoundError:
        made = _make_last(root, path, directory=directory)
        return _Walk(root, path, create=True, directory=directory).run() if made is None else made


def _make_last(root: int, path: str, *, directory: bool) -> int | None:
    """Make the last component alone, which is mostly what is missing; None when that is not all there is."""
    above, _, name = path.rstrip("/").rpartition("/")
    if name in {"", ".", ".."}:
        return None
    try:
        holder = find(root, above or "/")
    except OSError:
        return None
    try:
        if directory:
            os.mkdir(name, 0o755, dir_fd=holder)
        else:
            os.close(os.open(name, _FILE, 0o644, dir_fd=holder))
        # Nobody can have put a link there that leads elsewhere.
        return syscalls.openat2(holder, name, os.O_PATH, _RULES | syscalls.RESOLVE_NO_SYMLINKS)
    except OSError:  # a link that leads nowhere, or somebody else acts too
        return None
    finally:
        os.close(holder)


def parent(root: int, path: str) -> tuple[int, str]:
    """Descriptor of the directory that holds `path`, made where it is missing, and the last name."""
    above, _, name = path.rstrip("/").rpartition("/")
    if name in {"", ".", ".."}:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
    return make(root, above or "/", directory=True), name


class _Walk:
    """The walk by hand: `here` is the stack of open directories from the root to where it stands."""

    def __init__(
        self, root: int, path: str, *, create: bool = False, directory: bool = True, follow: bool = True
    ) -> None:
        self.path, self.create, self.directory, self.follow = path, create, directory, follow
        self.here = [os.dup(root)]
        self.todo = _names(path)
        self.links = 0

    def run(self) -> int:
        """Walk to the end; every descriptor but the answer is closed."""
        try:
            while self.todo:
                self._step(self.todo.pop())
            return self.here.pop()
        finally:
            for fd in self.here:
                os.close(fd)

    def _step(self, name: str) -> None:
        if name == "..":
            if len(self.here) > 1:
                os.close(self.here.pop())
            return
        fd = self._enter(name)
        if stat.S_ISLNK(os.fstat(fd).st_mode):
            try:
                self._expand(fd)
            finally:
                os.close(fd)
        else:
            self.here.append(fd)

    def _enter(self, name: str) -> int:
        try:
            return os.open(name, _STEP, dir_fd=self.here[-1])
        except FileNotFoundError:
            if not self.create:
                raise
        self._create(name)
        return os.open(name, _STEP, dir_fd=self.here[-1])

    def _create(self, name: str) -> None:
        try:
            if self.todo or self.directory:
                os.mkdir(name, 0o755, dir_fd=self.here[-1])
            else:
                os.close(os.open(name, _FILE, 0o644, dir_fd=self.here[-1]))
        except FileExistsError:  # somebody else made it: the caller looks again at what it is
            return

    def _expand(self, fd: int) -> None:
        self.links += 1
        if not self.follow or self.links > _LINKS or syscalls.filesystem_magic(fd) == PROC_MAGIC:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self.path)
        text = os.readlink("", dir_fd=fd)
        if text.startswith("/"):
            while len(self.here) > 1:
                os.close(self.here.pop())
        self.todo += _names(text)


def _names(path: str) -> list[str]:
    """Components in reverse order, the next one last."""
    return [name for name in reversed(path.split("/")) if name not in {"", "."}]
