"""What a registry does with images that are there: tags, their list, removal, retention."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from bench.trials.registry_server import Server
from bench.value import Value, fact
from runtime.image import Reference
from runtime.image.commit import derive
from runtime.image.image import Image
from runtime.image.layer.entry import File
from runtime.image.store import Store
from runtime.registry import Access, push
from runtime.registry.connect import connected
from runtime.registry.listing import tags
from runtime.registry.prune import prune
from runtime.registry.removal import remove, resolved
from runtime.registry.retention import Policy
from runtime.registry.sources import origin

AGES = (1, 2, 3, 4)
"""Days ago, at which the images of the retention were made; their tags too."""
KEPT = 2


@dataclass(frozen=True)
class Repository:
    """A repository of a registry: what it holds."""

    server: Server
    path: str

    def reference(self, tag: str) -> Reference:
        """Return the name of an image in it."""
        return Reference.parse(f"{self.server.host}/{self.path}:{tag}")

    def digests(self) -> dict[str, str]:
        """Ask which tags there are, and for which digests they stand."""
        endpoint = origin(self.reference("1"), Access())
        with connected(endpoint, Access(), (f"repository:{endpoint.path}:pull",)) as session:
            return {tag: str(digest) for tag, digest in resolved(session, list(tags(session))).items()}


def measure(source: Store, image: Image, server: Server) -> list[Value]:
    """Push, tag, list, remove, and keep only the newest; whether each did what it says."""
    life = Repository(server, "course/life")
    for tag in ("1", "2"):
        push(source, str(image.digest), life.reference(tag))
    both = {"1": str(image.digest), "2": str(image.digest)}
    tagged = life.digests()
    push(source, str(_aged(source, image, 0).digest), life.reference("3"))
    listed = sorted(life.digests())
    remove(life.reference("3"))
    return [
        fact("works", holds=tagged == both, step="tag"),
        fact("works", holds=listed == ["1", "2", "3"], step="list"),
        fact("works", holds=life.digests() == both, step="delete"),
        fact("works", holds=_retained(source, image, server) == {str(age) for age in AGES[:KEPT]},
             step="retention"),
    ]  # fmt: skip


def _retained(source: Store, image: Image, server: Server) -> set[str]:
    """Push images of several ages, keep the newest, and return the tags that are left."""
    aged = Repository(server, "course/aged")
    for age in AGES:
        push(source, str(_aged(source, image, age).digest), aged.reference(str(age)))
    prune(aged.reference("1"), Policy(keep_last=KEPT))
    return set(aged.digests())


def _aged(source: Store, image: Image, days: int) -> Image:
    """Return another image on the same layers, made so many days ago."""
    name = f"trial/aged:{days}"
    fresh = derive(source, image, {"/age": File(str(days).encode())}, name)
    created = datetime.now(UTC) - timedelta(days=days)
    return source.add_image(msgspec.structs.replace(fresh.document, created=created), fresh.layers, name)
