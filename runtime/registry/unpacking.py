"""Unpack a layer while it is downloaded, out of the file that the download writes."""

from __future__ import annotations

from threading import BoundedSemaphore, Thread
from typing import TYPE_CHECKING, Self

from runtime.image.growing import Growing

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from runtime.image.digest import Digest
    from runtime.image.manifest import Descriptor
    from runtime.image.store import Store

# A third would only wait for the interpreter's lock.
_AT_ONCE = 2


class Unpacker:
    """Unpacks layers into the store; `diff_ids` says what each has to be."""

    def __init__(self, store: Store, diff_ids: dict[Digest, Digest]) -> None:
        self._store, self._diff_ids = store, diff_ids
        self._slots = BoundedSemaphore(_AT_ONCE)

    def behind(self, layer: Descriptor) -> Behind:
        """Return a context manager for the time of a layer's download."""
        return Behind(self, layer)

    def unpack(self, layer: Descriptor, source: Growing | None = None) -> None:
        """Unpack a layer from `source`, or from the store, unless it is no layer or was unpacked before."""
        diff_id = self._diff_ids.get(layer.digest)
        if diff_id is None:
            return
        with self._slots:
            self._store.unpack(layer, diff_id, source)


class Behind:
    """One layer that is downloaded and unpacked at once. Leaving the block waits for the unpacked layer."""

    def __init__(self, unpacker: Unpacker, layer: Descriptor) -> None:
        self._unpacker, self._layer = unpacker, layer
        self._file: Growing | None = None
        self._thread: Thread | None = None
        self._trouble: BaseException | None = None

    def follow(self, path: Path) -> None:
        """Begin, with the file that the download writes."""
        self._file = Growing(path)
        self._thread = Thread(target=self._run, name=f"unpack {self._layer.digest.short}")
        self._thread.start()

    def grown(self, count: int) -> None:
        """Tell that the file has `count` more bytes."""
        if self._file:
            self._file.grown(count)

    def finish(self) -> None:
        """Tell that the file is whole."""
        if self._file:
            self._file.finish()

    def _run(self) -> None:
        try:
            self._unpacker.unpack(self._layer, self._file)
        except BaseException as err:  # noqa: BLE001 - it belongs to who waits
            self._trouble = err

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None or self._thread is None:
            return
        if error is not None:
            self._file.abandon()
        self._thread.join()
        self._file.close()
        # That the download failed explains the rest.
        if error is None and self._trouble is not None:
            raise self._trouble
