"""Which bytes of files occupy the disk, and which are in the page cache: counted by inode, each one once.

Sources: stat(2) (st_blocks counts 512-byte units), mincore(2), posix_fadvise(2).
"""

import ctypes
import mmap
import os
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
        for path in _names(root):
            status = path.lstat()
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


def _names(root: Path) -> Iterator[Path]:
    yield root
    if root.is_dir() and not root.is_symlink():
        for folder, directories, names in os.walk(root):
            yield from (Path(folder, name) for name in (*directories, *names))


def _walk(root: Path) -> Iterator[File]:
    for path in _names(root):
        status = path.lstat()
        if os.path.isfile(path) and not path.is_symlink():  # noqa: PTH113 - one stat, no Path made
            yield File(status.st_dev, status.st_ino, status.st_size, status.st_blocks, path)


def _resident(file: File) -> int:
    with (
        file.path.open("rb") as stream,
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
