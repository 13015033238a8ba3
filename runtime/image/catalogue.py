"""What is in an image store: names resolved to images, and their documents read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import RuntimeFault
from runtime.image import layout
from runtime.image.blobs import Blobs
from runtime.image.closure import DEPTH, DOCUMENT, Closure
from runtime.image.digest import Digest
from runtime.image.image import Image
from runtime.image.locks import locked
from runtime.image.manifest import (
    CONFIG_TYPES,
    INDEX_TYPES,
    MANIFEST,
    MANIFEST_TYPES,
    ConfigDocument,
    Descriptor,
    Index,
    Manifest,
    decode,
    encode,
)
from runtime.image.platform import host_platform
from runtime.image.reference import Reference
from runtime.image.seam import corrupt, storage
from runtime.image.tags import Tags

_HEX_ID = 64
_SHORTEST_ID = 7


class Catalogue:
    """The images below `root`, as they are to be read: nothing here writes content or names."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.scratch = root / "tmp"
        self.blobs = Blobs(root / "blobs", self.scratch)
        self.tags = Tags(root / "index.json", lock=root / ".index.lock", scratch=self.scratch)

    def resolve(self, ref: str | Reference) -> Image:
        """Return the image of a name, a digest or the first digits of one.

        A fault of kind `missing` lists the known images; one of kind `corrupt` names the damaged blob.
        """
        with storage("read the image store", self.root):
            return self.load(self.find(ref))

    def find(self, ref: str | Reference) -> Descriptor:
        """Return the descriptor of the manifest (or index) that a name or digest stands for."""
        layout.check(self.root)
        known = self.tags.read()
        if isinstance(ref, str) and (found := _by_digits(ref, known)) is not None:
            return found
        reference = Reference.parse(ref) if isinstance(ref, str) else ref
        if (named := _by_name(reference, known)) is not None:
            return named
        if isinstance(ref, str) and (found := self._unnamed(ref)) is not None:
            return found
        raise unknown(reference, known)

    def entry(self, ref: str) -> bytes | None:
        """Return what `index.json` holds of a name: as long as it does, the name stands for the same.

        None for what a name does not lead to, but digits of its digest, which others may come to share.
        """
        known = self.tags.read()
        if _by_digits(ref, known) is not None:
            return None
        found = _by_name(Reference.parse(ref), known)
        return encode(found) if found is not None else None

    def _unnamed(self, text: str) -> Descriptor | None:
        """Return the image of a whole digest that no name leads to, such as one built without a name."""
        digits = text.removeprefix("sha256:")
        if len(digits) != _HEX_ID or not set(digits) <= set("0123456789abcdef"):
            return None
        digest = Digest(f"sha256:{digits}")
        if digest not in self.blobs or self.blobs.path(digest).stat().st_size > DOCUMENT:
            return None
        content = self.blobs.read(digest)
        try:
            manifest = decode(content, Manifest, name=f"blob {digest}")
        except RuntimeFault:  # a layer, or a configuration
            return None
        return Descriptor(media_type=manifest.media_type or MANIFEST, digest=digest, size=len(content))

    def images(self) -> list[tuple[Reference, Image]]:
        """Return every named image, sorted by name."""
        with storage("read the image store", self.root):
            layout.check(self.root)
            return [(name, self._any(descriptor)) for name, descriptor in self.tags.read().items()]

    def _any(self, descriptor: Descriptor) -> Image:
        """Read the image for this host, or the first one that is there."""
        try:
            return self.load(descriptor)
        except RuntimeFault as fault:
            if fault.kind != "host":
                raise
            found = self.below(descriptor)
            if not found:
                raise
            return found[0]

    def below(self, descriptor: Descriptor) -> list[Image]:
        """Read all images of a manifest or index that are there, and leave out attestations and the like."""
        closure = Closure(self.document, self.blobs.__contains__)
        entries = [one for one in closure.manifests(descriptor) if one.media_type not in INDEX_TYPES]
        return [self.load(one) for one in entries if self.manifest(one).config.media_type in CONFIG_TYPES]

    def manifest(self, descriptor: Descriptor) -> Manifest:
        """Read a manifest."""
        name = f"blob {descriptor.digest}"
        content = self.document(descriptor.digest)
        if descriptor.media_type not in MANIFEST_TYPES:
            raise corrupt(f"{name} is no image: its media type is {descriptor.media_type}")
        return decode(content, Manifest, name=name)

    def document(self, digest: Digest) -> bytes:
        """Return a stored index, manifest or configuration; a blob too large for one is a `corrupt` fault."""
        return self.blobs.read(digest, most=DOCUMENT)

    def load(self, descriptor: Descriptor, depth: int = 0) -> Image:
        """Read an image's documents; of an image for many platforms, the one for this host."""
        name = f"blob {descriptor.digest}"
        if descriptor.media_type in INDEX_TYPES:
            if depth > DEPTH:
                raise corrupt(f"{name} is an index inside an index, more than {DEPTH} deep")
            index = decode(self.document(descriptor.digest), Index, name=name)
            chosen = _choose(index, name)
            if chosen.digest not in self.blobs:
                raise _elsewhere(name)
            return self.load(chosen, depth + 1)
        manifest = self.manifest(descriptor)
        config = self.document(manifest.config.digest)
        document = decode(config, ConfigDocument, name=f"blob {manifest.config.digest}")
        if len(manifest.layers) != len(document.rootfs.diff_ids):
            raise corrupt(f"{name} lists {len(manifest.layers)} layers, its configuration another number")
        return Image(descriptor.digest, manifest, document)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold off `prune` while blobs are read that may lose their name meanwhile."""
        if not self.root.exists():
            yield
            return
        with locked(self.root / ".lock", exclusive=False):
            yield


def _by_name(reference: Reference, known: dict[Reference, Descriptor]) -> Descriptor | None:
    for name, descriptor in known.items():
        if name == reference or (reference.digest == descriptor.digest and name.name == reference.name):
            return descriptor
    return None


def _by_digits(text: str, known: dict[Reference, Descriptor]) -> Descriptor | None:
    digits = text.removeprefix("sha256:")
    if not (_SHORTEST_ID <= len(digits) <= _HEX_ID and set(digits) <= set("0123456789abcdef")):
        return None
    found = {entry.digest: entry for entry in known.values() if entry.digest.hex.startswith(digits)}
    return next(iter(found.values())) if len(found) == 1 else None


def _choose(index: Index, name: str) -> Descriptor:
    host = host_platform()
    for entry in index.manifests:
        if entry.platform and (entry.platform.os, entry.platform.architecture) == (
            host.os,
            host.architecture,
        ):
            return entry
    offered = ", ".join(f"{e.platform.os}/{e.platform.architecture}" for e in index.manifests if e.platform)
    raise RuntimeFault(
        f"{name} has no image for {host.os}/{host.architecture}, only for {offered or 'nothing'}",
        kind="host",
        hint="pick an image that is built for this machine",
    )


def _elsewhere(name: str) -> RuntimeFault:
    host = host_platform()
    return RuntimeFault(
        f"{name} is here for other machines, but not for {host.os}/{host.architecture}",
        kind="host",
        hint="pull the image again, without --platform",
    )


def unknown(reference: Reference, known: dict[Reference, Descriptor]) -> RuntimeFault:
    """Return the fault of kind `missing` for a name that none of the `known` ones is."""
    names = ", ".join(name.familiar for name in known)
    return RuntimeFault(
        f"no image named {reference.familiar}",
        kind="missing",
        hint=(f"known images: {names}; " if names else "there are no images yet; ")
        + "`tare image bootstrap busybox` makes a small one",
    )
