"""Pull and push against a docker-registry on loopback: everybody begins without the image, caches warm."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runtime.image import Reference, Store
from runtime.registry import push as send
from tests.peers.movers import do
from tests.peers.peer import Missing, Peer, Staged, discard
from tests.registry.server import launch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.peers.debian import Debian
    from tests.peers.movers import Mover

NO_PUSH = "it has nothing to push from"


@contextmanager
def registry(folder: Path, debian: Debian, *names: str) -> Iterator[str]:
    """Run a docker-registry that holds our images of those names; gives its host and port."""
    folder.mkdir()
    served, process = launch(folder)
    try:
        for name in names:
            send(debian.store, name, Reference.parse(f"{served.host}/{name}"))
        yield served.host
    finally:
        process.kill()
        process.wait()


def pull(mover: Mover, image: str, store: Path | None) -> Peer:
    """Return the pull of an image that was removed before; `store` is Tare's, whose layers are looked at."""

    @contextmanager
    def ready() -> Iterator[Callable[[], None]]:
        with discard() as null:
            do(mover.pull, null, image=image)
            if store:
                _unpacked(Store(store), image)
            do(mover.forget, null, image=image)  # another image may come to the same place

            def prepare() -> None:
                do(mover.forget, null, image=image)
                os.sync()

            yield Staged(prepare, lambda: do(mover.pull, null, image=image))

    return Peer(mover.name, mover.what, ready)


def push(mover: Mover, image: str, folder: Path) -> Peer:
    """Return the push of an image, which the mover has, to the registry in `folder`, which has nothing."""

    @contextmanager
    def ready() -> Iterator[Callable[[], None]]:
        words = mover.push
        if words is None:
            raise Missing(NO_PUSH)
        with discard() as null:
            do(mover.pull, null, image=image)

            def prepare() -> None:
                shutil.rmtree(folder / "storage/docker", ignore_errors=True)
                os.sync()

            yield Staged(prepare, lambda: do((words,), null, image=image))

    return Peer(mover.name, f"{mover.name} push", ready)


def _unpacked(store: Store, name: str) -> None:
    """Raise Missing unless every layer of an image of Tare's is unpacked, as the other movers' are."""
    absent = [one for one in store.resolve(name).diff_ids if not (store.layers / one.hex).is_dir()]
    if absent:
        raise Missing(f"{len(absent)} layers of {name} are not unpacked after the pull")
