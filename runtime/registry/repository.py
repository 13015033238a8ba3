"""One repository: its manifests and blobs, read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.image.digest import Digest
from runtime.registry import document, limits
from runtime.registry.faults import RegistryFault, Transient, broken
from runtime.registry.transport import number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.image.manifest import Descriptor
    from runtime.registry.document import Document
    from runtime.registry.session import Session
    from runtime.registry.transport import Answer

_WHOLE, _PART, _NOT_THERE = 200, 206, 416


class Repository:
    """Reads one repository through `session`."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def manifest(self, name: str, declared: str | None = None) -> Document:
        """Fetch a manifest or an index by tag or digest; `declared` is the type that a descriptor claims."""
        answer, content, _ = self.raw(name)
        what = f"the manifest {name} of {self.session.endpoint}"
        return document.read(content, declared or answer.header("content-type"), what)

    def raw(self, name: str) -> tuple[Answer, bytes, Digest]:
        """Fetch what a tag or a digest names, of whatever kind, and check it against its digest."""
        what = f"the manifest {name} of {self.session.endpoint}"
        answer, content = self.session.document(
            f"{self.session.repository}manifests/{name}",
            doing=f"fetch {what}",
            limit=limits.DOCUMENT,
            headers={"Accept": document.ACCEPT},
        )
        wanted = name if ":" in name else answer.header("docker-content-digest")
        found = Digest.of(content)
        if wanted and wanted.startswith("sha256:") and wanted != found:
            raise broken(f"{what} has the digest {found}, not {wanted}")
        if ":" in name and not name.startswith("sha256:"):
            raise RegistryFault(f"{what} can't be checked: only sha256 is supported", kind="usage")
        return answer, content, found

    def child(self, descriptor: Descriptor) -> Document:
        """Fetch a manifest that an index names, and hold the server to all that the index says."""
        found = self.manifest(descriptor.digest, descriptor.media_type)
        if found.descriptor.size != descriptor.size:
            size = found.descriptor.size
            raise broken(f"manifest {descriptor.digest} has {size} bytes, not {descriptor.size}")
        return found

    def blob(self, descriptor: Descriptor, received: int = 0) -> Iterator[bytes]:
        """Yield a blob's bytes from `received` on, unchecked, but never more than the descriptor says.

        A connection that is lost is taken up where it ended (distribution-spec, "Pulling blobs", Range);
        from a server that only knows how to begin anew, what is known already is skipped.
        """
        patience = self.session.patience()
        while not received or received < descriptor.size:
            try:
                for piece in self._rest(descriptor, received):
                    received += len(piece)
                    patience.progress()
                    yield piece
            except Transient as lost:
                trouble = lost
            else:
                if received == descriptor.size:
                    return
                trouble = Transient(_short(descriptor, received))
            patience.wait(trouble)

    def _rest(self, descriptor: Descriptor, start: int) -> Iterator[bytes]:
        url = f"{self.session.repository}blobs/{descriptor.digest}"
        doing = f"fetch blob {descriptor.digest} of {self.session.endpoint}"
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self.session.ask("GET", url, doing=doing, headers=headers, ok=(_WHOLE, _PART)) as answer:
            skip = start - _begin(answer, descriptor, start)
            left = descriptor.size - start
            for piece in answer.pieces():
                news = piece[skip:] if skip else piece
                skip -= len(piece) - len(news)
                left -= len(news)
                if left < 0:
                    raise broken(f"blob {descriptor.digest} is larger than {descriptor.size} bytes")
                if news:
                    yield news


def _begin(answer: Answer, descriptor: Descriptor, start: int) -> int:
    """Return the offset of the answer's first byte; a fault if it, or the size, can't be right."""
    total = number(answer.header("content-length"))
    if answer.status == _WHOLE:
        if total is not None and total != descriptor.size:
            what = f"blob {descriptor.digest} has {total} bytes at the server, not {descriptor.size}"
            raise Transient(broken(what)) if total < descriptor.size else broken(what)
        return 0
    text = (answer.header("content-range") or "").removeprefix("bytes").strip()
    first, _, whole = text.partition("-")[0], *text.partition("/")[1:]
    begin, size = number(first), number(whole)
    if begin is None or begin > start or (size is not None and size != descriptor.size):
        raise broken(f"{answer.url} was asked for bytes from {start} on, and sent {text[:80]!r}")
    return begin


def _short(descriptor: Descriptor, received: int) -> RegistryFault:
    return broken(f"blob {descriptor.digest} ended after {received} of {descriptor.size} bytes")
