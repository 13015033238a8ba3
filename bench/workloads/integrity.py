"""What an image's files hold, and whether the store finds a changed byte: digests of content, not names."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile

from bench.targets.faults import translated
from runtime.container.scratch import scratch
from runtime.image.image import Image
from runtime.image.reference import Reference
from runtime.image.store import Store
from runtime.image.verify import tree_digest, verify


def trees(layers: Sequence[Path]) -> tuple[str, ...]:
    """Return a digest of everything in each unpacked layer: content, owners, modes, times, marks."""
    with translated():
        return tuple(str(tree_digest(layer)) for layer in layers)


def content(store: Path, reference: str) -> tuple[str, ...]:
    """Return the SHA-256 of each blob of an image as it is now: manifest, configuration, layers."""
    with translated():
        known = Store(store)
        return tuple(_hashed(path) for path in _blobs(known, known.resolve(reference)))


def names(store: Path, reference: str) -> tuple[str, ...]:
    """Return what the digests in the image's documents say that `content` has to be."""
    with translated():
        known = Store(store)
        return tuple(path.name for path in _blobs(known, known.resolve(reference)))


def finds(store: Path, reference: str) -> dict[str, bool]:
    """Return what a verification of a copy of the image finds, by what was changed in the copy.

    `nothing` is the copy as it is; in `blob` a byte of a layer's blob is another, in `document` one of the
    configuration, and in `unpacked` one of a file of an unpacked layer.
    """
    with translated(), _copied(Store(store), reference) as (copy, image):
        changes = {
            "blob": copy.blobs.path(image.layers[-1].digest),
            "document": copy.blobs.path(image.manifest.config.digest),
            "unpacked": _file(copy.layer_paths(image)),
        }
        found = {"nothing": bool(verify(copy))}
        for name, path in changes.items():
            _flip(path)
            found[name] = bool(verify(copy))
            _flip(path)
    return found


@contextmanager
def _copied(store: Store, reference: str) -> Iterator[tuple[Store, Image]]:
    image = store.resolve(reference)
    with scratch(store.root.parent) as place:
        copy = Store(place / "images")
        with copy.writing():
            for source in _blobs(store, image):
                copyfile(source, copy.blobs.path(image.digest).with_name(source.name))
            copy.tags.set(Reference.parse("tare/copy:1"), store.find(reference))
        copy.layer_paths(image)
        yield copy, image


def _blobs(store: Store, image: Image) -> list[Path]:
    digests = (image.digest, image.manifest.config.digest, *(layer.digest for layer in image.layers))
    return [store.blobs.path(digest) for digest in digests]


def _hashed(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _file(layers: Sequence[Path]) -> Path:
    """Return a file with something in it, of the topmost layer that has one."""
    for layer in reversed(layers):
        for folder, _, files in os.walk(layer):
            for name in sorted(files):
                path = Path(folder, name)
                if path.is_file() and not path.is_symlink() and path.stat().st_size:
                    return path
    raise AssertionError("an image without a file can't be the workload's")


def _flip(path: Path) -> None:
    """Change the last byte of a file and nothing else: neither its size nor its times."""
    status = path.stat()
    with path.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        last = stream.read(1)[0]
        stream.seek(-1, os.SEEK_END)
        stream.write(bytes([last ^ 1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
