"""The image store: an OCI image layout on disk, and beside it what was unpacked from it.

    oci-layout  index.json  blobs/sha256/HEX     the layout that skopeo, umoci and podman read too
    layers/HEX/      each layer unpacked once, by diff id, shared by all images, for overlayfs
    checkouts/HEX/   a flattened tree of an image, by chain id
    layers-mapped, layers-own, checkouts-…      the same of ordinary users: see `owners`
    tmp/             unfinished work; whatever is here while nobody holds the lock is a dead process's

Any number of processes may use one store. Content appears whole or not at all (write, sync, rename), names
change under a lock, and a shared lock keeps `prune` from taking what somebody is just about to name.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import RuntimeFault
from runtime.image import disk, layout, owners
from runtime.image.blobs import Blobs
from runtime.image.checkout import flatten
from runtime.image.closure import DEPTH, DOCUMENT, Closure
from runtime.image.digest import Digest
from runtime.image.image import Image
from runtime.image.layer.ahead import ahead
from runtime.image.layer.compression import (
    CHUNK,
    GzipWriter,
    HashingReader,
    HashingWriter,
    Readable,
    Writable,
)
from runtime.image.layer.decompression import decompressed
from runtime.image.layer.unpack import unpack
from runtime.image.locks import locked, try_locked
from runtime.image.manifest import (
    CONFIG,
    CONFIG_TYPES,
    INDEX_TYPES,
    LAYER_GZIP,
    MANIFEST,
    MANIFEST_TYPES,
    ConfigDocument,
    Descriptor,
    Index,
    Manifest,
    decode,
    encode,
)
from runtime.image.partial import Partials
from runtime.image.platform import host_platform
from runtime.image.reference import Reference
from runtime.image.seam import corrupt, storage
from runtime.image.tags import Tags

_HEX_ID = 64
_SHORTEST_ID = 7


class Store:
    """The images below `root`, which is made on the first write. Needs no closing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.scratch = root / "tmp"
        self.blobs = Blobs(root / "blobs", self.scratch)
        self.partials = Partials(root / "partial", self.blobs)
        self.tags = Tags(root / "index.json", lock=root / ".index.lock", scratch=self.scratch)
        self.layers = root / f"layers{owners.suffix()}"
        self.checkouts = root / f"checkouts{owners.suffix()}"

    # Finding images

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
        raise _unknown(reference, known)

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

    # Writing

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold off `prune` while blobs are written and named, and clear up after processes that died."""
        with storage("write the image store", self.root):
            for directory in (self.root, self.scratch, self.layers, self.checkouts):
                directory.mkdir(0o700 if directory != self.root else 0o755, parents=True, exist_ok=True)
            layout.check(self.root)
            lock = self.root / ".lock"
            with try_locked(lock) as alone:
                if alone:
                    self.clear_scratch()
            with locked(lock, exclusive=False):
                if not (self.root / layout.NAME).exists():
                    self._create_layout()
                yield

    def add_layer(self, write: Callable[[Writable], object]) -> tuple[Descriptor, Digest]:
        """Store a layer: `write` is given a sink for the plain tar. Returns its descriptor and diff id."""
        with self.writing(), self.blobs.writing() as sink:
            gzip = GzipWriter(sink)
            plain = HashingWriter(gzip)
            write(plain)
            gzip.finish()
        return Descriptor(media_type=LAYER_GZIP, digest=sink.digest, size=sink.size), plain.digest

    def add_tar(self, stream: Readable) -> tuple[Descriptor, Digest]:
        """Store a layer from a plain tar stream."""

        def copy(sink: Writable) -> None:
            while chunk := stream.read(1 << 18):
                sink.write(chunk)

        return self.add_layer(copy)

    def add_image(
        self, document: ConfigDocument, layers: tuple[Descriptor, ...], ref: str | Reference | None
    ) -> Image:
        """Store an image's documents and give it a name; without one it is there until the next prune."""
        reference = Reference.parse(ref) if isinstance(ref, str) else ref
        with self.writing():
            config = self.blobs.write(encode(document), CONFIG)
            manifest = Manifest(schema_version=2, media_type=MANIFEST, config=config, layers=layers)
            stored = self.blobs.write(encode(manifest), MANIFEST)
            if reference is not None:
                self.tags.set(reference, stored)
        return Image(stored.digest, manifest, document)

    def tag(self, source: str | Reference, target: str | Reference) -> None:
        """Give an image another name."""
        reference = Reference.parse(target) if isinstance(target, str) else target
        if reference.digest is not None or reference.tag is None:
            raise RuntimeFault(
                f"{reference} can't be given as a name",
                kind="usage",
                hint="a new name ends in :TAG, not @DIGEST",
            )
        with self.writing():
            self.tags.set(reference, self.find(source))

    def remove(self, ref: str | Reference) -> Reference:
        """Forget a name; its content stays until `prune`. Works on a damaged image too."""
        reference = Reference.parse(ref) if isinstance(ref, str) else ref
        with self.writing():
            if not self.tags.remove(reference):
                raise _unknown(reference, self.tags.read())
        return reference

    # Unpacked content

    def layer_paths(self, image: Image) -> tuple[Path, ...]:
        """Return the unpacked layers, bottom first, as overlayfs's lower directories: never write there."""
        return tuple(map(self._layer, image.layers, image.diff_ids))

    def checkout(self, image: Image) -> Path:
        """Return the flattened tree of an image. It is shared and cached: treat it as read-only."""
        path = self.checkouts / image.chain_id.hex
        if not path.exists():
            layers = self.layer_paths(image)
            with self.writing(), self._one_at_a_time(path), disk.building(path, self.scratch) as tree:
                if not path.exists():
                    flatten(layers, tree)
        return path

    def _layer(self, layer: Descriptor, diff_id: Digest) -> Path:
        path = self.layers / diff_id.hex
        if not path.exists():
            self.unpack(layer, diff_id)
        return path

    def unpack(self, layer: Descriptor, diff_id: Digest, source: Readable | None = None) -> None:
        """Unpack a layer, once for all images: from its blob, or from `source` if that is still on its way.

        A `source` is not held to the blob's digest, but what it gives is to the diff id.
        """
        path = self.layers / diff_id.hex
        with self.writing(), self._one_at_a_time(path):
            if path.exists():
                return
            with disk.building(path, self.scratch) as tree:
                if source is None:
                    self.unpack_layer(layer, diff_id, tree)
                else:
                    _check(layer, diff_id, _extract(source, f"blob {layer.digest}", tree))

    def unpack_layer(self, layer: Descriptor, diff_id: Digest, tree: Path) -> None:
        """Extract a layer into an empty directory, checking both of its digests on the way."""
        with self.blobs.open(layer.digest) as blob:
            packed = HashingReader(blob)
            found = _extract(packed, f"blob {layer.digest}", tree)
            packed.drain()
        if packed.digest != layer.digest:
            raise corrupt(f"blob {layer.digest} is damaged: its content has the digest {packed.digest}")
        _check(layer, diff_id, found)

    @contextmanager
    def _one_at_a_time(self, path: Path) -> Iterator[None]:
        # Two processes that unpack the same layer would do the work twice; the second waits instead.
        with locked(self.scratch / f".{path.name}.lock", exclusive=True):
            yield

    def clear_scratch(self) -> None:
        """Remove what dead processes left; only for the sole holder of the lock."""
        for path in self.scratch.iterdir():
            disk.remove_tree(path)

    def _create_layout(self) -> None:
        self.blobs.path(Digest.of(b"")).parent.mkdir(parents=True, exist_ok=True)
        self.tags.create()
        disk.replace(self.root / layout.NAME, layout.CONTENT, scratch=self.scratch)


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


def _unknown(reference: Reference, known: dict[Reference, Descriptor]) -> RuntimeFault:
    names = ", ".join(name.familiar for name in known)
    return RuntimeFault(
        f"no image named {reference.familiar}",
        kind="missing",
        hint=(f"known images: {names}; " if names else "there are no images yet; ")
        + "`tare image bootstrap busybox` makes a small one",
    )
