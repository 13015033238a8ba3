"""Writing so that a crash leaves either the old or the new, and removing so that no mount is crossed."""

import ctypes
import errno
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE = (0.01, 0.02, 0.05, 0.1, 0.2)  # seconds
_libc = ctypes.CDLL(None, use_errno=True)


def replace(path: Path, content: bytes, *, scratch: Path, mode: int = 0o644) -> None:
    """Write a small file through a temporary one in `scratch`, which is on the same file system."""
    descriptor, name = tempfile.mkstemp(dir=scratch)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
        publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def publish(temporary: Path, path: Path) -> None:
    """Put a finished file on disk and then, in one step, in its place."""
    descriptor = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make a rename in `directory` durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def building(path: Path, scratch: Path) -> Iterator[Path]:
    """Yield an empty directory that becomes `path` in one step if the block succeeds.

    Where another process was faster its directory stays, since both hold the same content.
    """
    with scratch_directory(scratch) as work:
        tree = work / "tree"
        tree.mkdir()
        tree.chmod(0o755)
        yield tree
        _sync_file_system(tree)
        if not path.exists():
            tree.rename(path)
            sync_directory(path.parent)


@contextmanager
def scratch_directory(parent: Path) -> Iterator[Path]:
    """Yield a new private directory in `parent` that is gone afterwards."""
    path = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield path
    finally:
        remove_tree(path)


def remove_tree(path: Path) -> None:
    """Remove a tree, or a file, if it exists.

    Another file system inside is left alone: a killed mmdebstrap may have left /dev mounted in its tree.
    """
    for pause in (*_PATIENCE, None):
        try:
            _remove(path)
        except OSError as err:
            # Killed processes go on for a moment, and one may just have made a file in the tree.
            if err.errno != errno.ENOTEMPTY or pause is None:
                raise
            time.sleep(pause)
        else:
            return


def _remove(path: Path) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISDIR(status.st_mode):
        _remove_inside(path, status.st_dev)
        path.rmdir()
    else:
        path.unlink()


def _remove_inside(directory: Path, device: int) -> None:
    directory.chmod(0o700)
    with os.scandir(directory) as entries:
        for entry in list(entries):
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)  # noqa: PTH108 - a third of the time of Path.unlink over many files
            elif entry.stat(follow_symlinks=False).st_dev == device:
                _remove_inside(Path(entry.path), device)
                os.rmdir(entry.path)  # noqa: PTH106


def size_on_disk(tree: Path) -> int:
    """Return the bytes that a tree occupies, hard links once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for base, directories, files in os.walk(tree):
        for name in (*directories, *files):
            status = os.lstat(f"{base}/{name}")
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                total += status.st_blocks * 512
    return total


def _sync_file_system(tree: Path) -> None:
    # One syncfs(2) instead of an fsync for each of some thousand files.
    descriptor = os.open(tree, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(tree))
    finally:
        os.close(descriptor)
