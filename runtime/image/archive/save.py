"""Write images into one archive.

oci      an OCI image layout (image-spec, image-layout.md) and, beside it, docker's `manifest.json`, as
         docker itself has written both since version 25. Blobs stay as they are, so digests do too.
docker   what docker wrote before and podman writes by default: `manifest.json`, configurations, and
         layers that are not compressed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from runtime.errors import RuntimeFault
from runtime.image import layout
from runtime.image.archive.writer import ArchiveWriter, path
from runtime.image.closure import Closure
from runtime.image.layer.compression import HashingReader
from runtime.image.layer.decompression import decompressed
from runtime.image.manifest import FULL_NAME, INDEX, REF_NAME, Descriptor, Index, encode
from runtime.image.reference import Reference, is_repository
from runtime.image.seam import corrupt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runtime.image.digest import Digest
    from runtime.image.image import Image
    from runtime.image.layer.compression import Writable
    from runtime.image.store import Store

FORMATS = ("oci", "docker")
Named = tuple[Descriptor, Reference | None]


def save(store: Store, images: Sequence[str], sink: Writable, *, form: str = "oci") -> None:
    """Write images, each by a name or digits of its digest, as a plain tar; `form` is one of FORMATS.

    A name without a tag stands for all tags of that repository.

    Memory does not grow with the images. Raises `OSError` for what the sink refuses.
    """
    with store.reading():
        found = [each for text in images for each in _find(store, text)]
        writer = ArchiveWriter(store, sink)
        if form == "docker":
            _docker(store, writer, found)
        else:
            _listed(store, writer, found)
            oci(store, writer, [_entry(descriptor, name) for descriptor, name in found])
        writer.finish()


def oci(store: Store, writer: ArchiveWriter, entries: Iterable[Descriptor]) -> None:
    """Write a layout with these entries. Of an image for many platforms, what is in the store."""
    entries = tuple(entries)
    index = Index(schema_version=2, media_type=INDEX, manifests=entries)
    writer.document(layout.NAME, layout.CONTENT)
    writer.document("index.json", encode(index))
    closure = Closure(store.document, store.blobs.__contains__)
    for entry in entries:
        for one in closure.everything(entry):
            writer.blob(one.digest)


def named(descriptor: Descriptor, *, full: str, short: str) -> Descriptor:
    """Return an entry of an index under a name; `short` is for `org.opencontainers.image.ref.name`."""
    return Descriptor(
        media_type=descriptor.media_type,
        digest=descriptor.digest,
        size=descriptor.size,
        platform=descriptor.platform,
        annotations={FULL_NAME: full, REF_NAME: short} if full else {},
    )


def _find(store: Store, text: str) -> list[Named]:
    """Return an image with its name, or for a repository without a tag all that have one (docker's rule)."""
    try:
        name = Reference.parse(text)
    except RuntimeFault:  # digits alone may be no name
        return [(store.find(text), None)]
    known = store.tags.read()
    if is_repository(text):
        every: list[Named] = [
            (entry, each) for each, entry in known.items() if each.name == name.name and each.tag
        ]
        if every:
            return every
    descriptor, entry = store.find(text), known.get(name)
    return [(descriptor, name if entry is not None and entry.digest == descriptor.digest else None)]


def _entry(descriptor: Descriptor, name: Reference | None) -> Descriptor:
    # The whole name twice: podman takes it from ref.name, and so it writes it there.
    return named(descriptor, full=str(name or ""), short=str(name or ""))


def _listed(store: Store, writer: ArchiveWriter, found: Iterable[Named]) -> None:
    """Add docker's list of the images that run here: its older versions know no layout."""
    listed: dict[Digest, tuple[Image, list[str]]] = {}
    for descriptor, name in found:
        try:
            image = store.load(descriptor)
        except RuntimeFault as fault:
            if fault.kind != "host":  # an image for other machines alone
                raise
            continue
        _add_name(listed, image, name)
    entries = [
        _item(path(image.manifest.config.digest), [path(layer.digest) for layer in image.layers], names)
        for image, names in listed.values()
    ]
    writer.document("manifest.json", msgspec.json.encode(entries))


def _docker(store: Store, writer: ArchiveWriter, found: Iterable[Named]) -> None:
    listed: dict[Digest, tuple[Image, list[str]]] = {}
    for descriptor, name in found:
        _add_name(listed, store.load(descriptor), name)
    entries = [
        _item(_json(image.manifest.config.digest), [_tar(diff_id) for diff_id in image.diff_ids], names)
        for image, names in listed.values()
    ]
    writer.document("manifest.json", msgspec.json.encode(entries))
    for image, _ in listed.values():
        config = image.manifest.config.digest
        if _json(config) not in writer:
            writer.document(_json(config), store.document(config))
        for layer, diff_id in zip(image.layers, image.diff_ids, strict=True):
            _plain_layer(store, writer, layer.digest, diff_id)


def _plain_layer(store: Store, writer: ArchiveWriter, digest: Digest, diff_id: Digest) -> None:
    if _tar(diff_id) in writer:
        return
    # A tar's header comes first and tells the size, so the layer is unpacked twice rather than kept whole.
    size = _measure(store, digest, diff_id)
    with store.blobs.open(digest) as blob, decompressed(blob, name=f"blob {digest}") as plain:
        writer.stream(_tar(diff_id), size, plain)


def _measure(store: Store, digest: Digest, diff_id: Digest) -> int:
    with store.blobs.open(digest) as blob, decompressed(blob, name=f"blob {digest}") as plain:
        whole = HashingReader(plain)
        whole.drain()
    if whole.digest != diff_id:
        raise corrupt(f"blob {digest} is damaged: it holds the layer {whole.digest}, not {diff_id}")
    return whole.size


def _add_name(listed: dict[Digest, tuple[Image, list[str]]], image: Image, name: Reference | None) -> None:
    _, names = listed.setdefault(image.digest, (image, []))
    if name is not None and name.tag is not None:
        # Whole: docker makes a short one of it again, podman would put "localhost/" before a short one.
        names.append(f"{name.name}:{name.tag}")


def _item(config: str, layers: list[str], names: list[str]) -> dict[str, object]:
    return {"Config": config, "RepoTags": names or None, "Layers": layers}


def _json(digest: Digest) -> str:
    return f"{digest.hex}.json"


def _tar(diff_id: Digest) -> str:
    return f"{diff_id.hex}.tar"
