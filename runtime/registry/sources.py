"""From where an image is pulled: its mirrors, and at last the registry that it is named after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.errors import RuntimeFault
from runtime.image.reference import Reference
from runtime.registry import registries
from runtime.registry.access import Access
from runtime.registry.endpoint import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.registry.registries import Mirror

_HUB = "docker.io"


@dataclass(frozen=True, slots=True)
class Source:
    """A place, and how to reach it. A mirror's access has none of the origin's accounts and certificates."""

    endpoint: Endpoint
    access: Access


def origin(reference: Reference, access: Access) -> Endpoint:
    """Return the registry that a name stands for, as this host's administrator wants it to be reached."""
    rule = registries.rule(reference.name)
    if rule is None:
        return Endpoint(reference.domain, reference.path, access.verify)
    if rule.blocked:
        hint = "take `blocked` out of it, if you may"
        raise RuntimeFault(f"{reference.name} is blocked by {rule.file}", kind="usage", hint=hint)
    verify = access.verify and not rule.insecure
    place = (rule.location + (rule.rest(reference.name) or "")) if rule.location else reference.name
    return _endpoint(place, verify=verify)


def mirrors(reference: Reference, access: Access) -> Iterator[Source]:
    """Yield the mirrors of an image: those of the command line first, then the administrator's."""
    _, slash, path = reference.name.partition("/")
    for text in access.mirrors:
        mirror = registries.mirror(text)
        yield _source(mirror, slash + path, verify=access.verify)
    rule = registries.rule(reference.name)
    for mirror in rule.mirrors if rule else ():
        if rule and _wanted(mirror, reference):
            yield _source(mirror, rule.rest(reference.name) or "")
    if reference.domain == _HUB and not (rule and rule.mirrors):
        yield from (_source(mirror, slash + path) for mirror in registries.daemon_mirrors())


def _wanted(mirror: Mirror, reference: Reference) -> bool:
    return mirror.when == "all" or (mirror.when == "digest-only") == (reference.digest is not None)


def _source(mirror: Mirror, rest: str, *, verify: bool = True) -> Source:
    safe = verify and not mirror.insecure
    return Source(_endpoint(mirror.location + rest, verify=safe, mirror=True), Access(verify=safe))


def _endpoint(place: str, *, verify: bool, mirror: bool = False) -> Endpoint:
    found = Reference.parse(place)
    return Endpoint(found.domain, found.path, verify, mirror)
