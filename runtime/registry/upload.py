"""Blobs to a registry: skipped if there, mounted if near, sent whole if small, in chunks if large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from runtime.registry import limits, redirects
from runtime.registry.faults import RegistryFault, Transient, broken
from runtime.registry.patience import Patience, persist
from runtime.registry.transport import number

if TYPE_CHECKING:
    from types import TracebackType

    from runtime.image.blobs import Blobs
    from runtime.image.manifest import Descriptor
    from runtime.registry.session import Session
    from runtime.registry.transport import Answer
    from runtime.registry.watch import Watch

_OK, _CREATED, _ACCEPTED, _NO_CONTENT, _NOT_FOUND = 200, 201, 202, 204, 404


class Slice:
    """Some bytes of a file, as http.client reads a body; tells how many have gone."""

    def __init__(self, blobs: Blobs, descriptor: Descriptor, span: tuple[int, int], watch: Watch) -> None:
        self._opened = blobs.open(descriptor.digest)
        self._file = self._opened.__enter__()
        self._file.seek(span[0])
        self._left = span[1] - span[0]
        self._descriptor = descriptor
        self._watch = watch
        self.gone = 0

    def read(self, size: int = limits.CHUNK) -> bytes:
        """Return the next bytes; empty at the slice's end."""
        data = self._file.read(min(self._left, limits.CHUNK if size < 0 else size))
        self._left -= len(data)
        self.gone += len(data)
        self._watch.advance(self._descriptor.digest, len(data))
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)
        if error is not None:
            self._watch.advance(self._descriptor.digest, -self.gone)


class Upload:
    """The upload of one blob (distribution-spec, "Pushing blobs")."""

    def __init__(self, session: Session, blobs: Blobs, descriptor: Descriptor, watch: Watch) -> None:
        self._session = session
        self._blobs = blobs
        self._blob = descriptor
        self._watch = watch
        self._doing = f"push blob {descriptor.digest} to {session.endpoint}"
        self._uploads = f"{session.repository}blobs/uploads/"

    def run(self, neighbours: tuple[str, ...], chunk: int = limits.UPLOAD_CHUNK) -> None:
        """Send the blob. `neighbours` are repositories there that may have it, `chunk` is in bytes."""
        self._watch.begin(self._blob.digest, self._blob.size)
        if persist(self._is_there, self._session.stop):
            self._watch.end(self._blob.digest, "exists")
            return
        place = ""
        for neighbour in neighbours[: limits.NEIGHBOURS]:
            place = persist(lambda near=neighbour: self._mount(near), self._session.stop)  # type: ignore[misc]
            if not place:
                self._watch.end(self._blob.digest, "mounted")
                return
        self._send(place, chunk)
        self._watch.end(self._blob.digest, "done")

    def _is_there(self) -> bool:
        url = f"{self._session.repository}blobs/{self._blob.digest}"
        with self._session.ask("HEAD", url, doing=self._doing, ok=(_OK, _NOT_FOUND)) as answer:
            return answer.status == _OK

    def _mount(self, neighbour: str) -> str:
        """Ask for the blob of another repository; returns where to upload if that can't be had."""
        query = f"?mount={quote(self._blob.digest)}&from={quote(neighbour, safe='')}"
        with self._session.ask(
            "POST", self._uploads + query, doing=self._doing, body=b"", ok=(_CREATED, _ACCEPTED)
        ) as answer:
            return "" if answer.status == _CREATED else _location(answer)

    def _send(self, place: str, chunk: int) -> None:
        """Upload from `place`, a session's URL; what the registry loses of it is sent again."""
        patience, sent = Patience(self._session.stop), 0
        while True:
            try:
                if not place:
                    place, sent = self._begin(), 0
                while self._blob.size > chunk and sent < self._blob.size:
                    span = (sent, min(sent + chunk, self._blob.size))
                    place, sent = self._patch(place, span), span[1]
                    patience.progress()
                self._finish(place, sent)
            except Transient as trouble:
                patience.wait(trouble)
                if self._arrived():
                    return
                place, has = self._resume(place, sent)
                self._watch.advance(self._blob.digest, has - sent)
                sent = has
            else:
                return

    def _begin(self) -> str:
        with self._session.ask("POST", self._uploads, doing=self._doing, body=b"", ok=(_ACCEPTED,)) as answer:
            return _location(answer)

    def _patch(self, place: str, span: tuple[int, int]) -> str:
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(span[1] - span[0]),
            "Content-Range": f"{span[0]}-{span[1] - 1}",
        }
        with self._session.ask(
            "PATCH", place, doing=self._doing, headers=headers, body=self._slice(span), ok=(_ACCEPTED,)
        ) as answer:
            return _location(answer)

    def _finish(self, place: str, sent: int) -> None:
        """Close the upload, with all of the blob if nothing was sent before (a monolithic upload)."""
        url = f"{place}{'&' if '?' in place else '?'}digest={quote(self._blob.digest)}"
        span = (sent, self._blob.size)
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(span[1] - span[0]),
        }
        with self._session.ask(
            "PUT", url, doing=self._doing, headers=headers, body=self._slice(span), ok=(_CREATED,)
        ) as answer:
            stored = answer.header("docker-content-digest")
            if stored and stored != self._blob.digest:
                raise broken(f"the registry says that blob {self._blob.digest} is {stored[:100]!r}")

    def _slice(self, span: tuple[int, int]) -> _Slices:
        return _Slices(self._blobs, self._blob, span, self._watch)

    def _arrived(self) -> bool:
        """Say whether the blob is there although the answer to its last byte was lost."""
        try:
            return self._is_there()
        except Transient:
            return False

    def _resume(self, place: str, sent: int) -> tuple[str, int]:
        """Return where and from which byte to go on; no place if the registry has forgotten the upload."""
        if not place or not sent:
            return "", 0
        try:
            with self._session.ask("GET", place, doing=self._doing, ok=(_NO_CONTENT, _ACCEPTED)) as answer:
                last = number((answer.header("range") or "").rpartition("=")[2].partition("-")[2])
                has = 0 if last is None else last + 1
                return (_location(answer), has) if 0 < has <= self._blob.size else ("", 0)
        except (RegistryFault, Transient):
            return "", 0


class _Slices:
    """Makes the same slice as often as it has to be sent."""

    def __init__(self, blobs: Blobs, blob: Descriptor, span: tuple[int, int], watch: Watch) -> None:
        self._parts = (blobs, blob, span, watch)

    def __call__(self) -> Slice:
        return Slice(*self._parts)


def _location(answer: Answer) -> str:
    return redirects.target(answer.url, answer.header("location"))
