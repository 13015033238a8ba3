"""Blobs into the store: checked while they stream, several at once, each fetched by one process only."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import nullcontext
from typing import TYPE_CHECKING

from runtime.image.locks import locked
from runtime.registry import limits
from runtime.registry.faults import RegistryFault, broken
from runtime.registry.patience import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from threading import Event
    from typing import TypeVar

    from runtime.image.manifest import Descriptor
    from runtime.image.store import Store
    from runtime.registry.repository import Repository
    from runtime.registry.unpacking import Unpacker
    from runtime.registry.watch import Watch

    Item = TypeVar("Item")


def download(
    repository: Repository,
    store: Store,
    descriptor: Descriptor,
    watch: Watch,
    unpacker: Unpacker | None = None,
) -> None:
    """Put a blob into the store, whose scratch directory must be there (`Store.writing`).

    What doesn't have the size and the digest of its descriptor never gets there: a fault of kind `corrupt`.
    With `unpacker`, a layer is unpacked at the same time.
    """
    watch.begin(descriptor.digest, descriptor.size)
    # Who wants the same blob waits and then finds it: twenty pulls of one image are one download.
    with locked(store.scratch / f".{descriptor.digest.hex}.pull", exclusive=True):
        known = _is_there(store, descriptor)
        if not known:
            _fetch_whole(repository, store, descriptor, watch, unpacker)
    if known and unpacker:
        unpacker.unpack(descriptor)
    watch.end(descriptor.digest, "exists" if known else "done")


def _fetch_whole(
    repository: Repository, store: Store, descriptor: Descriptor, watch: Watch, unpacker: Unpacker | None
) -> None:
    begun = store.partials.size(descriptor.digest)
    try:
        _fetch(repository, store, descriptor, watch, unpacker)
    except RegistryFault as fault:
        if not begun or fault.kind != "corrupt":
            raise
        # What was here may be what was wrong: a crash can leave zeros, a mirror anything.
        _fetch(repository, store, descriptor, watch, unpacker)


def _fetch(
    repository: Repository, store: Store, descriptor: Descriptor, watch: Watch, unpacker: Unpacker | None
) -> None:
    with (
        unpacker.behind(descriptor) if unpacker else nullcontext() as behind,
        store.partials.growing(descriptor.digest, descriptor.size) as sink,
    ):
        if behind:
            behind.follow(sink.path)
            behind.grown(sink.size)
        watch.advance(descriptor.digest, sink.size)
        for piece in repository.blob(descriptor, sink.size):
            sink.write(piece)
            watch.advance(descriptor.digest, len(piece))
            if behind:
                behind.grown(len(piece))
            if repository.session.stop.is_set():
                raise Stopped
        if sink.digest != descriptor.digest:
            watch.advance(descriptor.digest, -sink.size)
            raise broken(f"blob {descriptor.digest} was damaged on its way: it came as {sink.digest}")
        if behind:
            behind.finish()


def _is_there(store: Store, descriptor: Descriptor) -> bool:
    """Say whether the store has it; a file of another size is damaged, and is fetched anew."""
    path = store.blobs.path(descriptor.digest)
    return path.is_file() and path.stat().st_size == descriptor.size


def each(action: Callable[[Item], object], items: Iterable[Item], stop: Event) -> None:
    """Run `action` on all items, some at once; the first failure, or Ctrl-C, calls the others off."""
    with ThreadPoolExecutor(limits.PARALLEL, thread_name_prefix="registry") as pool:
        futures = [pool.submit(action, item) for item in items]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        troubles = [trouble for future in done if (trouble := future.exception()) is not None]
        if troubles:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise next((one for one in troubles if not isinstance(one, Stopped)), troubles[0])
