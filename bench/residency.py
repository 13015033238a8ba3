"""Which bytes of files occupy the disk, and which are in the page cache: counted by inode, each one once.

Sources: stat(2) (st_blocks counts 512-byte units), mincore(2), posix_fadvise(2).
"""

import ctypes
import mmap
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = mmap.PAGESIZE
BLOCK = 512


@dataclass(frozen=True, slots=True)
class File:
    """A regular file, one of its names, and its identity: names of one inode are equal."""

    device: int
    inode: int
    size: int
    blocks: int
    path: Path


def files(roots: Iterable[Path]) -> list[File]:
    """Return every regular file at or below `roots`, each inode once; links are not followed."""
    found = {(file.device, file.inode): file for root in roots for file in _walk(root)}
    return list(found.values())


def allocated(roots: Iterable[Path]) -> int:
    """Return the bytes that everything at or below `roots` allocates on disk; shared inodes count once."""
    seen: dict[tuple[int, int], int] = {}
    for root in roots:
        for _, status in _entries(os.fspath(root)):
            seen[status.st_dev, status.st_ino] = status.st_blocks * BLOCK
    return sum(seen.values())


def resident(found: Iterable[File]) -> int:
    """Return the bytes of `found` that are in the host's page cache, in whole pages."""
    return sum(_resident(file) for file in found if file.size)


def evict(found: Iterable[File]) -> int:
    """Drop clean pages of `found` from the page cache and return the bytes that stayed nevertheless.

    The state is verified, not assumed: pages that are mapped or being written stay.
    """
    listed = list(found)
    for file in listed:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.fdatasync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
    return resident(listed)


def _walk(root: Path) -> Iterator[File]:
    for name, status in _entries(os.fspath(root)):
        if stat.S_ISREG(status.st_mode):
            yield File(status.st_dev, status.st_ino, status.st_size, status.st_blocks, Path(name))


def _entries(root: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield all names at or below `root`, links not followed; one stat each, for images have many files."""
    status = os.lstat(root)
    yield root, status
    ahead = [root] if stat.S_ISDIR(status.st_mode) else []
    while ahead:
        with os.scandir(ahead.pop()) as entries:
            for entry in entries:
                yield entry.path, entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    ahead.append(entry.path)


def _resident(file: File) -> int:
    with (
        file.path.open("rb", buffering=0) as stream,
        mmap.mmap(
            stream.fileno(), 0, prot=mmap.PROT_READ | mmap.PROT_WRITE, flags=mmap.MAP_PRIVATE
        ) as mapping,
    ):
        pages = -(-len(mapping) // PAGE)
        vector = (ctypes.c_ubyte * pages)()
        view = (ctypes.c_char * len(mapping)).from_buffer(mapping)
        try:
            failed = LIBC.mincore(ctypes.byref(view), ctypes.c_size_t(len(mapping)), vector)
        finally:
            del view
    if failed:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), str(file.path))
    return sum(flag & 1 for flag in bytes(vector)) * PAGE


LIBC = ctypes.CDLL(None, use_errno=True)
