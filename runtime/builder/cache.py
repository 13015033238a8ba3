"""What earlier builds made: for a step's key the layer that it gave, or that it changed nothing.

The key is over the operation and the contents that it works on, layer by layer: a step above one that was
made anew is found again if that one came out the same, and not if it didn't. A file for each key below the
store, written whole or not at all. An entry whose blob was pruned is no hit.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime  # noqa: TC003 - msgspec reads the annotation
from typing import TYPE_CHECKING

import msgspec

from runtime.builder import transfer
from runtime.builder.chain import Layer
from runtime.errors import RuntimeFault
from runtime.image import disk
from runtime.image.digest import Digest
from runtime.image.manifest import LAYER_GZIP, Descriptor

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.builder.chain import Chain
    from runtime.image.store import Store


class _Kept(msgspec.Struct, frozen=True):
    digest: str
    size: int
    diff_id: str
    created: datetime


class _Entry(msgspec.Struct, frozen=True):
    layer: _Kept | None = None


class Cache:
    """The entries of one store; `epoch` is the time that layers are clamped to, part of every key.

    `sources` are directories of `transfer`, asked where the store has nothing. `used` is what a build found
    or made.
    """

    def __init__(self, store: Store, epoch: int | None, sources: tuple[Path, ...] = ()) -> None:
        self._store, self._epoch = store, epoch
        self._root = store.root / "steps"
        self._sources = [(path, transfer.read(path)) for path in sources]
        self.used: dict[str, Layer | None] = {}

    def find(self, key: str) -> tuple[Layer | None] | None:
        """Return the layer as a tuple of one, in which None is "no change"; None if there is no entry."""
        found = self.read(self._root / self._name(key))
        if found is None or (found[0] and found[0].descriptor.digest not in self._store.blobs):
            found = self._imported(key)
        if found:
            self.used[self._name(key)] = found[0]
        return found

    def file(self, name: str) -> Path:
        """Return the file of an entry of `used`."""
        return self._root / name

    def is_current(self) -> bool:
        """Say whether entries still say what was used of them: another build may have made one anew."""
        return all(self.read(self.file(name)) == (layer,) for name, layer in self.used.items())

    def _imported(self, key: str) -> tuple[Layer | None] | None:
        for path, entries in self._sources:
            if self._name(key) in entries:
                layer = entries[self._name(key)]
                if layer:
                    transfer.fetch(path, layer, self._store)
                self.keep(key, layer)
                return (layer,)
        return None

    @staticmethod
    def read(path: Path) -> tuple[Layer | None] | None:
        """Read an entry's file, whether its blob is there or not."""
        try:
            entry = msgspec.json.decode(path.read_bytes(), type=_Entry)
            return (_layer(entry.layer) if entry.layer else None,)
        except (FileNotFoundError, msgspec.MsgspecError, RuntimeFault):
            return None  # one that is damaged is as good as none

    def keep(self, key: str, layer: Layer | None) -> None:
        """Write an entry. Hold `store.writing()`."""
        self.used[self._name(key)] = layer
        kept = None
        if layer:
            kept = _Kept(
                str(layer.descriptor.digest), layer.descriptor.size, str(layer.diff_id), layer.created
            )
        self._root.mkdir(mode=0o700, exist_ok=True)
        content = msgspec.json.encode(_Entry(kept))
        disk.replace(self._root / self._name(key), content, scratch=self._store.scratch)

    def _name(self, key: str) -> str:
        return key if self._epoch is None else hashlib.sha256(f"{key} {self._epoch}".encode()).hexdigest()


def key(own: str, inputs: list[Chain]) -> str:
    """Return the key of an operation, given by its digest, on the roots that it works on."""
    contents = [[str(layer.diff_id) for layer in chain] for chain in inputs]
    return hashlib.sha256(json.dumps([own, contents]).encode()).hexdigest()


def _layer(kept: _Kept) -> Layer:
    descriptor = Descriptor(media_type=LAYER_GZIP, digest=Digest(kept.digest), size=kept.size)
    return Layer(descriptor, Digest(kept.diff_id), kept.created)
