"""Manifests and indexes as they come from a registry: strictly one thing or the other."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runtime.errors import RuntimeFault
from runtime.image.digest import Digest
from runtime.image.manifest import (
    INDEX,
    INDEX_TYPES,
    MANIFEST,
    MANIFEST_TYPES,
    Descriptor,
    Index,
    Manifest,
    decode,
)
from runtime.registry import limits
from runtime.registry.faults import RegistryFault, broken, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

_CONFIG_TYPES = frozenset(
    {"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
)
_LAYER_HEADS = (
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar",
)
_LAYER_TAILS = ("", "+gzip", "+zstd", ".gzip", ".zstd")
_OLD = "application/vnd.docker.distribution.manifest.v1+"
ACCEPT = ", ".join(sorted(MANIFEST_TYPES | INDEX_TYPES))


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or an index, its exact bytes, and the descriptor that they have."""

    descriptor: Descriptor
    content: bytes
    parsed: Manifest | Index


def read(content: bytes, declared: str | None, name: str) -> Document:
    """Check and parse a document. `declared` is the media type that the server, or a descriptor, claims.

    Everything that two readers could understand in two ways is a fault of kind `corrupt` (CVE-2021-41190):
    keys twice, index and manifest at once, a media type that contradicts the declared one.
    """
    keys = _keys(content, name)
    kind = _media_type(keys, declared, name)
    descriptor = Descriptor(media_type=kind, digest=Digest.of(content), size=len(content))
    parsed: Manifest | Index
    if kind in INDEX_TYPES:
        parsed = decode(content, Index, name=name, hint=_HINT)
    else:
        parsed = decode(content, Manifest, name=name, hint=_HINT)
    if parsed.schema_version != 2:  # noqa: PLR2004 - the one that there is
        raise broken(f"{name} has the schema version {parsed.schema_version}")
    if isinstance(parsed, Manifest):
        _check_manifest(parsed, name)
    else:
        _check_descriptors(parsed.manifests, name)
    return Document(descriptor, content, parsed)


_HINT = "the registry sends a document that is none; try another registry or mirror"


def _keys(content: bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(content, object_pairs_hook=_once)
    except RecursionError as err:
        raise broken(f"{name} is nested too deep") from err
    except ValueError as err:
        raise broken(f"{name} is no valid JSON: {printable(str(err))}") from err
    if not isinstance(found, dict):
        raise broken(f"{name} is no JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    # Go's parser, which most others use, takes "Layers" for "layers" where we would not.
    if len({key.lower() for key in found}) != len(found):
        raise ValueError("two keys differ by upper and lower case alone")
    return found


def _media_type(keys: dict[str, Any], declared: str | None, name: str) -> str:
    if "manifests" in keys and keys.keys() & {"layers", "config", "fsLayers"}:
        raise broken(f"{name} is an index and a manifest at once")
    claimed = (declared or "").partition(";")[0].strip().lower()
    written = keys.get("mediaType")
    if claimed.startswith(_OLD) or keys.get("schemaVersion") == 1:
        raise RegistryFault(
            f"{name} is of docker's schema 1, which has been withdrawn",
            hint="push the image again with a newer program",
        )
    known = MANIFEST_TYPES | INDEX_TYPES
    if written is not None and not isinstance(written, str):
        raise broken(f"{name} has a media type that is no text")
    if written is not None and claimed in known and written != claimed:
        raise broken(f"{name} calls itself {printable(written)!r}, but comes as {claimed}")
    kind = written if written is not None else claimed if claimed in known else _shape(keys)
    if kind not in known:
        raise broken(f"{name} is no image: its media type is {printable(str(kind))!r}")
    if (kind in INDEX_TYPES) != ("manifests" in keys):
        raise broken(f"{name} calls itself {kind}, but has the content of another kind")
    return str(kind)


def _shape(keys: dict[str, Any]) -> str:
    return INDEX if "manifests" in keys else MANIFEST if "layers" in keys else "unknown"


def _check_manifest(manifest: Manifest, name: str) -> None:
    if len(manifest.layers) > limits.LAYERS:
        raise broken(f"{name} has {len(manifest.layers)} layers, more than {limits.LAYERS}")
    if manifest.config.media_type not in _CONFIG_TYPES:
        raise RegistryFault(
            f"{name} is no container image, but an artifact: {printable(manifest.config.media_type)!r}",
            hint="fetch it with the program that it is for",
        )
    if manifest.config.size > limits.DOCUMENT:
        raise broken(f"{name} has a configuration of {manifest.config.size} bytes")
    _check_descriptors((manifest.config, *manifest.layers), name)
    for layer in manifest.layers:
        if not _is_layer(layer.media_type):
            raise RegistryFault(
                f"{name} has a layer of an unknown kind: {printable(layer.media_type)!r}",
                hint="known are tar, alone or with gzip or zstd",
            )
        if layer.urls:
            raise RegistryFault(
                f"{name} has a layer that is kept elsewhere: {printable(layer.urls[0])!r}",
                hint="such layers are not fetched, since a manifest must not choose which host we call",
            )


def _check_descriptors(descriptors: Iterable[Descriptor], name: str) -> None:
    for one in descriptors:
        if one.size < 0:
            raise broken(f"{name} names a size of {one.size} bytes")
        if one.digest.algorithm != "sha256":
            raise RuntimeFault(
                f"{name} names content by {one.digest.algorithm}; the image store has sha256 only",
                hint="push the image again with sha256 digests",
            )


def _is_layer(media_type: str) -> bool:
    return any(media_type == head + tail for head in _LAYER_HEADS for tail in _LAYER_TAILS) or (
        media_type == "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    )
