"""A tar of documents and blobs, each once, and each checked while it goes out."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

from runtime.image.layer.compression import HashingReader, Readable, Writable
from runtime.image.layer.entry import TarWriter
from runtime.image.seam import corrupt

if TYPE_CHECKING:
    from runtime.image.digest import Digest
    from runtime.image.store import Store


class ArchiveWriter:
    """Writes members without owners and times, so that equal images give equal archives."""

    def __init__(self, store: Store, sink: Writable) -> None:
        self._store = store
        self._tar = TarWriter(sink)
        self._names: set[str] = set()

    def document(self, name: str, content: bytes) -> None:
        """Add a small file."""
        self.stream(name, len(content), io.BytesIO(content))

    def blob(self, digest: Digest) -> None:
        """Add a blob under its name in a layout; one whose content is altered is a `corrupt` fault."""
        name = path(digest)
        if name in self:
            return
        with self._store.blobs.open(digest) as file:
            checked = HashingReader(file)
            self.stream(name, self._store.blobs.path(digest).stat().st_size, checked)
        if checked.digest != digest:
            raise corrupt(f"blob {digest} is damaged: its content has the digest {checked.digest}")

    def stream(self, name: str, size: int, content: Readable) -> None:
        """Add a file of `size` bytes."""
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o644
        self._tar.add(member, content)
        self._names.add(name)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def finish(self) -> None:
        """Write the end of the archive."""
        self._tar.finish()


def path(digest: Digest) -> str:
    """Return where a blob is in a layout (image-spec, image-layout.md)."""
    return f"blobs/{digest.algorithm}/{digest.hex}"
