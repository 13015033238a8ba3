"""Things to put into a layer without having them on disk first, and how a tar records them."""

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from runtime.errors import RuntimeFault
from runtime.image.layer.compression import CHUNK, Readable, Writable

_BLOCK = 512
_XATTR = "SCHILY.xattr."  # star's name for them in a PAX header, which docker and GNU tar write too


@dataclass(frozen=True, slots=True)
class File:
    """A regular file; `mtime` in seconds since 1970, None takes the layer's."""

    data: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: int | None = None


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symbolic link; `target` is stored as it is."""

    target: str


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory."""

    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    mtime: int | None = None


Entry = bytes | File | Symlink | Directory


class TarWriter:
    """Writes PAX members one after another; the caller's order is the order of the tar."""

    def __init__(self, sink: Writable) -> None:
        self._sink = sink

    def add(self, member: tarfile.TarInfo, content: Readable | None = None) -> None:
        """Write a member and, for a regular file, exactly `member.size` bytes of its content."""
        self._sink.write(member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        if content is None:
            return
        left = member.size
        while left:
            chunk = content.read(min(CHUNK, left))
            if not chunk:
                raise RuntimeFault(
                    f"{member.name} shrank while it was read",
                    kind="failed",
                    hint="stop what writes to it and try again",
                )
            self._sink.write(chunk)
            left -= len(chunk)
        self._sink.write(bytes(-member.size % _BLOCK))

    def finish(self) -> None:
        """Write the two empty blocks that end an archive (POSIX pax, "ustar Interchange Format")."""
        self._sink.write(bytes(2 * _BLOCK))


def set_xattr(member: tarfile.TarInfo, name: str, value: bytes) -> None:
    """Record an extended attribute in the member's PAX header."""
    member.pax_headers = {
        **member.pax_headers,
        _XATTR + name: value.decode("utf-8", "surrogateescape"),
    }


def xattrs(member: tarfile.TarInfo) -> dict[str, bytes]:
    """Return the extended attributes that the member's PAX header holds."""
    return {
        key.removeprefix(_XATTR): value.encode("utf-8", "surrogateescape")
        for key, value in member.pax_headers.items()
        if key.startswith(_XATTR)
    }


def set_mtime(member: tarfile.TarInfo, nanoseconds: int) -> None:
    """Record a modification time exactly; a float would lose the last digits."""
    member.mtime, fraction = divmod(nanoseconds, 10**9)
    if fraction and nanoseconds > 0:
        member.pax_headers = {**member.pax_headers, "mtime": f"{member.mtime}.{fraction:09d}"}


def mtime_ns(member: tarfile.TarInfo) -> int:
    """Return the modification time in nanoseconds, exact where the PAX header is."""
    seconds, dot, fraction = member.pax_headers.get("mtime", "").partition(".")
    if dot and seconds.isdecimal() and fraction.isdecimal():
        return int(seconds) * 10**9 + int(f"{fraction:0<9.9}")
    return int(member.mtime * 10**9)


def compose(entries: Mapping[str, Entry], sink: Writable, *, mtime: int) -> None:
    """Write `entries` (path without leading slash → entry) as a layer, sorted by path."""
    writer = TarWriter(sink)
    for path in sorted(entries, key=lambda path: PurePosixPath(path).parts):
        member, data = _member(path, entries[path], mtime)
        writer.add(member, io.BytesIO(data) if member.isreg() else None)
    writer.finish()


def _member(path: str, entry: Entry, mtime: int) -> tuple[tarfile.TarInfo, bytes]:
    member, data = tarfile.TarInfo(path), b""
    member.mtime, member.mode = mtime, 0o777
    match entry:
        case Symlink(target):
            member.type, member.linkname = tarfile.SYMTYPE, target
        case Directory(mode, uid, gid, own):
            member.type, member.mode, member.uid, member.gid = tarfile.DIRTYPE, mode, uid, gid
            member.mtime = mtime if own is None else own
        case File(data, mode, uid, gid, own):
            member.mode, member.uid, member.gid, member.size = mode, uid, gid, len(data)
            member.mtime = mtime if own is None else own
        case bytes(data):
            member.mode, member.size = 0o644, len(data)
    return member, data
