"""Take a layer out of its compressed tar, and hold it to its digests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.image.layer.ahead import ahead
from runtime.image.layer.compression import CHUNK, HashingReader
from runtime.image.layer.decompression import decompressed
from runtime.image.layer.unpack import unpack
from runtime.image.seam import corrupt

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.image.blobs import Blobs
    from runtime.image.digest import Digest
    from runtime.image.layer.compression import Readable
    from runtime.image.manifest import Descriptor


def extract_blob(blobs: Blobs, layer: Descriptor, diff_id: Digest, tree: Path) -> None:
    """Extract a stored layer into an empty directory, checking both of its digests on the way."""
    with blobs.open(layer.digest) as blob:
        packed = HashingReader(blob)
        found = _extract(packed, f"blob {layer.digest}", tree)
        packed.drain()
    if packed.digest != layer.digest:
        raise corrupt(f"blob {layer.digest} is damaged: its content has the digest {packed.digest}")
    _check(layer, diff_id, found)


def extract_stream(source: Readable, layer: Descriptor, diff_id: Digest, tree: Path) -> None:
    """Extract a layer that is still on its way: what it gives is held to the diff id, not to the blob's."""
    _check(layer, diff_id, _extract(source, f"blob {layer.digest}", tree))


def _extract(packed: Readable, name: str, tree: Path) -> Digest:
    """Extract a compressed tar, reading it ahead; returns its diff id."""
    with decompressed(packed, name=name) as plain:
        tar = HashingReader(plain)
        with ahead(tar) as content:
            unpack(content, tree)
            while content.read(CHUNK):  # a tar's padding is part of the digest
                pass
    return tar.digest


def _check(layer: Descriptor, diff_id: Digest, found: Digest) -> None:
    if found != diff_id:
        raise corrupt(f"blob {layer.digest} is not the layer {diff_id} that the configuration names")
