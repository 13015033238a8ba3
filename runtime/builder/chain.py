"""A node's result: the layers of its root, bottom first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runtime.image.digest import Digest
from runtime.image.image import Image
from runtime.image.manifest import CONFIG, ConfigDocument, Descriptor, Manifest, RootFS
from runtime.image.platform import host_platform

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.image.store import Store

_START = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Layer:
    """A stored layer and when it was made; one from the cache keeps its time."""

    descriptor: Descriptor
    diff_id: Digest
    created: datetime = _START


Chain = tuple[Layer, ...]


def of_image(image: Image) -> Chain:
    """Return an image's layers."""
    created = image.created or _START
    pairs = zip(image.layers, image.diff_ids, strict=True)
    return tuple(Layer(descriptor, diff_id, created) for descriptor, diff_id in pairs)


def directories(store: Store, chain: Chain) -> tuple[Path, ...]:
    """Return the layers unpacked, as overlayfs's lower directories: never write there."""
    platform = host_platform()
    rootfs = RootFS(diff_ids=tuple(layer.diff_id for layer in chain))
    document = ConfigDocument(architecture=platform.architecture, os=platform.os, rootfs=rootfs)
    nothing = Digest.of(b"")
    manifest = Manifest(
        schema_version=2,
        config=Descriptor(media_type=CONFIG, digest=nothing, size=0),
        layers=tuple(layer.descriptor for layer in chain),
    )
    return store.layer_paths(Image(nothing, manifest, document))
