"""The agent as a child of the harness, without chroot, spawner or privileges: the least a start can be."""

from __future__ import annotations

import os
import socket
import subprocess
import tty
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.target import Availability, Image, Member, Prepared
from bench.targets.pipes import CHANNEL, Pipes
from bench.workloads import agent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.results.model import Channel
    from bench.target import Box, Kind, Launcher

BOUNDARY = "the host's shell with the agent's script, a child of the harness"


class BareInstance:
    """A shell on one end of a socket pair or a terminal, or between two pipes."""

    console: int | None = None
    memory_cgroup: Path | None = None
    storage: Sequence[Path] = ()

    def __init__(self, name: str, channel: Channel) -> None:
        self.name = name
        with ExitStack() as opened, ExitStack() as lent:
            ours, theirs = _ends(channel)
            for held, ends in ((opened, ours), (lent, theirs)):
                for end in ends:
                    held.callback(os.close, end)
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", SCRIPT], stdin=theirs[0], stdout=theirs[-1], stderr=subprocess.DEVNULL
            )
            self._opened = opened.pop_all()
        self.agent = ours[0]
        self.requests = ours[1] if len(ours) > 1 else None

    def members(self) -> Sequence[Member]:
        """Return the shell."""
        return (Member(self._process.pid, "process"),)

    def remove(self) -> None:
        """Kill the shell and close the channel."""
        if self._process.returncode is not None:
            return
        self._process.kill()
        self._process.wait()
        self._opened.close()

    def leftovers(self) -> Sequence[str]:
        """Name the process if it is still there."""
        return [] if self._process.poll() is not None else [f"process {self._process.pid}"]

    def log(self) -> str:
        """Return nothing: what a shell complains of is not kept."""
        return ""


SCRIPT = agent.source().decode()


def _ends(channel: Channel) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return our ends and theirs: one that is read and written, or one to read and one to write.

    A terminal passes bytes on as they are, without an echo of its own.
    """
    if channel == "terminal":
        ours, theirs = os.openpty()
        tty.setraw(theirs)
        return (ours,), (theirs,)
    if channel == CHANNEL:
        with TemporaryDirectory(prefix="tare-") as place:  # open pipes need no name
            pipes = Pipes.make(Path(place))
            there = [(pipes.place / "in", os.O_RDONLY), (pipes.place / "out", os.O_WRONLY)]
            return (pipes.agent, pipes.requests), tuple(os.open(path, way) for path, way in there)
    first, second = socket.socketpair()
    return (first.detach(),), (second.detach(),)


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
