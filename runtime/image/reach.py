"""What is needed: content that a name leads to, and directories that a living process has mounted."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runtime.image.closure import Closure
from runtime.image.digest import Digest
from runtime.image.image import Image
from runtime.image.manifest import CONFIG_TYPES, INDEX_TYPES
from runtime.image.store import Store


@dataclass(frozen=True, slots=True)
class Reachable:
    """What the store's names lead to."""

    blobs: frozenset[Digest]
    images: tuple[Image, ...]

    @property
    def layers(self) -> frozenset[str]:
        """The names of the needed directories below `layers`."""
        return frozenset(diff_id.hex for image in self.images for diff_id in image.diff_ids)

    @property
    def checkouts(self) -> frozenset[str]:
        """The names of the needed directories below `checkouts`."""
        return frozenset(image.chain_id.hex for image in self.images)


def reachable(store: Store) -> Reachable:
    """Follow every entry of the index; a damaged document is a fault of kind `corrupt`."""
    blobs: set[Digest] = set()
    images: list[Image] = []
    closure = Closure(store.document, store.blobs.__contains__)
    for descriptor in store.tags.descriptors():
        for entry in closure.manifests(descriptor):
            blobs.add(entry.digest)
            if entry.media_type not in INDEX_TYPES:
                manifest = store.manifest(entry)
                blobs |= {part.digest for part in (manifest.config, *manifest.layers)}
                if manifest.config.media_type in CONFIG_TYPES:
                    images.append(store.load(entry))
    return Reachable(frozenset(blobs), tuple(images))


def in_use(directory: Path) -> frozenset[str]:
    """Return the names below `directory` that a process has mounted, or has for its root.

    Mounts live in other processes' namespaces, so every process is asked: proc_pid_mountinfo(5) shows an
    overlay's lower directories among the mount's options.
    """
    prefix = f"{directory.resolve()}/"
    texts = [text for process in Path("/proc").glob("[0-9]*") for text in _places(process)]
    return frozenset(tail.partition("/")[0][:_HEX] for text in set(texts) for tail in text.split(prefix)[1:])


_HEX = 64  # a name is the digits of a sha256; a mount option goes on with `:` or `,`


def _places(process: Path) -> Iterator[str]:
    try:
        yield (process / "mountinfo").read_text(errors="surrogateescape")
        yield f"{(process / 'root').readlink()}/"
        yield f"{(process / 'cwd').readlink()}/"
    except OSError:
        return  # it has ended, or is not ours to look at
