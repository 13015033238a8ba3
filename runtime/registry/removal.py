"""Removing tags and manifests from a registry (distribution-spec, "Content Management")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.errors import RuntimeFault
from runtime.registry import sources
from runtime.registry.access import Access
from runtime.registry.connect import connected
from runtime.registry.download import each
from runtime.registry.faults import RegistryFault
from runtime.registry.listing import tags
from runtime.registry.patience import persist
from runtime.registry.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime.image.digest import Digest
    from runtime.image.reference import Reference
    from runtime.registry.endpoint import Endpoint
    from runtime.registry.session import Session

_ANY = Access()
_DONE = (200, 202, 204)
_BAD_REQUEST, _NOT_FOUND, _NOT_ALLOWED = 400, 404, 405
_MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Removed:
    """What is gone: one tag, or with `whole` a manifest and all of its tags."""

    digest: Digest
    tags: tuple[str, ...]
    whole: bool


def remove(reference: Reference, *, access: Access = _ANY, force: bool = False) -> Removed:
    """Remove a tag, or by digest a manifest with all of its tags.

    Most registries, docker's own among them until version 3, can remove a tag with its manifest only. Where
    other tags have the same manifest that is refused, unless `force`.
    """
    endpoint = sources.origin(reference, access)
    with connected(endpoint, access, scopes(endpoint)) as session:
        _, _, digest = Repository(session).raw(str(reference.digest or reference.tag))
        if reference.digest is None and _removed_tag(session, str(reference.tag)):
            return Removed(digest, (str(reference.tag),), whole=False)
        names = tuple(
            sorted(tag for tag, found in resolved(session, tags(session)).items() if found == digest)
        )
        others = [name for name in names if name != reference.tag]
        if others and reference.digest is None and not force:
            raise _shared(reference, others)
        remove_manifest(session, digest)
    return Removed(digest, names, whole=True)


def scopes(endpoint: Endpoint) -> tuple[str, ...]:
    """Return what a token must allow (distribution's auth/scope.md)."""
    return (f"repository:{endpoint.path}:pull,delete",)


def resolved(session: Session, names: Iterable[str]) -> dict[str, Digest]:
    """Return the digest of each tag, by asking for its manifest; one that has just gone is left out."""
    found: dict[str, Digest] = {}

    def find(name: str) -> None:
        try:
            found[name] = Repository(session).raw(name)[2]
        except RegistryFault as fault:
            if fault.status != _NOT_FOUND:
                raise

    each(find, list(names), session.stop)
    return found


def remove_manifest(session: Session, digest: Digest) -> None:
    """Remove a manifest; one that is not there any more is no fault."""
    try:
        _delete(session, digest)
    except RegistryFault as fault:
        if fault.status == _NOT_ALLOWED:
            raise _not_allowed(session, fault) from fault
        if fault.status != _NOT_FOUND:
            raise


def _removed_tag(session: Session, tag: str) -> bool:
    """Try to remove a tag alone; returns whether the registry can do that."""
    try:
        _delete(session, tag)
    except RegistryFault as fault:
        if fault.status not in (_BAD_REQUEST, _NOT_ALLOWED, _NOT_FOUND):
            raise
        # The answer to an attempt that succeeded may have been lost; the image must not go for that.
        return fault.status == _NOT_FOUND and not resolved(session, [tag])
    return True


def _delete(session: Session, name: str) -> None:
    url, doing = f"{session.repository}manifests/{name}", f"remove {name} from {session.endpoint}"

    def once() -> None:
        with session.ask("DELETE", url, doing=doing, ok=_DONE):
            pass

    persist(once, session.stop)


def _shared(reference: Reference, others: list[str]) -> RuntimeFault:
    named = ", ".join(others[:_MOST_NAMES]) + (" and others" if len(others) > _MOST_NAMES else "")
    return RuntimeFault(
        f"{reference.domain} can't remove the tag {reference.tag} alone, and its image is also {named}",
        kind="usage",
        hint="--force removes the image with all of its tags",
    )


def _not_allowed(session: Session, fault: RegistryFault) -> RegistryFault:
    return RegistryFault(
        f"the registry {session.endpoint.domain} lets nobody remove anything: {fault}",
        hint="its operator has to allow it; docker-registry: REGISTRY_STORAGE_DELETE_ENABLED=true "
        "(never on a mirror)",
        status=fault.status,
    )
