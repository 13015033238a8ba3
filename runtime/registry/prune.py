"""Retention: looks at all images of a repository and removes those that a policy has no place for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runtime.errors import RuntimeFault
from runtime.image.digest import Digest
from runtime.image.manifest import ConfigDocument, Index, decode
from runtime.registry import document, limits, sources
from runtime.registry.access import Access
from runtime.registry.connect import connected
from runtime.registry.download import each
from runtime.registry.faults import RegistryFault
from runtime.registry.listing import tags
from runtime.registry.removal import remove_manifest, resolved, scopes
from runtime.registry.repository import Repository
from runtime.registry.retention import Held, Policy, orphans

if TYPE_CHECKING:
    from runtime.image.manifest import Descriptor
    from runtime.image.reference import Reference
    from runtime.registry.session import Session

_ANY = Access()
# What reproducible builds write where they know no time: 1970, and Go's zero time.
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went, or would go: `images` with tags, `manifests` that only they named; `undated` stay."""

    images: list[Held] = field(default_factory=list)
    manifests: list[Digest] = field(default_factory=list)
    undated: list[Held] = field(default_factory=list)
    kept: int = 0


def prune(reference: Reference, policy: Policy, *, access: Access = _ANY, dry_run: bool = False) -> Pruned:
    """Remove from the repository of `reference` what the policy says; with `dry_run` only say it.

    An image that got a new tag while the repository was looked at stays. The registry gives back the space
    when it collects its garbage.
    """
    endpoint = sources.origin(reference, access)
    with connected(endpoint, access, scopes(endpoint)) as session:
        held = _survey(session)
        doomed = policy.doomed(held, datetime.now(UTC))
        if doomed and not dry_run:
            known = {tag for one in held for tag in one.tags}
            fresh = set(resolved(session, [tag for tag in tags(session) if tag not in known]).values())
            doomed = [one for one in doomed if one.digest not in fresh]
        below = orphans(held, doomed)
        if not dry_run:
            for digest in (*(one.digest for one in doomed), *below):
                remove_manifest(session, digest)
    undated = [one for one in held if one.created is None]
    return Pruned(doomed, below, undated, len(held) - len(doomed))


def _survey(session: Session) -> list[Held]:
    """Return all images that have tags."""
    names: dict[Digest, list[str]] = {}
    for tag, digest in resolved(session, tags(session)).items():
        names.setdefault(digest, []).append(tag)
    found: list[Held] = []
    each(lambda digest: found.append(_held(session, digest, names[digest])), names, session.stop)
    return found


def _held(session: Session, digest: Digest, names: list[str]) -> Held:
    below: set[Digest] = set()
    created = _created(Repository(session), digest, None, below, 0)
    return Held(digest, tuple(sorted(names)), created, frozenset(below))


def _created(
    repository: Repository, digest: Digest, declared: str | None, below: set[Digest], depth: int
) -> datetime | None:
    """Return when an image was made, and add what is below it; None for what is no image, or says nothing."""
    try:
        answer, content, _ = repository.raw(digest)
    except RegistryFault as fault:
        if fault.status != _NOT_FOUND:
            raise
        return None
    try:
        found = document.read(content, declared or answer.header("content-type"), str(digest)).parsed
    except RuntimeFault:  # an artifact, or nothing that anybody understands
        return None
    if not isinstance(found, Index):
        return _dated(repository, found.config)
    below |= {child.digest for child in found.manifests}
    if depth >= limits.DEPTH:
        return None
    times = [_created(repository, one.digest, one.media_type, below, depth + 1) for one in found.manifests]
    return max((time for time in times if time is not None), default=None)


def _dated(repository: Repository, config: Descriptor) -> datetime | None:
    try:
        content = b"".join(repository.blob(config))
        if Digest.of(content) != config.digest:
            return None
        created = decode(content, ConfigDocument, name=f"the configuration {config.digest}").created
    except RuntimeFault as fault:
        if fault.kind not in ("missing", "corrupt"):
            raise
        return None
    if created is None:
        return None
    time = created if created.tzinfo else created.replace(tzinfo=UTC)
    return time if time > _NO_TIME else None
