"""A box that is none: ready at once, so that what its starts take is the harness's own cost."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.channel import OPENING
from bench.target import Availability, Image, Prepared

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bench.target import Box, Kind, Launcher, Member

SAID = b"".join(OPENING + word + b"\n" for word in (b"init", b"listening", b"pong 1"))
"""All that a workload says until it is ready: it is in the channel before anybody asks."""
BOUNDARY = "no process at all: a channel in which every answer stands already"


class NullInstance:
    """A channel whose other end has spoken: it has answered the request with the number `token`."""

    token = 1

    console: int | None = None
    requests: int | None = None
    memory_cgroup: Path | None = None
    storage: Sequence[Path] = ()

    def __init__(self, name: str) -> None:
        self.name = name
        self._ours, self._theirs = socket.socketpair()
        self._theirs.sendall(SAID)
        self.agent = self._ours.fileno()

    def members(self) -> Sequence[Member]:
        """Return nothing: there is no process."""
        return ()

    def remove(self) -> None:
        """Close the channel."""
        self._ours.close()
        self._theirs.close()

    def leftovers(self) -> Sequence[str]:
        """Name the descriptor if it is still open."""
        return [f"descriptor {self._ours.fileno()}"] if self._ours.fileno() >= 0 else []

    def log(self) -> str:
        """Return nothing."""
        return ""


class NullLauncher:
    """Starts nothing."""

    prepared = Prepared(Image("none", ""), None, BOUNDARY)

    def start(self, name: str, *, ledger: bool = False) -> NullInstance:  # noqa: ARG002 - there is no memory
        """Return at once."""
        return NullInstance(name)


class Null:
    """The null target; it is in no list of targets, for nobody wants to run it."""

    name = "null"
    title = "nothing"
    kind: Kind = "native"

    def availability(self) -> Availability:
        """Can be had everywhere."""
        return Availability(available=True, reason=f"descriptors of process {os.getpid()}")

    @contextmanager
    def launcher(self, box: Box) -> Iterator[Launcher]:  # noqa: ARG002 - whatever is asked
        """Prepare nothing."""
        yield NullLauncher()
