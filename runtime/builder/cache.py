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

from runtime.builder.chain import Layer
from runtime.image import disk
from runtime.image.digest import Digest
from runtime.image.manifest import LAYER_GZIP, Descriptor

if TYPE_CHECKING:
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
    """The entries of one store; `epoch` is the time that layers are clamped to, part of every key."""

    def __init__(self, store: Store, epoch: int | None) -> None:
        self._store, self._epoch = store, epoch
        self._root = store.root / "steps"

    def find(self, key: str) -> tuple[Layer | None] | None:
        """Return the layer as a tuple of one, in which None is "no change"; None if there is no entry."""
        try:
            entry = msgspec.json.decode((self._root / self._name(key)).read_bytes(), type=_Entry)
            layer = _layer(entry.layer) if entry.layer else None
        except (FileNotFoundError, msgspec.MsgspecError):
            return None  # one that is damaged is as good as none
        return (layer,) if layer is None or layer.descriptor.digest in self._store.blobs else None

    def keep(self, key: str, layer: Layer | None) -> None:
        """Write an entry. Hold `store.writing()`."""
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
