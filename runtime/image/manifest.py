"""The JSON documents of an image: index, manifest and configuration.

Fields and media types are those of the OCI image-spec v1.1; docker's v2 schema 2 types are accepted on the
way in. Fields that we do not know are ignored, a wrong type or a missing field is a corrupt document.
"""

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from runtime.errors import RuntimeFault
from runtime.image.digest import Digest

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = f"{LAYER}+gzip"
REF_NAME = "org.opencontainers.image.ref.name"
FULL_NAME = "io.containerd.image.name"  # of which a ref.name may be the tag alone

_DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEX_TYPES = frozenset({INDEX, _DOCKER_LIST})
MANIFEST_TYPES = frozenset({MANIFEST, _DOCKER_MANIFEST})
CONFIG_TYPES = frozenset({CONFIG, "application/vnd.docker.container.image.v1+json"})


class Platform(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a manifest runs on, in the words of Go: `amd64`, `linux`."""

    architecture: str
    os: str
    variant: str | None = None


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A typed pointer to a blob; `size` is in bytes."""

    media_type: str
    digest: Digest
    size: int
    annotations: dict[str, str] = {}
    platform: Platform | None = None
    artifact_type: str | None = None
    urls: tuple[str, ...] = ()


class Index(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A list of manifests: the store's table of contents, or one image for many platforms."""

    schema_version: int
    media_type: str | None = None
    manifests: tuple[Descriptor, ...] = ()
    annotations: dict[str, str] = {}


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One image for one platform: its configuration and its layers, bottom first."""

    schema_version: int
    media_type: str | None = None
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: dict[str, str] = {}


class Health(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="pascal"):
    """How docker asks a container whether it is well; times in nanoseconds, 0 for the engine's default."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class RunConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="pascal"):
    """How a container starts. `env` holds `NAME=VALUE` strings."""

    user: str = ""
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    working_dir: str = ""
    labels: dict[str, str] = {}
    stop_signal: str = ""
    exposed_ports: dict[str, dict[str, str]] = {}
    volumes: dict[str, dict[str, str]] = {}
    healthcheck: Health | None = None
    shell: tuple[str, ...] = ()
    on_build: tuple[str, ...] = ()


class History(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of an image's making; `empty_layer` when it changed the configuration only."""

    created: datetime | None = None
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class RootFS(msgspec.Struct, frozen=True, kw_only=True):
    """The digests of the uncompressed layers, bottom first."""

    type: str = "layers"
    diff_ids: tuple[Digest, ...] = ()


class ConfigDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An image's configuration blob. `created` is in UTC."""

    created: datetime | None = None
    author: str = ""
    architecture: str
    os: str
    config: RunConfig = RunConfig()
    rootfs: RootFS
    history: tuple[History, ...] = ()


Document = TypeVar("Document", Index, Manifest, ConfigDocument)


def encode(document: Index | Manifest | ConfigDocument | Descriptor) -> bytes:
    """Return the document's JSON with sorted keys, so that equal documents have equal digests."""
    return msgspec.json.encode(document, enc_hook=_encode_digest, order="sorted")


_REMAKE = "see `tare image verify`; remove the image with `tare image rm` and make it again"


def decode(content: bytes, kind: type[Document], *, name: str, hint: str = _REMAKE) -> Document:
    """Parse a document; a fault of kind `corrupt` names it (`name`), says what is wrong, and has `hint`."""
    try:
        return msgspec.convert(
            _without_nulls(msgspec.json.decode(content)), type=kind, dec_hook=_decode_digest
        )
    except (msgspec.MsgspecError, RuntimeFault, UnicodeDecodeError, RecursionError) as err:
        raise RuntimeFault(
            f"{name} is not a valid {kind.__name__}: {err}",
            kind="corrupt",
            hint=hint,
        ) from err


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Docker writes `"Cmd": null` for what was not given; to us both are the default."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


# A hook that meets a type which is not its own raises NotImplementedError: msgspec, "Extending". No document
# above has another type, so it would be a defect of ours.


def _encode_digest(value: object) -> str:
    if isinstance(value, Digest):
        return str(value)  # msgspec wants exactly a str, not a subclass
    raise NotImplementedError(type(value).__name__)


def _decode_digest(kind: type, value: object) -> Digest:
    if kind is not Digest:
        raise NotImplementedError(kind.__name__)
    if not isinstance(value, str):
        # The document's fault; msgspec makes it a ValidationError with the place.
        raise ValueError(f"a digest is text, not {value!r}")  # noqa: TRY004
    return Digest.parse(value)
