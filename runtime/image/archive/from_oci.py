"""Images out of an OCI image layout (image-spec, image-layout.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.errors import RuntimeFault
from runtime.image import layout
from runtime.image.archive.spool import broken
from runtime.image.closure import Closure
from runtime.image.manifest import (
    CONFIG_TYPES,
    FULL_NAME,
    INDEX_TYPES,
    MANIFEST_TYPES,
    REF_NAME,
    ConfigDocument,
    Descriptor,
    Index,
    Manifest,
    decode,
)
from runtime.image.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.image.archive.spool import Spool
    from runtime.image.digest import Digest
    from runtime.image.store import Store


def take(
    store: Store, spool: Spool, progress: Callable[[str], None]
) -> list[tuple[Descriptor, tuple[Reference, ...]]]:
    """Check and store all images of the layout's index; returns them with the names that it gives them."""
    found = layout.version(spool.document(layout.NAME))
    if found != layout.VERSION:
        raise broken(f"{spool.what}: the version of the image layout is {found}, not {layout.VERSION}")
    index = decode(spool.document("index.json"), Index, name=f"{spool.what}'s index.json")
    wanted: dict[Digest, Descriptor] = {}
    images: dict[Digest, tuple[Descriptor, list[Reference]]] = {}
    for entry in index.manifests:
        parts = _parts(spool, entry)
        if parts:
            wanted |= parts
            _, names = images.setdefault(entry.digest, (_bare(entry), []))
            names += _names(spool, entry)
    if not images:
        raise broken(f"{spool.what} holds no image")
    for one in reversed(wanted.values()):  # an index after what it names
        _adopt(store, spool, one, progress)
    return [(entry, tuple(names)) for entry, names in images.values()]


def _parts(spool: Spool, entry: Descriptor) -> dict[Digest, Descriptor]:
    """Return all that an entry needs, checked; nothing if it is no image, such as an attestation."""
    closure = Closure(lambda digest: spool.blob(digest).path.read_bytes(), spool.has)
    found: dict[Digest, Descriptor] = {}
    runs = False
    for one in closure.manifests(entry):
        blob = spool.blob(one.digest)
        spool.limit(blob, f"blob {one.digest}")
        found[one.digest] = one
        if one.media_type in MANIFEST_TYPES:
            manifest = decode(blob.path.read_bytes(), Manifest, name=f"{spool.what}'s {one.digest}")
            found |= {part.digest: part for part in (manifest.config, *manifest.layers)}
            runs = _check(spool, manifest) or runs
        elif one.media_type not in INDEX_TYPES:
            raise broken(f"{spool.what} lists {one.digest} as {one.media_type[:100]!r}, which is no image")
    return found if runs else {}


def _check(spool: Spool, manifest: Manifest) -> bool:
    """Refuse a manifest whose parts are missing or do not fit; whether it is an image's."""
    for part in (manifest.config, *manifest.layers):
        size = spool.blob(part.digest).size
        if size != part.size:
            raise broken(f"{spool.what}'s blob {part.digest} has {size} bytes instead of {part.size}")
    if manifest.config.media_type not in CONFIG_TYPES:
        return False
    blob = spool.blob(manifest.config.digest)
    spool.limit(blob, f"blob {manifest.config.digest}")
    name = f"{spool.what}'s {manifest.config.digest}"
    layers = len(decode(blob.path.read_bytes(), ConfigDocument, name=name).rootfs.diff_ids)
    if layers != len(manifest.layers):
        raise broken(f"{name} is for {layers} layers, but the manifest has {len(manifest.layers)}")
    return True


def _adopt(store: Store, spool: Spool, one: Descriptor, progress: Callable[[str], None]) -> None:
    there = one.digest in store.blobs and store.blobs.path(one.digest).stat().st_size == one.size
    if not there:
        store.blobs.adopt(spool.blob(one.digest).path, one.digest)
    progress(f"{one.digest.short} {'exists' if there else 'done'}")


def _bare(entry: Descriptor) -> Descriptor:
    return Descriptor(
        media_type=entry.media_type, digest=entry.digest, size=entry.size, platform=entry.platform
    )


def _names(spool: Spool, entry: Descriptor) -> list[Reference]:
    """Return the whole name if there is one; `ref.name` may be a tag alone, which names nothing."""
    text = entry.annotations.get(FULL_NAME) or entry.annotations.get(REF_NAME, "")
    if not text or ("/" not in text and ":" not in text):
        return []
    try:
        return [Reference.parse(text)]
    except RuntimeFault as fault:
        raise broken(f"{spool.what} gives an image a bad name: {fault}") from fault
