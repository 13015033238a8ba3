"""Pull: an image from a registry into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.errors import RuntimeFault
from runtime.image.manifest import ConfigDocument, Descriptor, Index, Manifest, Platform, decode
from runtime.image.platform import host_platform
from runtime.registry import limits, sources
from runtime.registry.access import Access
from runtime.registry.connect import connected
from runtime.registry.download import download, each
from runtime.registry.faults import RegistryFault, broken
from runtime.registry.repository import Repository
from runtime.registry.sources import Source
from runtime.registry.unpacking import Unpacker
from runtime.registry.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.image import Digest, Reference, Store
    from runtime.registry.document import Document

_ANY = Access()
_OURS = ("usage", "host")  # kinds of faults that another server doesn't mend
_NOBODY = Watch()


def pull(
    store: Store,
    reference: Reference,
    *,
    access: Access = _ANY,
    platform: Platform | None = None,
    every: bool = False,
    unpack: bool = False,
    watch: Watch = _NOBODY,
) -> Descriptor:
    """Fetch an image, give it its name in the store, and return what the name now stands for.

    Of an index the image for `platform` is fetched (default: this host's), or with `every` all of them. With
    `unpack` the layers of images for this host are unpacked on the way, so that a container can start.
    Nothing gets a name before all of it is there and checked. Mirrors are asked first; what goes wrong with
    one is told to `watch`, and the next one, or the registry itself, is asked.
    """

    def fetch(source: Source) -> Descriptor:
        scopes = (f"repository:{source.endpoint.path}:pull",)
        with connected(source.endpoint, source.access, scopes) as session:
            wanted = _Pull(store, Repository(session), watch, platform, every=every, unpack=unpack)
            return wanted.run(reference)

    origin = sources.origin(reference, access)  # first of all, since it may be blocked
    with store.writing():
        for source in sources.mirrors(reference, access):
            try:
                return fetch(source)
            except RuntimeFault as fault:
                if fault.kind in _OURS:
                    raise
                watch.note(f"the mirror {source.endpoint.domain} is no help: {fault}")
        return fetch(Source(origin, access))


class _Pull:
    """One pull from one place."""

    def __init__(
        self, store: Store, repository: Repository, watch: Watch, platform: Platform | None,
        *, every: bool, unpack: bool,
    ) -> None:  # fmt: skip
        self._store = store
        self._repository = repository
        self._watch = watch
        self._platform = platform
        self._every, self._unpack = every, unpack

    def run(self, reference: Reference) -> Descriptor:
        """Fetch all and then give it its name."""
        top = self._repository.manifest(str(reference.digest or reference.tag))
        documents = list(self._documents(top, 0))
        self._fetch([one.parsed for one in documents if isinstance(one.parsed, Manifest)])
        for one in reversed(documents):  # an index after what it names
            self._store.blobs.write(one.content, one.descriptor.media_type)
        chosen = self._named(documents)
        self._store.tags.set(reference, chosen)
        return chosen

    def _documents(self, document: Document, depth: int) -> Iterator[Document]:
        """Yield the document and, if it is an index, those below it that are wanted."""
        yield document
        if not isinstance(document.parsed, Index):
            return
        if depth >= limits.DEPTH:
            raise broken(f"an index inside an index, more than {limits.DEPTH} deep")
        for child in self._wanted(document.parsed, str(self._repository.session.endpoint)):
            yield from self._documents(self._repository.child(child), depth + 1)

    def _wanted(self, index: Index, name: str) -> tuple[Descriptor, ...]:
        if self._every:
            return index.manifests
        platform = self._platform or host_platform()
        for entry in index.manifests:
            if entry.platform is not None and _suits(entry.platform, platform):
                return (entry,)
        raise _no_image(index, name, platform)

    def _fetch(self, manifests: list[Manifest]) -> None:
        # The configurations say what the layers have to be.
        self._download({one.config.digest: one.config for one in manifests}, None)
        documents = [_config(self._store, manifest) for manifest in manifests]
        unpacker = Unpacker(self._store, self._diff_ids(manifests, documents)) if self._unpack else None
        self._download({one.digest: one for manifest in manifests for one in manifest.layers}, unpacker)

    def _download(self, wanted: dict[Digest, Descriptor], unpacker: Unpacker | None) -> None:
        each(
            lambda one: download(self._repository, self._store, one, self._watch, unpacker),
            wanted.values(),
            self._repository.session.stop,
        )

    @staticmethod
    def _diff_ids(manifests: list[Manifest], documents: list[ConfigDocument]) -> dict[Digest, Digest]:
        """Return what each layer has to be when it is unpacked; only of images for this host."""
        found: dict[Digest, Digest] = {}
        for manifest, document in zip(manifests, documents, strict=True):
            if _suits(Platform(os=document.os, architecture=document.architecture), host_platform()):
                digests = [layer.digest for layer in manifest.layers]
                found |= zip(digests, document.rootfs.diff_ids, strict=True)
        return found

    def _named(self, documents: list[Document]) -> Descriptor:
        """Return what gets the name: what was asked for, unless this host's image is not below it."""
        top, last = documents[0], documents[-1]
        foreign = self._platform is not None and not _suits(host_platform(), self._platform)
        return last.descriptor if foreign and not self._every else top.descriptor


def _suits(offered: Platform, wanted: Platform) -> bool:
    return (offered.os, offered.architecture) == (wanted.os, wanted.architecture) and (
        wanted.variant is None or offered.variant == wanted.variant
    )


def _no_image(index: Index, name: str, platform: Platform) -> RegistryFault:
    offered = ", ".join(f"{e.platform.os}/{e.platform.architecture}" for e in index.manifests if e.platform)
    return RegistryFault(
        f"{name} has no image for {platform.os}/{platform.architecture}, only for {offered or 'nothing'}",
        kind="missing",
        hint="name one of these with --platform",
    )


def _config(store: Store, manifest: Manifest) -> ConfigDocument:
    name = f"the configuration {manifest.config.digest}"
    try:
        document = decode(store.blobs.read(manifest.config.digest), ConfigDocument, name=name, hint="")
    except RecursionError as err:
        raise broken(f"{name} is nested too deep") from err
    if len(document.rootfs.diff_ids) != len(manifest.layers):
        number = len(document.rootfs.diff_ids)
        raise broken(f"{name} is for {number} layers, but the manifest has {len(manifest.layers)}")
    return document
