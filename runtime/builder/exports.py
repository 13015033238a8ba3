"""A built image outside of the store: its tree as files or as a tar, or the image as an OCI archive."""

from __future__ import annotations

import io
import tarfile
import tempfile
from typing import TYPE_CHECKING, BinaryIO

from runtime.image import layout
from runtime.image.layer.entry import TarWriter
from runtime.image.layer.pack import pack
from runtime.image.layer.unpack import unpack
from runtime.image.manifest import INDEX, MANIFEST, REF_NAME, Descriptor, Index, encode

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.image.image import Image
    from runtime.image.layer.compression import Writable
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


def archive(store: Store, image: Image, sink: Writable, *, tag: str = "") -> None:
    """Write the image as a tar of an OCI layout (image-layout.md), under a tag if there is one."""
    writer = TarWriter(sink)
    manifest = encode(image.manifest)
    listed = Descriptor(
        media_type=MANIFEST,
        digest=image.digest,
        size=len(manifest),
        annotations={REF_NAME: tag} if tag else {},
    )
    index = encode(Index(schema_version=2, media_type=INDEX, manifests=(listed,)))
    for name, content in ((layout.NAME, layout.CONTENT), ("index.json", index)):
        _add(writer, name, len(content), io.BytesIO(content))
    blobs = {image.digest, image.manifest.config.digest, *(layer.digest for layer in image.layers)}
    for digest in sorted(blobs):
        with store.blobs.open(digest) as blob:
            size = store.blobs.path(digest).stat().st_size
            _add(writer, f"blobs/{digest.algorithm}/{digest.hex}", size, blob)
    writer.finish()


def _add(writer: TarWriter, name: str, size: int, content: BinaryIO) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    writer.add(member, content)
