"""A Debian of some 250 MB, as an image of one layer and the same tree as one of eight.

Made once, with apt, in a data root that stays: it takes a minute and a Debian mirror.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import RuntimeFault
from runtime.image import Store, bootstrap, from_tree
from runtime.image.layer.entry import TarWriter
from runtime.image.layer.pack import pack
from runtime.image.manifest import ConfigDocument, RootFS, RunConfig
from runtime.image.platform import host_platform
from tests.peers.peer import Missing

if TYPE_CHECKING:
    from runtime.image import Image
    from runtime.image.layer.compression import Writable

ONE, EIGHT = "peers/one:1", "peers/eight:1"
PARTS = 8
_WHOLE = "peers/whole:1"
_RECIPE = """
FROM debian:bookworm
RUN apt-get update && apt-get install -y --no-install-recommends \
    systemd python3-minimal perl git ca-certificates curl \
    && apt-get clean && rm -rf /var/lib/apt/lists/*
"""
_LEAST = 200_000_000  # bytes of files


@dataclass(frozen=True)
class Debian:
    """The store that holds both images, and the sum of their files' sizes in bytes."""

    store: Store
    size: int

    def facts(self) -> dict[str, object]:
        """Return what a figure about the images has to be read with."""
        layers = {name: [layer.size for layer in self.store.resolve(name).layers] for name in (ONE, EIGHT)}
        return {"files_bytes": self.size, "compressed_layer_bytes": layers}


def images(root: Path) -> Debian:
    """Return the images below `root`, made where missing; Missing says why they can't be."""
    store = Store(root / "images")
    whole = _found(store, _WHOLE) or _made(root, store)
    tree = store.checkout(whole)
    size = sum(path.lstat().st_size for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    if size < _LEAST:
        raise Missing(f"{_WHOLE} has only {size} bytes in files")
    if not _found(store, ONE):
        from_tree(store, tree, ONE, created_by="tests.peers.debian")
    if not _found(store, EIGHT):
        _split(store, tree, size)
    return Debian(store, size)


def _found(store: Store, name: str) -> Image | None:
    try:
        return store.resolve(name)
    except RuntimeFault:
        return None


def _made(root: Path, store: Store) -> Image:
    try:
        bootstrap(store, "debian:bookworm", lambda _: None)
    except RuntimeFault as err:
        raise Missing(f"no Debian: {err}") from err
    words = [sys.executable, "-m", "tests.registry.tare", "--root", str(root), "image", "build"]
    done = subprocess.run([*words, "-q", "-t", _WHOLE, "-"], check=False, input=_RECIPE, capture_output=True,
                          text=True, timeout=600)  # fmt: skip
    if done.returncode:
        raise Missing(f"no Debian: {done.stderr.strip()[-300:]}")
    return store.resolve(_WHOLE)


def _split(store: Store, tree: Path, size: int) -> None:
    """Store `tree` in layers of about the same size, cut in the order of the names."""
    with tempfile.TemporaryDirectory(dir=store.root) as place:
        whole = Path(place, "tar")
        with whole.open("wb") as file:
            pack(tree, file)
        with store.writing(), tarfile.open(whole, "r:") as archive:
            parts = _parts(archive, size)
            layers = [store.add_layer(lambda sink, part=part: _write(archive, part, sink)) for part in parts]
    platform = host_platform()
    document = ConfigDocument(
        architecture=platform.architecture,
        os=platform.os,
        config=RunConfig(cmd=("/bin/true",)),
        rootfs=RootFS(diff_ids=tuple(diff_id for _, diff_id in layers)),
    )
    store.add_image(document, tuple(descriptor for descriptor, _ in layers), EIGHT)


def _parts(archive: tarfile.TarFile, size: int) -> list[list[tarfile.TarInfo]]:
    """Deal the members out; a hard link goes where its target is."""
    parts: list[list[tarfile.TarInfo]] = [[] for _ in range(PARTS)]
    where: dict[str, int] = {}
    done = 0
    for member in archive:
        where[member.name] = (
            where[member.linkname] if member.islnk() else min(PARTS - 1, done * PARTS // size)
        )
        parts[where[member.name]].append(member)
        done += member.size
    return parts


def _write(archive: tarfile.TarFile, part: list[tarfile.TarInfo], sink: Writable) -> None:
    writer, there = TarWriter(sink), set[str]()
    for member in part:
        for parent in reversed(Path(member.name).parents[:-1]):
            if str(parent) not in there:
                there.add(str(parent))
                writer.add(archive.getmember(str(parent)))
        there.add(member.name)
        writer.add(member, archive.extractfile(member) if member.isreg() else None)
    writer.finish()


def available(program: str) -> str:
    """Return the path of a program, or raise Missing."""
    path = shutil.which(program)
    if not path:
        raise Missing(f"{program} is not installed")
    return path
