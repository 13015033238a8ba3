"""Give back the space of what no name leads to."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from runtime.image import disk, layout
from runtime.image.locks import locked
from runtime.image.reach import in_use, reachable
from runtime.image.seam import storage
from runtime.image.store import Store


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed; `bytes` is the disk space gained, `kept` what is unneeded but still mounted."""

    blobs: int = 0
    directories: int = 0
    bytes: int = 0
    kept: tuple[Path, ...] = ()


def prune(
    store: Store, *, cache: bool = False, held: Callable[[], frozenset[str]] = frozenset[str]
) -> Pruned:
    """Remove unreferenced blobs, layers and checkouts, and what dead processes and broken pulls left.

    `cache` removes the unpacked layers and checkouts of named images too; they are made again when needed.
    `held` tells which layers stay nevertheless, for containers that do not run have none mounted; it is
    asked under the store's lock, so a container that is made under it too is not missed.
    Waits for processes that are writing. A damaged image is a fault of kind `corrupt`: what it needs is
    unknown, so nothing is removed.
    """
    if not store.root.exists():
        return Pruned()
    with storage("prune the image store", store.root):
        layout.check(store.root)
        store.scratch.mkdir(mode=0o700, exist_ok=True)
        with locked(store.root / ".lock", exclusive=True):
            needed = reachable(store)
            store.clear_scratch()
            halves = store.partials.clear()
            unneeded = [digest for digest in store.blobs if digest not in needed.blobs]
            freed = sum(store.blobs.remove(digest) for digest in unneeded)
            layers = _sweep(store.layers, held() | (frozenset() if cache else needed.layers))
            checkouts = _sweep(store.checkouts, () if cache else needed.checkouts)
    return Pruned(
        blobs=len(unneeded),
        directories=layers.directories + checkouts.directories,
        bytes=freed + halves + layers.bytes + checkouts.bytes,
        kept=layers.kept + checkouts.kept,
    )


def _sweep(directory: Path, needed: Iterable[str]) -> Pruned:
    if not directory.exists():
        return Pruned()
    unneeded = sorted(path for path in directory.iterdir() if path.name not in needed)
    # Removing a mounted overlay's lower directory is undefined behaviour: overlayfs.rst, "Changes to
    # underlying filesystems".
    used = in_use(directory) if unneeded else frozenset()
    gone = [path for path in unneeded if path.name not in used]
    size = sum(map(disk.size_on_disk, gone))
    for path in gone:
        disk.remove_tree(path)
    kept = tuple(path for path in unneeded if path.name in used)
    return Pruned(directories=len(gone), bytes=size, kept=kept)
