"""Reads a tar whose maker may be hostile: one member after another, with a limit on every header.

Headers are where a tar makes its reader use memory: extended ones may claim any size, and lists of holes may
go on for ever. Go's archive/tar, which docker and podman read with, takes 1 MiB of one as well
(maxSpecialFileSize).
"""

import tarfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

from runtime.errors import RuntimeFault
from runtime.image.layer.compression import Readable
from runtime.image.layer.forward import Forward
from runtime.image.layer.header import PLAIN, Header
from runtime.image.seam import corrupt

HEADER = 1 << 20  # bytes of all headers of one member
# Of global headers, which every member that follows is given anew, tarfile's way: a member takes as long as
# they are many. Real ones have a comment.
SHARED, SHARED_KEYS = 1 << 16, 64  # bytes
_EXTENDED = {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE,
             tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}  # fmt: skip
_builtin = getattr(tarfile.TarInfo, "_proc_builtin")  # noqa: B009 - the stubs lack it


class Member:
    """A member's header, `info`, and its content, which is there until the next member is asked for."""

    __slots__ = ("_stream", "_what", "info")

    def __init__(self, info: tarfile.TarInfo, stream: Forward, what: str) -> None:
        self.info, self._stream, self._what = info, stream, what

    def segments(self) -> list[tuple[int, int]]:
        """Return the parts of a regular file that are in the tar, as offset and size; the rest are holes."""
        found: list[tuple[int, int]] | None = getattr(self.info, "sparse", None)
        if found is None:
            return [(0, self.info.size)]
        end = 0
        parts = [(offset, size) for offset, size in found if size]  # GNU's own table is padded with zeros
        for offset, size in parts:
            if size < 0 or offset < end or offset + size > self.info.size:
                raise corrupt(f"{self._what}'s {self.info.name!r} has holes that contradict each other")
            end = offset + size
        return parts

    def chunks(self, size: int) -> Iterator[memoryview]:
        """Yield the next `size` bytes of what is in the tar."""
        # Not through TarFile.extractfile, which makes the zeros of a hole, a TiB of them if it says so.
        left = max(size, 0)
        for piece in self._stream.pieces(left):
            left -= len(piece)
            yield piece
        if left:
            raise tarfile.ReadError("unexpected end of data")


def read(stream: Readable, use: Callable[[Member], object], *, what: str) -> None:
    """Call `use` with every member of a plain tar; damage is a `corrupt` fault that begins with `what`.

    Raises `OSError` as `use` does.
    """
    metered = _Metered(stream, what)
    headers = type("_Limited", (_Info,), {"__slots__": (), "metered": metered})
    try:
        archive = tarfile.TarFile(
            fileobj=cast("BinaryIO", metered), tarinfo=headers, encoding="utf-8", errors="surrogateescape"
        )
        for info in archive:
            _check(info, archive, what)
            use(Member(info, metered, what))
            setattr(archive, "members", [])  # noqa: B010 - the stubs lack it; it keeps every header
    except (tarfile.TarError, ValueError, OverflowError) as err:  # of numbers and names that no file can have
        raise corrupt(f"{what}'s tar is damaged: {err}") from err
    except RecursionError as err:
        raise corrupt(f"{what}'s directories are nested too deep") from err


def _check(info: tarfile.TarInfo, archive: tarfile.TarFile, what: str) -> None:
    if info.size < 0:
        raise corrupt(f"{what}'s {info.name[:200]!r} has a size below 0")
    shared = archive.pax_headers  # global headers add up
    if len(shared) > SHARED_KEYS or sum(len(key) + len(str(value)) for key, value in shared.items()) > SHARED:
        raise corrupt(f"{what} has global headers of more than {SHARED >> 10} KiB or {SHARED_KEYS} keys")


def _too_large(what: str) -> RuntimeFault:
    return corrupt(f"{what} has a header of more than {HEADER >> 20} MiB")


class _Metered(Forward):
    """A stream that gives a limited number of bytes while a header is read."""

    def __init__(self, stream: Readable, what: str) -> None:
        super().__init__(stream)
        self.what = what
        self.left: int | None = None

    def read(self, size: int = -1, /) -> bytes:
        if self.left is not None:
            self.left -= size
            if size < 0 or self.left < 0:
                raise _too_large(self.what)
        return super().read(size)


class _Info(Header):
    """A header that is not read if it is too large. `_proc_member` is tarfile's own hook for subclasses."""

    __slots__ = ()
    metered: _Metered

    def _proc_member(self, archive: tarfile.TarFile) -> Any:  # noqa: ANN401 - tarfile's
        if self.type in PLAIN:
            return _builtin(self, archive)  # reads nothing
        if self.type in _EXTENDED and not 0 <= self.size <= HEADER:
            raise _too_large(self.metered.what)
        proceed = getattr(super(), "_proc_member")  # noqa: B009 - the stubs lack it
        if self.metered.left is not None:  # one header of several
            return proceed(archive)
        self.metered.left = HEADER + 2 * tarfile.RECORDSIZE
        try:
            return proceed(archive)
        finally:
            self.metered.left = None
