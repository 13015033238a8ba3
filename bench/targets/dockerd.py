"""A docker daemon: one of our own below two directories, or somebody else's by its socket."""

import os
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.clock import now
from bench.errors import BenchFault
from bench.target import Member
from bench.targets import roles
from bench.targets.calls import ENVIRONMENT
from bench.targets.program import Program, tail
from runtime.cgroups import tree
from runtime.cgroups.manager import Resources
from runtime.container import NativeSpec, Spawner
from runtime.container.started import Started

DOCKERD = Program("dockerd", "docker.io")
START = 30.0
PAUSE = 0.05
SHIM = "containerd-shim-runc-v2"
ROLES = {"dockerd": "dockerd, shared", "containerd": "containerd, shared"}


@dataclass
class Daemon:
    """What is shared by all containers; `cgroups` charge it and them."""

    host: str
    whose: str
    group: Path | None = None
    pid: int = 0
    cgroups: list[Path] = field(default_factory=list)
    storage: Sequence[Path] = ()

    @property
    def memory_cgroups(self) -> Sequence[Path]:
        """The daemon's, in which the shims are too, and that around the containers."""
        return self.cgroups

    @property
    def accounted(self) -> bool:
        """Somebody else's daemon and its shims are in whatever cgroup he has put them."""
        return self.group is not None

    def members(self) -> Sequence[Member]:
        """Return dockerd and containerd."""
        found = [pid for pid in self._pids() if roles.program(pid) in ROLES]
        return roles.members(found, ROLES, "")

    def shims(self, identity: str) -> Sequence[int]:
        """Find the shim of the container with that id, by its command line."""
        pids = (
            [int(path.name) for path in Path("/proc").glob("[0-9]*")] if self.group is None else self._pids()
        )
        return [
            pid
            for pid in pids
            if (words := roles.words(pid))[0].rpartition("/")[2] == SHIM and identity in words
        ]

    def _pids(self) -> list[int]:
        if self.group is not None:
            below = tree.descendants(str(self.group))
            return sorted({pid for directory in below for pid in tree.processes(directory)})
        # Whichever of its threads has forked it.
        listed = [path.read_text() for path in Path(f"/proc/{self.pid}/task").glob("*/children")]
        return [self.pid, *(int(word) for text in listed for word in text.split())] if self.pid else []


@contextmanager
def private(spawner: Spawner, place: "os.PathLike[str]", data: Path) -> Iterator[Daemon]:
    """Start a daemon in a mount namespace and a cgroup of its own; it and all it started end with this."""
    host, log = f"unix://{place}/docker.sock", Path(place, "dockerd.log")
    words = (
        Program("unshare", "util-linux").path, "--mount", "--propagation", "private", DOCKERD.path,
        "--data-root", f"{data}/data", "--exec-root", f"{place}/exec", "--pidfile", f"{place}/pid",
        "--host", host, "--bridge", "none", "--iptables=false", "--ip6tables=false",
        "--exec-opt", "native.cgroupdriver=cgroupfs", "--storage-driver", "overlay2",
    )  # fmt: skip
    spec = NativeSpec(
        id=f"dockerd-{os.getpid()}-{time.monotonic_ns()}", args=words, env=ENVIRONMENT, resources=Resources()
    )
    with log.open("wb") as said, Path(os.devnull).open("rb") as nothing:
        started = spawner.start_native(
            spec, stdin=nothing.fileno(), stdout=said.fileno(), stderr=said.fileno()
        )
    with started:
        _await(started, Path(place, "docker.sock"), log)
        group = started.cgroup.path("memory") if started.cgroup else None
        charged, layers = [group] if group else [], (data / "data/overlay2",)
        yield Daemon(host, "Tare's own, started for this run", group, started.pid, charged, layers)


def existing(host: str) -> Daemon:
    """Return somebody else's daemon; where its socket tells its pid, its memory is seen by its processes."""
    return Daemon(host, f"the one at {host}", None, _peer(host))


def _peer(host: str) -> int:
    """Return the process that listens at a local socket (SO_PEERCRED of unix(7)); 0 for others."""
    if not host.startswith("unix://"):
        return 0
    with socket.socket(socket.AF_UNIX) as one:
        try:
            one.connect(host.removeprefix("unix://"))
        except OSError as error:
            raise BenchFault(
                f"no docker daemon answers at {host}: {error.strerror}",
                hint="start it, or leave TARE_DOCKER_HOST out: then Tare starts one of its own",
                kind="host",
            ) from error
        credentials = one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


def _await(started: Started, place: Path, log: Path) -> None:
    """Wait until the daemon answers; outside of anything that is measured, so by looking again and again."""
    deadline = now() + START
    while not _answers(place):
        if now() > deadline or not _runs(started):
            raise BenchFault(
                f"dockerd does not answer: {tail(log.read_text(errors='replace'), 2)}",
                hint="start dockerd by hand and see what it lacks, or name a daemon in TARE_DOCKER_HOST",
                kind="host",
            )
        time.sleep(PAUSE)


def _answers(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(START)
        try:
            one.connect(str(place))
            one.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 OK" in one.recv(4096)
        except OSError:
            return False


def _runs(started: Started) -> bool:
    try:
        started.wait(0.0)
    except TimeoutError:
        return True
    return False
