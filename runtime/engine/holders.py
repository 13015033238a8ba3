"""Containers as holders of what is not theirs: the image's layers, the image itself, volumes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.engine import documents, view
from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.engine.places import Places


@dataclass(frozen=True, slots=True)
class Holder:
    """A container, whether it runs or not, and what it was created from.

    `image` is the digest of its manifest, `layers` are names below the store's `layers`.
    """

    id: str
    name: str
    running: bool
    image: str
    layers: frozenset[str]
    volumes: frozenset[str]


def holders(places: Places) -> Iterator[Holder]:
    """Yield all containers; one that is removed meanwhile is left out."""
    for container in documents.everything(places):
        try:
            plan, now = documents.plan(places, container), view.state(places, container)
        except RuntimeFault:
            continue
        yield Holder(
            container,
            plan["Name"].removeprefix("/"),
            bool(now["Running"]),
            plan["Image"],
            frozenset(Path(layer).name for layer in plan["Layers"]),
            frozenset(mount["Name"] for mount in plan["Mounts"] if mount["Type"] == "volume"),
        )


def layers(places: Places) -> frozenset[str]:
    """Return the names of all layers that some container needs."""
    return frozenset(name for holder in holders(places) for name in holder.layers)
