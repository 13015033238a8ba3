"""The content of a regular file: data from a tar to the disk, with holes where nothing is but zeros."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.image.layer.members import Member

_HOLE = 1 << 16  # bytes: shorter runs of zeros are cheaper to store than to leave out
_ZEROS = bytes(_HOLE)


def write(descriptor: int, member: Member) -> None:
    """Write a member's content into the empty file `descriptor`. Raises `OSError`.

    Most tars say nothing of holes (docker, podman and we write none), so a sparse file comes as zeros that
    its layer packs a thousandfold; they become holes again.
    """
    for offset, size in member.segments():
        position = offset
        for chunk in member.chunks(size):
            _put(descriptor, chunk, position)
            position += len(chunk)
    os.ftruncate(descriptor, member.info.size)


def _put(descriptor: int, chunk: memoryview, position: int) -> None:
    if len(chunk) < _HOLE or not _has_hole(chunk):
        _write(descriptor, chunk, position)
        return
    for start in range(0, len(chunk), _HOLE):
        piece = chunk[start : start + _HOLE]
        if not _is_hole(piece):
            _write(descriptor, piece, position + start)


def _has_hole(chunk: memoryview) -> bool:
    # Most files have a byte at the start of some block, so most need no comparison.
    return any(_is_hole(chunk[start : start + _HOLE]) for start in range(0, len(chunk), _HOLE))


def _is_hole(piece: memoryview) -> bool:
    # Views are compared byte by byte, bytes at once.
    return not piece[0] and bytes(piece) == _ZEROS[: len(piece)]


def _write(descriptor: int, view: memoryview, position: int) -> None:
    while view:
        done = os.pwrite(descriptor, view, position)
        view, position = view[done:], position + done


def nonzero(descriptor: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield offset and content of each block of a file that holds more than zeros: equal for equal content.

    Holes are not read: a file of a TiB without data takes no longer than an empty one.
    """
    offset = 0
    while offset < size:
        try:
            start = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError:
            return  # ENXIO: only a hole is left
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        offset = start - start % _HOLE
        while offset < min(end, size):
            block = os.pread(descriptor, _HOLE, offset)
            if not block:
                return
            if block != _ZEROS[: len(block)]:
                yield offset, block
            offset += _HOLE
