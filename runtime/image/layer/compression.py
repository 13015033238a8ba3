"""The codecs of layers, told apart by their first bytes rather than by their media type."""

import hashlib
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from isal import igzip, isal_zlib

from runtime.image.digest import Digest
from runtime.image.seam import corrupt

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from typing_extensions import Buffer

CHUNK = 1 << 18
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_GZIP_WBITS = 31  # 16 asks zlib for a gzip header, 15 is the largest window
# The stubs take this class for an instance.
_DEFLATE_ERROR = cast("type[Exception]", isal_zlib.error)
CODEC_ERRORS = (zlib.error, _DEFLATE_ERROR, EOFError, zstd.ZstdError)


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

    def write(self, data: bytes, /) -> None:
        """Compress some bytes."""
        self._sink.write(self._codec.compress(data))

    def finish(self) -> None:
        """Write the gzip trailer."""
        self._sink.write(self._codec.flush())


class _Rewound(io.RawIOBase):
    """A stream whose first bytes were looked at and are given back."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        super().__init__()
        self._head = head
        self._rest = rest

    def readinto(self, buffer: "Buffer", /) -> int:
        view = memoryview(buffer).cast("B")
        data = self._head[: len(view)] or self._rest.read(len(view))
        self._head = self._head[len(data) :] if self._head else b""
        view[: len(data)] = data
        return len(data)

    def readable(self) -> bool:
        return True


@contextmanager
def decompressed(stream: Readable, *, name: str) -> Iterator[Readable]:
    """Yield the plain bytes of a gzip, zstd or plain stream; damage is a `corrupt` fault naming `name`."""
    head = stream.read(4)
    whole = cast("BinaryIO", _Rewound(head, stream))
    try:
        if head.startswith(_GZIP_MAGIC):
            with igzip.IGzipFile(fileobj=whole, mode="rb") as plain:  # type: ignore[no-untyped-call]
                yield plain
        elif head == _ZSTD_MAGIC:
            with zstd.ZstdFile(whole, "rb") as plain:
                yield plain
        else:
            yield whole
    except (*CODEC_ERRORS, igzip.BadGzipFile) as err:
        raise corrupt(f"{name} is damaged: {err}") from err
