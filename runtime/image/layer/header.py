"""The headers of a tar, ten thousand a layer: tarfile decodes them field by field, most can be had sooner."""

import struct
import tarfile
from typing import Self
from zlib import adler32

# POSIX pax, "ustar Interchange Format", from the name to the prefix.
_HEADER = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x")
_HALF, _SUM = _HEADER.size // 2, slice(148, 156)
_MAGIC = {tarfile.POSIX_MAGIC, tarfile.GNU_MAGIC}
PLAIN = {
    tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
}  # fmt: skip


class Header(tarfile.TarInfo):
    """A header that is decoded at once if it is an ordinary one."""

    __slots__ = ()

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Decode a header; whatever is unusual about it is left to tarfile."""
        if len(buf) == _HEADER.size:
            fields = _HEADER.unpack(buf)
            if fields[9] in _MAGIC and fields[7] in PLAIN:
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
