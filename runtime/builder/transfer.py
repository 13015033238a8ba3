"""The build cache in a directory, to take it to another machine: `--cache-to` and `--cache-from`.

An OCI image layout (image-layout.md) with one manifest: its layers are those of the steps, its configuration
says which step gave which. Digests are checked on the way in; that a layer is what a step gives is believed,
so take a cache only from where you would take an image.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotation
from typing import TYPE_CHECKING

import msgspec

from runtime.builder.chain import Layer
from runtime.image import disk, layout
from runtime.image.blobs import Blobs
from runtime.image.digest import Digest
from runtime.image.manifest import INDEX, MANIFEST, Descriptor, Index, Manifest, decode, encode
from runtime.image.seam import corrupt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runtime.image.store import Store

_STEPS = "application/vnd.tare.build-cache.v1+json"
_CHUNK = 1 << 18


class _Step(msgspec.Struct, frozen=True):
    key: str
    diff_id: str = ""  # empty: the step changed nothing
    layer: int = 0  # of the manifest
    created: datetime | None = None


class _Steps(msgspec.Struct, frozen=True):
    steps: tuple[_Step, ...]


def write(directory: Path, entries: Mapping[str, Layer | None], store: Store) -> None:
    """Put entries and their layers into a directory, whose earlier entries are forgotten. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    blobs, layers = Blobs(directory / "blobs", directory), list[Descriptor]()
    steps = []
    for key, layer in sorted(entries.items()):
        if layer is None:
            steps.append(_Step(key))
            continue
        steps.append(_Step(key, str(layer.diff_id), len(layers), layer.created))
        layers.append(layer.descriptor)
        if layer.descriptor.digest not in blobs:
            _copy(layer.descriptor, store.blobs, blobs)
    config = blobs.write(msgspec.json.encode(_Steps(tuple(steps))), _STEPS)
    manifest = Manifest(schema_version=2, media_type=MANIFEST, config=config, layers=tuple(layers))
    listed = blobs.write(encode(manifest), MANIFEST)
    index = Index(schema_version=2, media_type=INDEX, manifests=(listed,))
    disk.replace(directory / layout.NAME, layout.CONTENT, scratch=directory)
    disk.replace(directory / "index.json", encode(index), scratch=directory)


def read(directory: Path) -> dict[str, Layer | None]:
    """Return a directory's entries, none if there is no such directory; damage is a `corrupt` fault."""
    path = directory / "index.json"
    if not path.exists():
        return {}
    layout.check(directory)
    blobs = Blobs(directory / "blobs", directory)
    index = decode(path.read_bytes(), Index, name=str(path), hint=_HINT)
    manifests = [each for each in index.manifests if each.media_type == MANIFEST]
    if len(manifests) != 1:
        raise corrupt(f"{directory} is no build cache: it lists {len(manifests)} images", hint=_HINT)
    manifest = decode(blobs.read(manifests[0].digest), Manifest, name=str(directory), hint=_HINT)
    if manifest.config.media_type != _STEPS:
        raise corrupt(f"{directory} holds an image and no build cache", hint=_HINT)
    try:
        steps = msgspec.json.decode(blobs.read(manifest.config.digest), type=_Steps)
    except msgspec.MsgspecError as err:
        raise corrupt(f"{directory}: {err}", hint=_HINT) from err
    return {step.key: _layer(step, manifest, directory) for step in steps.steps}


_HINT = "remove it, and let --cache-to write it again"


def fetch(directory: Path, layer: Layer, store: Store) -> None:
    """Copy a layer's blob into the store; one that is not what it is said to be is a `corrupt` fault."""
    if layer.descriptor.digest not in store.blobs:
        _copy(layer.descriptor, Blobs(directory / "blobs", directory), store.blobs)


def _layer(step: _Step, manifest: Manifest, directory: Path) -> Layer | None:
    if not step.diff_id:
        return None
    if not 0 <= step.layer < len(manifest.layers) or step.created is None:
        raise corrupt(f"{directory}: a step's layer is missing", hint=_HINT)
    return Layer(manifest.layers[step.layer], Digest(step.diff_id), step.created)


def _copy(descriptor: Descriptor, source: Blobs, target: Blobs) -> None:
    with source.open(descriptor.digest) as blob, target.writing() as sink:
        while chunk := blob.read(_CHUNK):
            sink.write(chunk)
        if (sink.digest, sink.size) != (descriptor.digest, descriptor.size):
            raise corrupt(f"{blob.name} is damaged: its content has the digest {sink.digest}", hint=_HINT)
