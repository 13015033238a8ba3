"""Tar archives as a context or for ADD: plain, or compressed with gzip, zstd, bzip2 or xz."""

from __future__ import annotations

import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from runtime.errors import RuntimeFault
from runtime.image.layer.decompression import decompressed
from runtime.image.layer.unpack import unpack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runtime.image.layer.compression import Readable


@contextmanager
def plain(file: BinaryIO, *, name: str) -> Iterator[Readable]:
    """Yield the uncompressed bytes of a file, from its begin on; `corrupt` faults name it."""
    file.seek(0)
    with decompressed(file, name=name) as found:
        yield found


def is_archive(file: BinaryIO) -> bool:
    """Say whether a file begins like a tar, once it is uncompressed; what is only compressed is none."""
    try:
        with (
            plain(file, name="it") as content,
            tarfile.open(fileobj=cast("BinaryIO", content), mode="r|") as found,
        ):
            return found.next() is not None
    except (tarfile.TarError, OSError, RuntimeFault, UnicodeError):
        return False


def extract(file: BinaryIO, place: Path, *, name: str, owners: bool | None = None) -> None:
    """Unpack into an empty directory, never out of it; a fault names the archive."""
    with plain(file, name=name) as content:
        try:
            unpack(content, place, owners=owners)
        except RuntimeFault as err:
            raise RuntimeFault(f"{name}: {err}", kind=err.kind, hint=err.hint) from err
