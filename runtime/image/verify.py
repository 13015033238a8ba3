"""Look at everything in the store and say what is damaged."""

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from runtime.errors import RuntimeFault
from runtime.image import disk, layout
from runtime.image.checkout import flatten
from runtime.image.digest import Digest
from runtime.image.image import Image
from runtime.image.layer import content
from runtime.image.layer.extract import extract_blob
from runtime.image.layer.pack import members
from runtime.image.locks import locked
from runtime.image.reference import Reference
from runtime.image.seam import storage
from runtime.image.store import Store


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One damaged thing: what is wrong with it, and what repairs it."""

    what: str
    remedy: str


def verify(store: Store) -> list[Problem]:
    """Hash every blob, follow every name and compare what was unpacked with a fresh copy.

    Reads everything, so it takes seconds for each GiB. Changes nothing. An empty list means a sound store.
    """
    if not store.root.exists():
        return []
    with storage("verify the image store", store.root):
        store.scratch.mkdir(mode=0o700, exist_ok=True)
        with locked(store.root / ".lock", exclusive=False):
            return list(_problems(store))


def _problems(store: Store) -> Iterator[Problem]:
    yield from _layout(store)
    damaged = list(_blobs(store))
    yield from damaged
    images: dict[Digest, Image] = {}
    try:
        named = store.tags.read()
    except RuntimeFault as fault:
        yield Problem(str(fault), fault.hint)
        return
    for reference, descriptor in named.items():
        try:
            found = store.below(descriptor)
        except RuntimeFault as fault:
            yield _broken(reference, str(fault))
            continue
        for image in found:
            images[image.digest] = image
            yield from _missing(store, reference, image)
    if not damaged:
        yield from _unpacked(store, list(images.values()))


def _layout(store: Store) -> Iterator[Problem]:
    marker = store.root / layout.NAME
    try:
        layout.check(store.root)
    except RuntimeFault as fault:
        yield Problem(str(fault), fault.hint)
    if not marker.exists() and (store.root / "index.json").exists():
        yield Problem(f"{marker} is missing", "the next `tare image bootstrap` writes it again")


def _blobs(store: Store) -> Iterator[Problem]:
    for path in sorted((store.root / "blobs").glob("*/*")):
        remedy = f"remove {path}, then make or pull the image again"
        try:
            digest = Digest.parse(f"{path.parent.name}:{path.name}")
        except RuntimeFault:
            yield Problem(f"{path} is no blob", f"remove {path}")
            continue
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, digest.algorithm).hexdigest()
        if found != digest.hex:
            yield Problem(
                f"blob {digest} is damaged: its content has the digest {digest.algorithm}:{found}", remedy
            )


def _missing(store: Store, reference: Reference, image: Image) -> Iterator[Problem]:
    for layer in image.layers:
        if layer.digest not in store.blobs:
            yield _broken(reference, f"blob {layer.digest} is missing")
        elif (size := store.blobs.path(layer.digest).stat().st_size) != layer.size:
            yield _broken(reference, f"blob {layer.digest} has {size} bytes instead of {layer.size}")


def _broken(reference: Reference, why: str) -> Problem:
    name = reference.familiar
    return Problem(
        f"{name}: {why}", f"`tare image rm {name}`, `tare image prune`, then make or pull it again"
    )


def _unpacked(store: Store, images: list[Image]) -> Iterator[Problem]:
    layers = {
        diff_id.hex: (layer, diff_id)
        for image in images
        for layer, diff_id in zip(image.layers, image.diff_ids, strict=True)
    }
    for name, (layer, diff_id) in sorted(layers.items()):
        path = store.layers / name
        if path.exists():
            yield from _compare(store, path, partial(extract_blob, store.blobs, layer, diff_id))
    for image in images:
        path = store.checkouts / image.chain_id.hex
        sources = tuple(store.layers / diff_id.hex for diff_id in image.diff_ids)
        if path.exists() and all(source.exists() for source in sources):
            yield from _compare(store, path, partial(flatten, sources))


def _compare(store: Store, path: Path, make: Callable[[Path], None]) -> Iterator[Problem]:
    with disk.scratch_directory(store.scratch) as fresh:
        try:
            make(fresh)
        except RuntimeFault as fault:
            yield Problem(str(fault), "make or pull the image again")
            return
        if tree_digest(fresh) != tree_digest(path):
            yield Problem(
                f"{path} was changed after it was unpacked", f"remove {path}; it is made again when needed"
            )


def tree_digest(tree: Path) -> Digest:
    """Return a digest of all of a directory that a layer keeps, overlayfs's marks included.

    Holes count as zeros, and are not read.
    """
    found = hashlib.sha256()
    for member, path in members(tree):
        found.update(member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        if member.isreg() and member.size:
            _add_content(found, path, member.size)
    return Digest(f"sha256:{found.hexdigest()}")


def _add_content(found: "hashlib._Hash", path: Path, size: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for offset, data in content.nonzero(descriptor, size):
            found.update(b"%d:%d:" % (offset, len(data)))
            found.update(data)
    finally:
        os.close(descriptor)
