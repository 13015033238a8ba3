"""The files of an archive, put aside as they come, since what tells what they are may come last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.errors import RuntimeFault
from runtime.image.archive.writer import path as blob_path
from runtime.image.closure import DOCUMENT
from runtime.image.digest import Digest
from runtime.image.layer import members
from runtime.image.layer.compression import CHUNK, HashingWriter, Readable
from runtime.image.seam import corrupt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runtime.image.layer.members import Member

_MOST = 1 << 16  # files of one archive; an image has three, and one for each layer
_TAIL = 1 << 20  # bytes after the end of the tar that are read, so that who writes into a pipe can end
_LINKS = 8
_REMAKE = "make the archive again with `tare image save`, `docker save` or `podman save`"


def broken(what: str) -> RuntimeFault:
    """Return the fault for an archive that is damaged, hostile, or none of an image."""
    return corrupt(what, hint=_REMAKE)


@dataclass(frozen=True, slots=True)
class Spooled:
    """A file of the archive that is in `path` now; `size` in bytes."""

    path: Path
    digest: Digest
    size: int


class Spool:
    """Files by their names in the archive `what`, in a directory of our own under names of our own."""

    def __init__(self, place: Path, what: str) -> None:
        self.what = what
        self._place = place
        self._files: dict[str, Spooled] = {}
        self._links: dict[str, str] = {}

    def fill(self, tar: Readable) -> None:
        """Read a plain tar; names that lead out, and what no image has, are faults of kind `corrupt`."""
        members.read(tar, self._add, what=self.what)
        for _ in range(0, _TAIL, CHUNK):
            if not tar.read(CHUNK):
                break

    def __contains__(self, name: str) -> bool:
        return name in self._files or name in self._links

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def get(self, name: str) -> Spooled:
        """Return a file, through the links that docker makes between equal layers."""
        here = name
        for _ in range(_LINKS):
            if here in self._files:
                return self._files[here]
            if here not in self._links:
                break
            here = self._links[here]
        raise broken(f"{self.what} lacks {name!r}")

    def document(self, name: str) -> bytes:
        """Return the content of a small file."""
        found = self.get(name)
        self.limit(found, name)
        return found.path.read_bytes()

    def limit(self, found: Spooled, name: str) -> None:
        """Refuse a document that is too large to be read."""
        if found.size > DOCUMENT:
            raise broken(f"{self.what}'s {name} has {found.size} bytes, more than {DOCUMENT >> 20} MiB")

    def blob(self, digest: Digest) -> Spooled:
        """Return the blob of a layout by its digest."""
        return self.get(blob_path(digest))

    def has(self, digest: Digest) -> bool:
        """Say whether the archive has that blob."""
        return blob_path(digest) in self

    def _add(self, member: Member) -> None:
        info = member.info
        name = clean(info.name, self.what)
        if info.isdir() or not name:
            return
        if len(self._files) + len(self._links) >= _MOST:
            raise broken(f"{self.what} has more than {_MOST} files")
        if info.issym():
            above, linked = name.rpartition("/")[0], info.linkname
            target = linked if linked.startswith("/") or not above else f"{above}/{linked}"
            self._links[name] = clean(target, self.what, climbs=True)
            self._files.pop(name, None)
        elif info.isreg():
            self._keep(name, member)
        else:
            kind = "hard link" if info.islnk() else "device or pipe"
            raise broken(f"{self.what} holds {info.name!r}, a {kind}, which no image archive has")

    def _keep(self, name: str, member: Member) -> None:
        path = self._place / str(len(self._files) + len(self._links))
        with path.open("xb") as file:
            sink = HashingWriter(file)
            if getattr(member.info, "sparse", None) is not None:
                raise broken(f"{self.what} holds {member.info.name!r} with holes, which no image archive has")
            for chunk in member.chunks(member.info.size):
                sink.write(bytes(chunk))
        found = Spooled(path, sink.digest, sink.size)
        if name in self and self._files.get(name, found).digest != found.digest:
            raise broken(f"{self.what} holds {name!r} twice, with different contents")
        _check_blob(name, found, self.what)
        self._files[name] = found


def clean(name: str, what: str, *, climbs: bool = False) -> str:
    """Return a name without `.` parts; with `climbs` it may hold `..`, but not leave the archive."""
    parts: list[str] = []
    for part in name.split("/"):
        if part == ".." and climbs and parts:
            parts.pop()
        elif part == ".." or "\0" in part:
            raise broken(f"{what} names {name!r}, which is outside of it: it is damaged or hostile")
        elif part not in {"", "."}:
            parts.append(part)
    if name.startswith("/"):
        raise broken(f"{what} names {name!r}, which is outside of it: it is damaged or hostile")
    return "/".join(parts)


def _check_blob(name: str, found: Spooled, what: str) -> None:
    """Refuse content that is not what its name says. Blobs by other hashes are of no use to the store."""
    if not name.startswith("blobs/sha256/"):
        return
    try:
        digest = Digest.parse(name.removeprefix("blobs/").replace("/", ":", 1))
    except RuntimeFault as fault:
        raise broken(f"{what} holds {name!r}, which is no blob's name") from fault
    if digest != found.digest:
        raise broken(f"{what}'s blob {digest} is damaged: its content has the digest {found.digest}")
