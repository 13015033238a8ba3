"""All content that an image is made of, from its top document down."""

from collections.abc import Callable, Iterator

from runtime.image.digest import Digest
from runtime.image.manifest import INDEX_TYPES, MANIFEST_TYPES, Descriptor, Index, Manifest, decode
from runtime.image.seam import corrupt

DEPTH = 3  # indexes inside indexes; as much as a pull takes
DOCUMENT = 4 << 20  # bytes of an index, manifest or configuration; registries and peers have the same limit


class Closure:
    """Walks documents that `read` returns by digest; `has` says which of them are there.

    Of an image for many platforms only some may be there. Each document is read once, however many name it.
    """

    def __init__(self, read: Callable[[Digest], bytes], has: Callable[[Digest], bool]) -> None:
        self._read = read
        self._has = has
        self._seen: set[Digest] = set()

    def manifests(self, top: Descriptor, depth: int = 0) -> Iterator[Descriptor]:
        """Yield the manifests below a descriptor that were not yielded before, and the indexes on the way."""
        if top.digest in self._seen:
            return
        self._seen.add(top.digest)
        yield top
        if top.media_type not in INDEX_TYPES:
            return
        if depth > DEPTH:
            raise corrupt(f"blob {top.digest} is an index inside an index, more than {DEPTH} deep")
        for entry in decode(self._read(top.digest), Index, name=f"blob {top.digest}").manifests:
            if self._has(entry.digest):
                yield from self.manifests(entry, depth + 1)

    def everything(self, top: Descriptor) -> Iterator[Descriptor]:
        """Yield every descriptor: indexes, manifests, configurations, layers; what is missing too."""
        for one in self.manifests(top):
            yield one
            if one.media_type in MANIFEST_TYPES:
                manifest = decode(self._read(one.digest), Manifest, name=f"blob {one.digest}")
                yield from (manifest.config, *manifest.layers)
