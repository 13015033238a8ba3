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
COPY stamp .
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


# What is done before each rebuild, untimed; all find every step in the cache.
REBUILDS = {
    "rebuild": "nothing has changed",
    "rebuild-first": "the first one after a change was built",
    "rebuild-touched": "files with new times and the same contents",
    "rebuild-unnoted": "nothing has changed, with --iidfile, which Tare has no notes for",
}


def cached(mover: Mover, image: str, context: Path, kind: str) -> Peer:
    """Return the build of a context that was built before; `kind` is one of REBUILDS."""
    context.mkdir(parents=True)
    (context / "Dockerfile").write_text(_CACHED.format(image=image))
    (context / "requirements.txt").write_text("".join(f"package{n}==1.{n}\n" for n in range(40)))
    (context / "stamp").write_text("0")
    (context / "src").mkdir()
    chance = random.Random(1)
    for number in range(_FILES):
        (context / f"src/module{number}.py").write_bytes(chance.randbytes(_FILE))

    def prepare(build: Callable[[], None]) -> None:
        if kind == "rebuild-first":
            (context / "stamp").write_text(str(time.time_ns()))
            time.sleep(_SETTLED)
            build()
        elif kind == "rebuild-touched":
            for path in context.rglob("*"):
                path.touch()

    what = f"build: every step in the cache, {REBUILDS[kind]}"
    options = ["--iidfile", f"{context}.id"] if kind == "rebuild-unnoted" else []
    return _peer(mover, image, context, what, prepare, *options)


def stages(mover: Mover, image: str, context: Path) -> Peer:
    """Return a build of two independent stages that spin, without a cache."""
    context.mkdir(parents=True)
    spin = _SPIN.format(turns=_TURNS)
    (context / "Dockerfile").write_text(_STAGES.format(image=image, spin=spin))
    what = "build --no-cache: two stages that spin"
    return _peer(mover, image, context, what, lambda _: None, "--no-cache")


def _peer(
    mover: Mover, image: str, context: Path, what: str, before: Callable[[Callable[[], None]], None],
    *options: str,
) -> Peer:  # fmt: skip
    words = mover.build

    @contextmanager
    def ready() -> Iterator[Callable[[], None]]:
        if words is None:
            raise Missing(NO_BUILD)
        with discard() as null:
            do(mover.pull, null, image=image)
            command = [*words[:-1], *options, words[-1]]

            def build() -> None:
                do((command,), null, context=str(context), tag=f"{context.name}:1")

            build()
            time.sleep(_SETTLED)
            build()

            def prepare() -> None:
                before(build)
                os.sync()

            yield Staged(prepare, build)

    return Peer(mover.name, what, ready)
