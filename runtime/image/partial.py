"""Blobs of which the beginning is here: what a killed pull had of them, for the next one to go on with."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runtime.errors import RuntimeFault
from runtime.image.blobs import Blobs, Sink
from runtime.image.layer.compression import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runtime.image.digest import Digest


class Partials:
    """Files below `root`, each with the name of the digest that it is to have; they become blobs of `blobs`.

    Not in the store's scratch directory, which the next process clears.
    """

    def __init__(self, root: Path, blobs: Blobs) -> None:
        self._root, self._blobs = root, blobs

    def size(self, digest: Digest) -> int:
        """Return how many bytes of a blob are here."""
        try:
            return self._path(digest).stat().st_size
        except FileNotFoundError:
            return 0

    @contextmanager
    def growing(self, digest: Digest, most: int) -> Iterator[Sink]:
        """Yield a sink that has what is here of a blob, `most` bytes large; it is a blob after the block.

        The caller sees to it that nobody else has the same one. Where the block fails, the bytes stay for
        another attempt, unless they are said to be damaged (a fault of kind `corrupt`) or the disk is full.
        """
        path = self._path(digest)
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            if os.fstat(descriptor).st_size > most:
                file.truncate(0)
            sink = Sink(file, path)
            try:
                while chunk := file.read(CHUNK):
                    sink.account(chunk)
                yield sink
            except OSError:
                path.unlink()
                raise
            except BaseException as err:
                if not sink.size or (isinstance(err, RuntimeFault) and err.kind == "corrupt"):
                    path.unlink()
                raise
        self._blobs.adopt(path, digest)

    def clear(self) -> int:
        """Remove all of them, for the sole holder of the store's lock; returns the bytes on the disk."""
        freed = 0
        for path in self._root.iterdir() if self._root.is_dir() else ():
            freed += path.stat().st_blocks * 512
            path.unlink()
        return freed

    def _path(self, digest: Digest) -> Path:
        return self._root / f"{digest.algorithm}-{digest.hex}"
