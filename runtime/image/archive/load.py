"""Read an archive of images into the store: of OCI or of docker, plain or compressed, from a file or a pipe.

All of it is put aside first and checked, and only then gets into the store and gets its names. Memory does
not grow with the archive; the disk must have room for it twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.errors import RuntimeFault
from runtime.image import disk
from runtime.image.archive import from_docker, from_oci
from runtime.image.archive.spool import Spool, broken
from runtime.image.layer.decompression import decompressed

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.image.digest import Digest
    from runtime.image.layer.compression import Readable
    from runtime.image.manifest import Descriptor
    from runtime.image.reference import Reference
    from runtime.image.store import Store


@dataclass(frozen=True, slots=True)
class Loaded:
    """An image that came in, and the names it got."""

    digest: Digest
    names: tuple[Reference, ...]


def load(
    store: Store,
    stream: Readable,
    *,
    what: str = "the archive",
    progress: Callable[[str], None] | None = None,
) -> list[Loaded]:
    """Store and name all images of an archive; `progress` hears a line for each layer.

    What is damaged, contradicts itself, or leads out of the archive is a fault of kind `corrupt` that begins
    with `what`, and then nothing gets a name.
    """
    with store.writing(), disk.scratch_directory(store.scratch) as place:
        try:
            spool = Spool(place, what)
            with decompressed(stream, name=what) as plain:
                spool.fill(plain)
            found = _images(store, spool, progress or (lambda _: None))
        except RuntimeFault as fault:
            if fault.kind == "corrupt":  # it is the archive then, and no repair of the store would help
                raise broken(str(fault)) from fault
            raise
        for descriptor, names in found:
            for name in names:
                store.tags.set(name, descriptor)
        return [Loaded(descriptor.digest, names) for descriptor, names in found]


def _images(
    store: Store, spool: Spool, progress: Callable[[str], None]
) -> list[tuple[Descriptor, tuple[Reference, ...]]]:
    if "index.json" in spool:
        return from_oci.take(store, spool, progress)
    if "manifest.json" in spool:
        return from_docker.take(store, spool, progress)
    raise broken(f"{spool.what} is no archive of images: it has neither index.json nor manifest.json")
