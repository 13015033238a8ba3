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
from runtime.image.catalogue import Catalogue, unknown
from runtime.image.checkout import flatten
from runtime.image.digest import Digest
from runtime.image.image import Image
from runtime.image.layer.compression import GzipWriter, HashingWriter, Readable, Writable
from runtime.image.layer.extract import extract_blob, extract_stream
from runtime.image.locks import locked, try_locked
from runtime.image.manifest import (
    CONFIG,
    LAYER_GZIP,
    MANIFEST,
    ConfigDocument,
    Descriptor,
    Manifest,
    encode,
)
from runtime.image.partial import Partials
from runtime.image.reference import Reference
from runtime.image.seam import storage


class Store(Catalogue):
    """The images below `root`, which is made on the first write. Needs no closing."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.partials = Partials(root / "partial", self.blobs)
        self.layers = root / f"layers{owners.suffix()}"
        self.checkouts = root / f"checkouts{owners.suffix()}"

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
                raise unknown(reference, self.tags.read())
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
                    extract_blob(self.blobs, layer, diff_id, tree)
                else:
                    extract_stream(source, layer, diff_id, tree)

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
