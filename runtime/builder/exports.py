"""A built image outside of the store: its tree as files or as a tar, or the image as an OCI archive."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from runtime.image.archive import save
from runtime.image.archive.writer import ArchiveWriter
from runtime.image.layer.pack import pack
from runtime.image.layer.unpack import unpack
from runtime.image.manifest import MANIFEST, Descriptor, encode

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.image.image import Image
    from runtime.image.layer.compression import Writable
    from runtime.image.reference import Reference
    from runtime.image.store import Store


def local(store: Store, image: Image, destination: Path) -> None:
    """Put the image's tree into a directory, as files of this user; what stands in the way is replaced.

    Links that are there already are not followed. Raises OSError.
    """
    destination.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=store.scratch) as spool:
        tree(store, image, spool)
        spool.seek(0)
        unpack(spool, destination, owners=False)


def tree(store: Store, image: Image, sink: Writable) -> None:
    """Write the image's tree as a plain tar."""
    pack(store.checkout(image), sink, whiteouts=False)


def archive(store: Store, image: Image, sink: Writable, *, name: Reference | None = None) -> None:
    """Write the image as a tar of an OCI layout (image-layout.md), under a name if there is one.

    `org.opencontainers.image.ref.name` is the tag alone, as buildx has it.
    """
    stored = Descriptor(media_type=MANIFEST, digest=image.digest, size=len(encode(image.manifest)))
    writer = ArchiveWriter(store, sink)
    save.oci(store, writer, [save.named(stored, full=str(name or ""), short=(name and name.tag) or "")])
    writer.finish()
