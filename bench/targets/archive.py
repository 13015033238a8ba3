"""An image of the store as the archive that `docker load` and `podman load` read, its blobs as they are.

The engine then knows it by the digest of its configuration, the same as Tare does, and keeps its layers.
Source: moby, image/spec/v1.2.md ("Combined Image JSON + Filesystem Changeset Format").
"""

import io
import json
import tarfile
from pathlib import Path

from runtime.image.digest import Digest
from runtime.image.image import Image
from runtime.image.store import Store


def write(store: Store, image: Image, reference: str, file: Path) -> None:
    """Write `image` to `file` under the name `reference`."""
    config = image.manifest.config.digest
    names = [f"{layer.digest.hex}/layer.tar" for layer in image.layers]
    listed = [{"Config": f"{config.hex}.json", "RepoTags": [reference], "Layers": names}]
    with tarfile.open(file, "w") as archive:
        _add(archive, "manifest.json", json.dumps(listed).encode())
        _add(archive, f"{config.hex}.json", store.blobs.read(config))
        for name, layer in zip(names, image.layers, strict=True):
            _copy(archive, name, store, layer.digest)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _copy(archive: tarfile.TarFile, name: str, store: Store, digest: Digest) -> None:
    member = tarfile.TarInfo(name)
    member.size = store.blobs.path(digest).stat().st_size
    with store.blobs.open(digest) as blob:
        archive.addfile(member, blob)
