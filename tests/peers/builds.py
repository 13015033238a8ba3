"""Builds: one that is in the cache as a whole, and one of two stages that need only a processor."""

from __future__ import annotations

import os
import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.peers.movers import do
from tests.peers.peer import Missing, Peer, Staged, discard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.peers.movers import Mover

NO_BUILD = "it builds nothing"
_FILES, _FILE = 60, 8192  # of the application that is copied; bytes of each
# Tare notes what a second build of an unchanged context has found, unless a file is younger than that.
_SETTLED = 1.2  # seconds
# The shape of an application's Dockerfile: what it depends on first, then its files, then how it starts.
_CACHED = """
FROM {image}
ENV LANG=C.UTF-8
WORKDIR /app
COPY requirements.txt .
RUN cp requirements.txt installed && sha256sum installed > sum
COPY src/ src/
RUN find src -type f | wc -l > files
RUN useradd --system app || true
EXPOSE 8080
USER app
CMD ["/bin/true"]
"""
_SPIN = "i=0; while [ $i -lt {turns} ]; do i=$((i+1)); done; echo $i > /spun"
_STAGES = """
FROM {image} AS first
RUN : first; {spin}
FROM {image} AS second
RUN : second; {spin}
FROM {image}
COPY --from=first /spun /first
COPY --from=second /spun /second
"""
_TURNS = 4_000_000  # of the shell's loop: some three seconds on one core


def cached(mover: Mover, image: str, context: Path, *, touched: bool) -> Peer:
    """Return the build of a context that was built before; `touched` gives all files a new time each time."""
    context.mkdir()
    (context / "Dockerfile").write_text(_CACHED.format(image=image))
    (context / "requirements.txt").write_text("".join(f"package{n}==1.{n}\n" for n in range(40)))
    (context / "src").mkdir()
    chance = random.Random(1)
    for number in range(_FILES):
        (context / f"src/module{number}.py").write_bytes(chance.randbytes(_FILE))
    said = "touched since" if touched else "nothing has changed"
    return _peer(mover, image, context, f"build: every step in the cache, {said}", touched=touched)


def stages(mover: Mover, image: str, context: Path) -> Peer:
    """Return a build of two independent stages that spin, without a cache."""
    context.mkdir()
    spin = _SPIN.format(turns=_TURNS)
    (context / "Dockerfile").write_text(_STAGES.format(image=image, spin=spin))
    return _peer(mover, image, context, "build --no-cache: two stages that spin", "--no-cache")


def _peer(mover: Mover, image: str, context: Path, what: str, *options: str, touched: bool = False) -> Peer:
    words = mover.build

    @contextmanager
    def ready() -> Iterator[Callable[[], None]]:
        if words is None:
            raise Missing(NO_BUILD)
        with discard() as null:
            do(mover.pull, null, image=image)
            build = [*words[:-1], *options, words[-1]]
            do((build,), null, context=str(context))
            time.sleep(_SETTLED)
            do((build,), null, context=str(context))

            def prepare() -> None:
                for path in context.rglob("*") if touched else ():
                    path.touch()
                os.sync()

            yield Staged(prepare, lambda: do((build,), null, context=str(context)))

    return Peer(mover.name, what, ready)
