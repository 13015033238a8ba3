"""Images out of a docker archive: `manifest.json`, configurations and layers (moby, image/tarexport)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from runtime.errors import RuntimeFault
from runtime.image.archive.spool import broken
from runtime.image.layer.compression import HashingReader
from runtime.image.layer.decompression import codec, decompressed
from runtime.image.manifest import (
    CONFIG,
    LAYER,
    MANIFEST,
    ConfigDocument,
    Descriptor,
    Manifest,
    decode,
    encode,
)
from runtime.image.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.image.archive.spool import Spool, Spooled
    from runtime.image.digest import Digest
    from runtime.image.store import Store

_KEPT = ("gzip", "zstd")  # what an OCI layer may be packed with


class Item(msgspec.Struct, frozen=True, rename="pascal"):
    """One image of the list."""

    config: str
    layers: tuple[str, ...] | None = None
    repo_tags: tuple[str, ...] | None = None


def take(
    store: Store, spool: Spool, progress: Callable[[str], None]
) -> list[tuple[Descriptor, tuple[Reference, ...]]]:
    """Check and store all images of the list; returns them with the names that it gives them.

    Configurations stay as they are, byte for byte. Plain layers are compressed, as ours are.
    """
    try:
        items = msgspec.json.decode(spool.document("manifest.json"), type=list[Item])
    except (msgspec.MsgspecError, RecursionError) as err:
        raise broken(f"{spool.what}'s manifest.json is not docker's: {err}") from err
    if not items:
        raise broken(f"{spool.what} holds no image")
    names = [_names(spool, item) for item in items]
    layers = _Layers(store, spool, progress)
    return [(_image(store, spool, item, layers), own) for item, own in zip(items, names, strict=True)]


def _image(store: Store, spool: Spool, item: Item, layers: _Layers) -> Descriptor:
    content = spool.document(item.config)
    document = decode(content, ConfigDocument, name=f"{spool.what}'s {item.config[:200]!r}")
    files, diff_ids = item.layers or (), document.rootfs.diff_ids
    if len(files) != len(diff_ids):
        raise broken(f"{spool.what}'s {item.config} is for {len(diff_ids)} layers, not {len(files)}")
    stored = tuple(layers.store(name, diff_id) for name, diff_id in zip(files, diff_ids, strict=True))
    config = store.blobs.write(content, CONFIG)
    manifest = Manifest(schema_version=2, media_type=MANIFEST, config=config, layers=stored)
    return store.blobs.write(encode(manifest), MANIFEST)


def _names(spool: Spool, item: Item) -> tuple[Reference, ...]:
    try:
        found = tuple(Reference.parse(text) for text in item.repo_tags or ())
    except RuntimeFault as fault:
        raise broken(f"{spool.what} gives an image a bad name: {fault}") from fault
    for name in found:
        if name.tag is None or name.digest is not None:
            raise broken(f"{spool.what} gives an image a bad name: {name} is none that ends in :TAG")
    return found


class _Layers:
    """Layers on their way into the store, each once."""

    def __init__(self, store: Store, spool: Spool, progress: Callable[[str], None]) -> None:
        self._store, self._spool, self._progress = store, spool, progress
        self._known: dict[Digest, Descriptor] = {}

    def store(self, name: str, diff_id: Digest) -> Descriptor:
        """Store the file `name`, which must hold the layer `diff_id`."""
        if diff_id not in self._known:
            self._known[diff_id] = self._put(self._spool.get(name), name, diff_id)
            self._progress(f"{self._known[diff_id].digest.short} done")
        return self._known[diff_id]

    def _put(self, file: Spooled, name: str, diff_id: Digest) -> Descriptor:
        with file.path.open("rb") as stream:
            packed = codec(stream.read(6))
        if packed in _KEPT:
            self._check(file, name, diff_id)
            self._store.blobs.adopt(file.path, file.digest)
            return Descriptor(media_type=f"{LAYER}+{packed}", digest=file.digest, size=file.size)
        with file.path.open("rb") as stream, decompressed(stream, name=name) as plain:
            stored, found = self._store.add_tar(plain)
        if found != diff_id:
            raise self._other(name, diff_id, found)
        return stored

    def _check(self, file: Spooled, name: str, diff_id: Digest) -> None:
        with file.path.open("rb") as stream, decompressed(stream, name=name) as plain:
            whole = HashingReader(plain)
            whole.drain()
        if whole.digest != diff_id:
            raise self._other(name, diff_id, whole.digest)

    def _other(self, name: str, diff_id: Digest, found: Digest) -> RuntimeFault:
        return broken(f"{self._spool.what}'s {name} holds the layer {found}, not {diff_id}")
