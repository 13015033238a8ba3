"""The agent as a child of the harness, without chroot, spawner or privileges: the least a start can be."""

from __future__ import annotations

import os
import socket
import subprocess
import tty
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from bench.target import Availability, Image, Member, Prepared
from bench.workloads import agent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bench.results.model import Channel
    from bench.target import Box, Kind, Launcher

BOUNDARY = "the host's shell with the agent's script, a child of the harness"


class BareInstance:
    """A shell on one end of a socket pair or a terminal."""

    console: int | None = None
    requests: int | None = None
    memory_cgroup: Path | None = None
    storage: Sequence[Path] = ()

    def __init__(self, name: str, channel: Channel) -> None:
        self.name = name
        with ExitStack() as opened:
            ours, theirs = _pair(channel)
            opened.callback(os.close, ours)
            try:
                self._process = subprocess.Popen(
                    ["/bin/sh", "-c", SCRIPT], stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL
                )
            finally:
                os.close(theirs)
            opened.pop_all()
        self.agent = ours

    def members(self) -> Sequence[Member]:
        """Return the shell."""
        return (Member(self._process.pid, "process"),)

    def remove(self) -> None:
        """Kill the shell and close the channel."""
        if self._process.returncode is not None:
            return
        self._process.kill()
        self._process.wait()
        os.close(self.agent)

    def leftovers(self) -> Sequence[str]:
        """Name the process if it is still there."""
        return [] if self._process.poll() is not None else [f"process {self._process.pid}"]

    def log(self) -> str:
        """Return nothing: what a shell complains of is not kept."""
        return ""


SCRIPT = agent.source().decode()


def _pair(channel: Channel) -> tuple[int, int]:
    """Return our end and theirs; a terminal passes bytes on as they are, without an echo of its own."""
    if channel == "terminal":
        ours, theirs = os.openpty()
        tty.setraw(theirs)
        return ours, theirs
    first, second = socket.socketpair()
    return first.detach(), second.detach()


class Bare:
    """Starts the agent without any box, on the kind of channel that is asked for."""

    name = "bare"
    title = "the agent as a child of the harness"
    kind: Kind = "native"
    prepared = Prepared(Image("none", ""), None, BOUNDARY)

    def __init__(self, channel: Channel = "socket pair") -> None:
        self.channel = channel

    def availability(self) -> Availability:
        """Needs the host's shell."""
        there = os.access("/bin/sh", os.X_OK)
        return Availability(there, "fork and exec of /bin/sh" if there else "there is no /bin/sh")

    @contextmanager
    def launcher(self, box: Box) -> Iterator[Launcher]:  # noqa: ARG002 - there is no box
        """Prepare nothing."""
        yield self

    def start(self, name: str, *, ledger: bool = False) -> BareInstance:  # noqa: ARG002 - not measured
        """Fork and exec."""
        return BareInstance(name, self.channel)
