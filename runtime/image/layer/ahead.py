"""Read a stream in a thread of its own, ahead of who uses it.

To inflate and to hash leaves the interpreter's lock free, and so does most of what makes a file: on two
processors a layer is unpacked in the time of the slower half.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Event, Thread

from runtime.image.layer.compression import CHUNK, Readable

_CHUNKS = 8  # of CHUNK bytes that wait, 2 MiB


class _Ahead:
    """The reading end; what the stream raised is raised here, after what came before it."""

    def __init__(self, chunks: "Queue[bytes | BaseException]") -> None:
        self._chunks = chunks
        self._end: BaseException | bytes | None = None
        self._left = b""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, or all if negative; empty at the end."""
        if size < 0:
            return b"".join(iter(self._next, b""))
        found = self._next()
        self._left = found[size:]
        return found[:size] if self._left else found

    def _next(self) -> bytes:
        if self._left:
            found, self._left = self._left, b""
            return found
        if self._end is None:
            found_or_end = self._chunks.get()
            if found_or_end and isinstance(found_or_end, bytes):
                return found_or_end
            self._end = found_or_end
        if isinstance(self._end, BaseException):
            raise self._end
        return b""


@contextmanager
def ahead(stream: Readable) -> Iterator[Readable]:
    """Yield the content of `stream`, which nobody else may read until the block is left.

    A block that is left early waits for the read that is under way.
    """
    chunks: Queue[bytes | BaseException] = Queue(_CHUNKS)
    stop = Event()
    thread = Thread(target=_read, args=(stream, chunks, stop), name="ahead", daemon=True)
    thread.start()
    try:
        yield _Ahead(chunks)
    finally:
        stop.set()
        while thread.is_alive():
            _drain(chunks)  # it may wait for room
            thread.join(0.01)


def _read(stream: Readable, chunks: "Queue[bytes | BaseException]", stop: Event) -> None:
    try:
        while not stop.is_set():
            chunk = stream.read(CHUNK)
            chunks.put(chunk)
            if not chunk:
                return
    except BaseException as err:  # noqa: BLE001 - it belongs to the reading end
        chunks.put(err)


def _drain(chunks: "Queue[bytes | BaseException]") -> None:
    try:
        while True:
            chunks.get_nowait()
    except Empty:
        return
