"""Instances that are processes of this kernel: the bare process and the container."""

import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.target import Member
from bench.targets.faults import translated
from runtime.container.started import Started
from runtime.linux.processes import start_time
from runtime.network.attachment import Attachment, attach, detach

Start = Callable[[int], Started]
"""Starts something whose standard input and output are the given descriptor."""


class ProcessInstance:
    """A bare process or a container, by the handle that the runtime gave."""

    console: int | None = None
    requests: int | None = None

    def __init__(self, started: Started, channel: socket.socket, role: str) -> None:
        self.name = started.id
        self.agent = channel.fileno()
        self._started, self._channel, self._role = started, channel, role
        self._plugged: Attachment | None = None

    @classmethod
    def launch(cls, start: Start, role: str) -> "ProcessInstance":
        """Start with one end of a socket pair as standard input and output; errors go where ours go."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                with translated():
                    return cls(start(theirs.fileno()), ours, role)
            except BaseException:
                ours.close()
                raise

    def plug(self, run: Path) -> None:
        """Give the container a link to the bridge whose records are below `run`; it is removed on failure."""
        pid = self._started.pid
        try:
            with translated(), Path(f"/proc/{pid}/ns/net").open("rb") as netns:
                self._plugged = attach(run, self.name, netns.fileno(), owner=(pid, start_time(pid)))
        except BaseException:
            self.remove()
            raise

    @property
    def memory_cgroup(self) -> Path | None:
        """The memory controller's directory, if the instance has one."""
        return self._started.cgroup.path("memory") if self._started.cgroup else None

    @property
    def storage(self) -> Sequence[Path]:
        """The writable layer; a bare process has none of its own."""
        return (self._started.upper,) if self._started.upper else ()

    def members(self) -> Sequence[Member]:
        """Return the processes of the cgroup, or the one process where there is none."""
        group = self.memory_cgroup
        pids = (
            [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
            if group
            else [self._started.pid]
        )
        return [Member(pid, self._role) for pid in pids]

    def remove(self) -> None:
        """Kill and remove; returns when nothing is left."""
        with translated():
            if self._plugged:
                detach(self._plugged.run, self._plugged.container)
                self._plugged = None
            self._started.remove()
        self._channel.close()

    def leftovers(self) -> Sequence[str]:
        """Name what is still there."""
        return self._started.leftovers()

    def log(self) -> str:
        """Return nothing: process 1 writes its complaints to our own standard error."""
        return ""
