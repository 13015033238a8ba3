"""The members of a tar that comes as a stream, at the speed at which it comes.

tarfile knows the formats and stays in charge. What it asks for ten thousand times a layer is quicker here:
its stream mode reads in blocks of 10 KiB and copies each three times, and it decodes headers field by field.
"""

import struct
import tarfile
from collections.abc import Iterator
from typing import BinaryIO, Self, cast
from zlib import adler32

from runtime.image.layer.compression import CHUNK, Readable

# POSIX pax, "ustar Interchange Format", from the name to the prefix.
_HEADER = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x")
_HALF, _SUM = _HEADER.size // 2, slice(148, 156)
_MAGIC = {tarfile.POSIX_MAGIC, tarfile.GNU_MAGIC}
_PLAIN = {
    tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
}  # fmt: skip


class Forward:
    """A stream that tarfile takes for a file: it tells its position, and seeks forward by reading."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._chunk, self._at = b"", 0
        self._passed = 0  # bytes before the chunk

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._passed + self._at

    def read(self, size: int = -1, /) -> bytes:
        """Return `size` bytes, or all that is left if there are fewer, or if it is negative."""
        end = self._at + size
        if self._at <= end <= len(self._chunk):
            data = self._chunk[self._at : end]
            self._at = end
            return data
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield the next `size` bytes, or all for a negative number, in parts and without a copy."""
        while size:
            if self._at == len(self._chunk) and not self._more():
                return
            piece = memoryview(self._chunk)[self._at :]
            if 0 <= size < len(piece):
                piece = piece[:size]
            self._at += len(piece)
            size -= len(piece) if size > 0 else 0
            yield piece

    def seek(self, position: int, /) -> None:
        """Go forward; the end of the stream is no error."""
        if position < self.tell():
            raise tarfile.StreamError("a stream can't go back")
        for _ in self.pieces(position - self.tell()):
            pass

    def _more(self) -> bool:
        self._passed += len(self._chunk)
        self._chunk, self._at = self._stream.read(CHUNK), 0
        return bool(self._chunk)


class Member(tarfile.TarInfo):
    """A member whose header is decoded at once if it is an ordinary one."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Decode a header; whatever is unusual about it is left to tarfile."""
        if len(buf) == _HEADER.size:
            fields = _HEADER.unpack(buf)
            if fields[9] in _MAGIC and fields[7] in _PLAIN:
                try:
                    return cls._ordinary(fields, buf, encoding, errors)
                except ValueError:  # numbers in base 256, or damage
                    pass
        return super().frombuf(buf, encoding, errors)

    @classmethod
    def _ordinary(cls, fields: tuple[bytes, ...], buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        name, mode, uid, gid, size, mtime, checksum, kind, link, _, user, group, major, minor, prefix = fields
        if _octal(checksum) != _checksum(buf):
            raise ValueError
        member = cls(_text(name, encoding, errors))
        member.mode, member.uid, member.gid = _octal(mode), _octal(uid), _octal(gid)
        member.size, member.mtime, member.chksum = _octal(size), _octal(mtime), _octal(checksum)
        member.type = kind
        member.linkname = _text(link, encoding, errors)
        member.uname, member.gname = _text(user, encoding, errors), _text(group, encoding, errors)
        member.devmajor, member.devminor = _octal(major), _octal(minor)
        if kind == tarfile.DIRTYPE:
            member.name = member.name.rstrip("/")
        if prefix[0]:
            member.name = f"{_text(prefix, encoding, errors)}/{member.name}"
        return member


def _octal(field: bytes) -> int:
    return int(field.rstrip(b" \0") or b"0", 8)


def _text(field: bytes, encoding: str, errors: str) -> str:
    return field.partition(b"\0")[0].decode(encoding, errors)


def _checksum(header: bytes | bytearray) -> int:
    """Return the sum of all bytes, those of the sum's own field taken for spaces."""
    # The lower half of Adler-32 is 1 + the sum, modulo 65521, which 256 bytes don't reach.
    total = (adler32(header[:_HALF]) & 0xFFFF) + (adler32(header[_HALF:]) & 0xFFFF) - 2
    return total - sum(header[_SUM]) + 8 * ord(" ")


def opened(stream: Forward) -> tarfile.TarFile:
    """Open the tar in a stream; raises tarfile.TarError if there is none."""
    return tarfile.TarFile(
        fileobj=cast("BinaryIO", stream), tarinfo=Member, encoding="utf-8", errors="surrogateescape"
    )
