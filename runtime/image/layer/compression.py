"""Bytes on their way: counted, hashed, compressed."""

import hashlib
from typing import Protocol

from isal import isal_zlib

from runtime.image.digest import Digest

CHUNK = 1 << 18
_GZIP_WBITS = 31  # 16 asks zlib for a gzip header, 15 is the largest window


class Readable(Protocol):
    """All that tarfile's stream mode asks of a file."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes; empty at the end."""


class Writable(Protocol):
    """A sink of bytes."""

    def write(self, data: bytes, /) -> object:
        """Take some bytes."""


class Tally:
    """The digest and the number of the bytes that passed."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> Digest:
        """The digest of all that passed so far."""
        return Digest(f"sha256:{self._hash.hexdigest()}")

    def _account(self, data: bytes) -> bytes:
        self._hash.update(data)
        self.size += len(data)
        return data


class HashingReader(Tally):
    """A reader that hashes and counts."""

    def __init__(self, stream: Readable) -> None:
        super().__init__()
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        """Read and account."""
        return self._account(self._stream.read(size))

    def drain(self) -> None:
        """Read to the end, since a tar's padding is part of the digest."""
        while self.read(CHUNK):
            pass


class HashingWriter(Tally):
    """A writer that hashes and counts."""

    def __init__(self, sink: Writable) -> None:
        super().__init__()
        self._sink = sink

    def write(self, data: bytes, /) -> None:
        """Write and account."""
        self._sink.write(self._account(data))


class GzipWriter:
    """Compresses to a sink. The header has no time and no name: equal layers are equal blobs."""

    def __init__(self, sink: Writable) -> None:
        self._sink = sink
        self._codec = isal_zlib.compressobj(level=1, wbits=_GZIP_WBITS)
        # What comes out depends on the pieces that go in, and so these are always the same.
        self._waiting = bytearray()

    def write(self, data: bytes, /) -> None:
        """Compress some bytes."""
        self._waiting += data
        if len(self._waiting) < CHUNK:
            return
        whole = len(self._waiting) - len(self._waiting) % CHUNK
        for start in range(0, whole, CHUNK):
            self._sink.write(self._codec.compress(bytes(self._waiting[start : start + CHUNK])))
        del self._waiting[:whole]

    def finish(self) -> None:
        """Write the gzip trailer."""
        self._sink.write(self._codec.compress(bytes(self._waiting)))
        self._waiting.clear()
        self._sink.write(self._codec.flush())
