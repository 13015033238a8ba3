"""The codecs of layers and archives, told apart by their first bytes, not by what they are called."""

import bz2
import io
import lzma
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from isal import igzip, isal_zlib

from runtime.image.layer.compression import CHUNK, Readable
from runtime.image.seam import corrupt

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from typing_extensions import Buffer

GZIP, ZSTD, BZIP2, XZ = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\0"
# A stream says how much memory it wants, with xz up to 4 GiB; `xz -9` wants 65 MiB. libzstd itself refuses
# a window of more than 128 MiB (ZSTD_WINDOWLOG_LIMIT_DEFAULT).
_XZ_MEMORY = 100 << 20
# The stubs take this class for an instance.
_DEFLATE_ERROR = cast("type[Exception]", isal_zlib.error)
_ERRORS = (zlib.error, _DEFLATE_ERROR, igzip.BadGzipFile, EOFError, zstd.ZstdError, lzma.LZMAError)


@contextmanager
def decompressed(stream: Readable, *, name: str) -> Iterator[Readable]:
    """Yield the plain bytes of a gzip, zstd, bzip2, xz or plain stream; damage is a `corrupt` fault."""
    head = _head(stream)
    try:
        with _decoder(head, cast("BinaryIO", _Rewound(head, stream))) as plain:
            yield plain
    except _ERRORS as err:
        raise corrupt(f"{name} is damaged: {err}") from err
    except OSError as err:
        if err.errno is not None:  # bz2 raises it without a number for data that is none
            raise
        raise corrupt(f"{name} is damaged: {err}") from err


def codec(head: bytes) -> str:
    """Return what a stream with these first 6 bytes is packed with: "gzip", "zstd", "bzip2", "xz" or ""."""
    known = {GZIP: "gzip", ZSTD: "zstd", BZIP2: "bzip2", XZ: "xz"}
    return next((name for magic, name in known.items() if head.startswith(magic)), "")


def _head(stream: Readable) -> bytes:
    """Read the first bytes, which a pipe may hand out one by one."""
    head = b""
    while len(head) < len(XZ) and (more := stream.read(len(XZ) - len(head))):
        head += more
    return head


def _decoder(head: bytes, whole: BinaryIO) -> BinaryIO:
    found = codec(head)
    if found == "gzip":
        return cast("BinaryIO", igzip.IGzipFile(fileobj=whole, mode="rb"))  # type: ignore[no-untyped-call]
    if found == "zstd":
        return cast("BinaryIO", zstd.ZstdFile(whole, "rb"))
    if found == "bzip2":
        return cast("BinaryIO", bz2.BZ2File(whole, "rb"))
    return cast("BinaryIO", _Xz(whole)) if found == "xz" else whole


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


class _Xz(io.RawIOBase):
    """`lzma.LZMAFile` with a limit of memory, which that class does not take."""

    def __init__(self, stream: Readable) -> None:
        super().__init__()
        self._stream = stream
        self._codec = self._new()

    @staticmethod
    def _new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def readinto(self, buffer: "Buffer", /) -> int:
        view = memoryview(buffer).cast("B")
        while not self._codec.eof or self._next():
            data = self._codec.decompress(self._input(), max_length=len(view))
            if data:
                view[: len(data)] = data
                return len(data)
        return 0

    def _input(self) -> bytes:
        if not self._codec.needs_input:
            return b""
        data = self._stream.read(CHUNK)
        if not data:
            raise EOFError("the stream ends before its end marker")
        return data

    def _next(self) -> bool:
        """Begin the next stream of a file that was made by concatenation; whether there is one."""
        rest = self._codec.unused_data.lstrip(b"\0") or self._stream.read(CHUNK).lstrip(b"\0")
        if not rest:
            return False
        self._codec = self._new()
        self._stream = cast("Readable", _Rewound(rest, self._stream))
        return True

    def readable(self) -> bool:
        return True
