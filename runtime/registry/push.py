"""Push: an image from the store to a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.errors import RuntimeFault
from runtime.image.manifest import INDEX_TYPES, Descriptor, Index, Manifest, decode
from runtime.registry import sources
from runtime.registry.access import Access
from runtime.registry.connect import connected
from runtime.registry.download import each
from runtime.registry.faults import broken
from runtime.registry.patience import persist
from runtime.registry.upload import Upload
from runtime.registry.watch import Watch

if TYPE_CHECKING:
    from runtime.image import Digest, Reference, Store
    from runtime.registry.session import Session

_ANY = Access()
_NOBODY = Watch()
_CREATED = 201


def push(
    store: Store,
    source: str | Reference,
    target: Reference,
    *,
    access: Access = _ANY,
    watch: Watch = _NOBODY,
) -> Descriptor:
    """Send the image `source` to be `target` there; returns the descriptor that it has in the registry.

    Blobs go first, then manifests, and an index last, so that nobody sees an image with holes. Of an index of
    which only this host's image was ever fetched, that image is sent, and `watch` is told.
    """
    with store.writing():
        top, documents = _documents(store, store.find(source), watch)
        nearby = _neighbours(store, target)
        wanted = {
            one.digest: one
            for _, manifest in documents
            if manifest
            for one in (manifest.config, *manifest.layers)
        }
        near = sorted({path for digest in wanted for path in nearby.get(digest, ())})
        endpoint = sources.origin(target, access)
        scopes = (f"repository:{endpoint.path}:pull,push", *(f"repository:{path}:pull" for path in near))
        with connected(endpoint, access, scopes) as session:

            def send(blob: Descriptor) -> None:
                Upload(session, store.blobs, blob, watch).run(nearby.get(blob.digest, ()))

            each(send, wanted.values(), session.stop)
            for descriptor, _ in documents[:-1]:
                _put(session, store, descriptor, descriptor.digest)
            _put(session, store, top, target.tag or str(target.digest))
    return top


def _documents(
    store: Store, descriptor: Descriptor, watch: Watch
) -> tuple[Descriptor, list[tuple[Descriptor, Manifest | None]]]:
    """Return what the name stands for, and all manifests to send, what is named before what names it."""
    found: list[tuple[Descriptor, Manifest | None]] = []
    if _collect(store, descriptor, found):
        return descriptor, found
    image = store.load(descriptor)
    size = store.blobs.path(image.digest).stat().st_size
    kind = image.manifest.media_type or _written(store, descriptor, image.digest)
    alone = Descriptor(media_type=kind, digest=image.digest, size=size)
    watch.note("only the image for this host is here, so it is pushed alone, without its index")
    return alone, [(alone, image.manifest)]


def _collect(store: Store, descriptor: Descriptor, found: list[tuple[Descriptor, Manifest | None]]) -> bool:
    """Append what is below a descriptor and then itself; returns whether all of it is in the store."""
    if descriptor.digest not in store.blobs:
        return False
    content, name = store.blobs.read(descriptor.digest), f"blob {descriptor.digest}"
    if descriptor.media_type not in INDEX_TYPES:
        found.append((descriptor, decode(content, Manifest, name=name)))
        return True
    if not all(_collect(store, child, found) for child in decode(content, Index, name=name).manifests):
        return False
    found.append((descriptor, None))
    return True


def _written(store: Store, index: Descriptor, digest: Digest) -> str:
    """Return the media type that an index gives a manifest which doesn't name its own."""
    content = store.blobs.read(index.digest)
    for entry in decode(content, Index, name=f"blob {index.digest}").manifests:
        if entry.digest == digest:
            return entry.media_type
    raise RuntimeFault(f"index {index.digest} does not name {digest}", kind="corrupt")


def _neighbours(store: Store, target: Reference) -> dict[Digest, tuple[str, ...]]:
    """Return, for each blob, the other repositories of the target's registry that should have it."""
    found: dict[Digest, tuple[str, ...]] = {}
    for name, descriptor in store.tags.read().items():
        if name.domain != target.domain or name.path == target.path:
            continue
        try:
            image = store.load(descriptor)
        except RuntimeFault:  # a damaged image of another name does not keep this one from being pushed
            continue
        for layer in image.layers:
            found[layer.digest] = (*found.get(layer.digest, ()), name.path)
    return found


def _put(session: Session, store: Store, descriptor: Descriptor, name: str) -> None:
    url, doing = f"{session.repository}manifests/{name}", f"push manifest {name} to {session.endpoint}"
    content = store.blobs.read(descriptor.digest)
    headers = {"Content-Type": descriptor.media_type}

    def once() -> None:
        with session.ask("PUT", url, doing=doing, headers=headers, body=content, ok=(_CREATED,)) as answer:
            stored = answer.header("docker-content-digest")
            if stored and stored != descriptor.digest:
                raise broken(f"the registry says that manifest {descriptor.digest} is {stored[:100]!r}")

    persist(once, session.stop)
