"""From a plan's result to an image: configuration, history, and the documents around the layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from runtime.builder.image_config import ImageConfig
from runtime.image.image import Image
from runtime.image.manifest import (
    CONFIG,
    MANIFEST,
    ConfigDocument,
    Health,
    History,
    Manifest,
    RootFS,
    RunConfig,
    encode,
)

if TYPE_CHECKING:
    from datetime import datetime

    from runtime.builder.chain import Chain
    from runtime.builder.dockerfile.instructions import Healthcheck
    from runtime.builder.state import Made
    from runtime.image.manifest import Descriptor, Platform
    from runtime.image.reference import Reference
    from runtime.image.store import Store

_NANO = 10**9
_SHELL = ("/bin/sh", "-c")


def settings(config: RunConfig, author: str = "") -> ImageConfig:
    """Return a base image's configuration as the builder knows it; the health check is kept elsewhere."""
    return ImageConfig(
        env=dict(item.partition("=")[::2] for item in config.env),
        user=config.user,
        workdir=config.working_dir,
        entrypoint=config.entrypoint or None,
        cmd=config.cmd or None,
        shell=config.shell or _SHELL,
        labels=config.labels,
        ports=tuple(config.exposed_ports),
        volumes=tuple(config.volumes),
        stop_signal=config.stop_signal,
        onbuild=config.on_build,
        author=author,
    )


def document(
    base: ConfigDocument | None, platform: Platform, config: ImageConfig, chain: Chain,
    *, history: tuple[History, ...], created: datetime,
) -> ConfigDocument:  # fmt: skip
    """Return the configuration blob of the result."""
    below = base.config.healthcheck if base else None
    return ConfigDocument(
        created=created,
        author=config.author,
        architecture=platform.architecture,
        os=platform.os,
        config=run_config(config, below),
        rootfs=RootFS(diff_ids=tuple(layer.diff_id for layer in chain)),
        history=(*(base.history if base else ()), *history),
    )


def history(steps: tuple[Made, ...], chains: dict[int, Chain], below: Chain) -> tuple[History, ...]:
    """Return an entry for each instruction; one that made several layers has one for each of them."""
    found: list[History] = []
    latest = max((layer.created for layer in below), default=None)
    for made in steps:
        added = chains[made.root][len(below) :]
        below = chains[made.root]
        latest = max((layer.created for layer in added), default=latest)
        created = [History(created=layer.created, created_by=made.text) for layer in added]
        found += created or [History(created=latest, created_by=made.text, empty_layer=True)]
    return tuple(found)


def store(
    place: Store, document: ConfigDocument, layers: tuple[Descriptor, ...], names: tuple[Reference, ...]
) -> Image:
    """Store the documents around stored layers and name them; without a name a prune takes them away."""
    for name in names:
        place.add_image(document, layers, name)
    with place.writing():
        config = place.blobs.write(encode(document), CONFIG)
        manifest = Manifest(schema_version=2, media_type=MANIFEST, config=config, layers=layers)
        stored = place.blobs.write(encode(manifest), MANIFEST)
    return Image(stored.digest, manifest, document)


def run_config(config: ImageConfig, below: Health | None) -> RunConfig:
    """Return a configuration as images hold it; `below` is the health check if `config` has none."""
    return msgspec.structs.replace(
        RunConfig(),
        user=config.user,
        env=tuple(f"{name}={value}" for name, value in config.env.items()),
        entrypoint=config.entrypoint or (),
        cmd=config.cmd or (),
        working_dir=config.workdir,
        labels=dict(config.labels),
        stop_signal=config.stop_signal,
        exposed_ports={port: {} for port in config.ports},
        volumes={path: {} for path in config.volumes},
        healthcheck=_health(config.healthcheck) if config.healthcheck else below,
        shell=() if config.shell == _SHELL else config.shell,
        on_build=config.onbuild,
    )


def _health(step: Healthcheck) -> Health:
    return Health(
        test=(step.test, *step.words),
        interval=round(step.interval * _NANO),
        timeout=round(step.timeout * _NANO),
        start_period=round(step.start_period * _NANO),
        start_interval=round(step.start_interval * _NANO),
        retries=step.retries,
    )
