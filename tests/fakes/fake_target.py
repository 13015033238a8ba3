"""Targets that need no root: a real agent as a child, or a thread at the other end that plays a box.

A behaviour is a function that is given the box's side of the channel; it runs in a thread of its own until
it returns, hangs up, or the instance is removed.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.target import Accelerator, Availability, Image, Member, Prepared
from bench.workloads import agent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from bench.target import AcceleratorName, Box, Kind, Shared

    Behaviour = Callable[["Inside"], None]

INIT, LISTENING = b"\x1etare init\n", b"\x1etare listening\n"
BANNER = b"[    0.000000] Linux version 6.1.0-test (gcc) #1 SMP\n"
DIGEST = "sha256:" + "0f" * 32


class Inside:
    """The box's side: it writes what a workload and a guest's kernel write, and reads requests."""

    def __init__(self, agent: socket.socket, console: socket.socket | None) -> None:
        self.agent, self.console = agent, console
        self.asked: list[str] = []

    def say(self, *parts: bytes) -> None:
        """Write every part with a call of its own."""
        for part in parts:
            self.agent.sendall(part)

    def print(self, text: bytes) -> None:
        """Write to the console."""
        assert self.console is not None
        self.console.sendall(text)

    def requests(self) -> Iterator[list[str]]:
        """Yield the words of each request until the other side hangs up."""
        with self.agent.makefile("rb") as lines:
            for line in lines:
                self.asked.append(line.decode().rstrip("\n"))
                yield self.asked[-1].split(" ", 2)

    def pong(self, words: Sequence[str]) -> None:
        """Answer a ping correctly."""
        self.say(f"\x1etare pong {words[1]}\n".encode())

    def hang_up(self) -> None:
        """End as a process that dies."""
        self.agent.close()
        if self.console:
            self.console.close()


def obedient(outputs: Mapping[str, str] | None = None, *, preface: bytes = b"", status: int = 0) -> Behaviour:
    """Return a box that answers all; `outputs` maps a part of a command to what the command prints."""

    def behave(inside: Inside) -> None:
        inside.say(preface, INIT, LISTENING)
        for words in inside.requests():
            if words[0] == "ping":
                inside.pong(words)
            elif words[0] == "exec":
                found = [text for part, text in (outputs or {}).items() if part in words[2]]
                inside.say(
                    found[0].encode() if found else b"", f"\x1etare done {words[1]} {status}\n".encode()
                )

    return behave


def guest(inside: Inside) -> None:
    """Play a guest: its kernel speaks on the console if it has one, else on the shared channel."""
    if inside.console:
        inside.print(BANNER)
    obedient(preface=b"" if inside.console else BANNER)(inside)


def mute(_inside: Inside) -> None:
    """Say nothing at all."""


def stuck(inside: Inside) -> None:
    """Start, and never listen."""
    inside.say(INIT, b"waiting for something\n")


def dying(inside: Inside) -> None:
    """Hang up before it listens."""
    inside.say(INIT, b"Segmentation fault\n")
    inside.hang_up()


def deaf(inside: Inside) -> None:
    """Hang up as soon as it listens, so that nobody reads the first request."""
    inside.say(INIT, LISTENING)
    inside.hang_up()


def lying(inside: Inside) -> None:
    """Answer with another ping's number."""
    inside.say(INIT, LISTENING)
    for _ in inside.requests():
        inside.say(b"\x1etare pong 999\n")


@dataclass
class FakeInstance:
    """A started box; `journal` hears what is done to it."""

    name: str
    channel: socket.socket
    screen: socket.socket | None
    body: subprocess.Popen[bytes] | threading.Thread
    inside: Inside | None
    journal: list[str]
    memory_cgroup: Path | None = None
    storage: Sequence[Path] = ()
    residue: Sequence[str] = ()
    pids: Sequence[int] = ()
    removed: bool = False
    requests: int | None = None

    def __post_init__(self) -> None:
        self.agent = self.channel.fileno()
        self.console = self.screen.fileno() if self.screen else None

    def members(self) -> Sequence[Member]:
        """Return the child, or the processes that the test named."""
        own = [self.body.pid] if isinstance(self.body, subprocess.Popen) else []
        return [Member(pid, "fake") for pid in (*self.pids, *own)]

    def remove(self) -> None:
        """End it, once."""
        if self.removed:
            return
        self.removed = True
        self.journal.append(f"remove {self.name}")
        for end in (self.channel, self.screen):
            if end:
                with suppress(OSError):  # the other side has hung up already
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        if isinstance(self.body, subprocess.Popen):
            self.body.kill()
            self.body.wait()
        else:
            self.body.join(5)
            assert not self.body.is_alive()

    def leftovers(self) -> Sequence[str]:
        """Return what the test wants to be left."""
        return self.residue

    def log(self) -> str:
        """Return a line of machinery."""
        return f"log of {self.name}"


@dataclass
class FakeLauncher:
    """Starts boxes that behave as the target says, by their index."""

    target: FakeTarget
    prepared: Prepared

    def start(self, name: str, *, ledger: bool = False) -> FakeInstance:
        """Start the next box."""
        index = self.target.started
        self.target.started += 1
        self.target.journal.append(f"start {name}" + (" with ledger" if ledger else ""))
        failure = self.target.refusals.get(index)
        if failure:
            raise failure
        instance = self._launch(name, self.target.behaviours.get(index, self.target.behaviour))
        self.target.instances.append(instance)
        return instance

    def _launch(self, name: str, behaviour: Behaviour | None) -> FakeInstance:
        with ExitStack() as opened:
            ours, theirs = map(opened.enter_context, socket.socketpair())
            screen = screens = None
            if self.target.with_console:
                screen, screens = map(opened.enter_context, socket.socketpair())
            inside = None
            if behaviour is None:
                body: subprocess.Popen[bytes] | threading.Thread = _agent(theirs)
                theirs.close()
            else:
                inside = Inside(theirs, screens)
                body = threading.Thread(target=_play, args=(behaviour, inside), daemon=True)
                body.start()
            opened.pop_all()
        target = self.target
        storage = [*target.storage(name)] if target.storage else []
        return FakeInstance(
            name, ours, screen, body, inside, target.journal, target.memory_cgroup, storage,
            target.residue, target.pids,
        )  # fmt: skip


@dataclass
class FakeTarget:
    """A kind of box. `behaviour` None means a real agent as a child process.

    `behaviours` and `refusals` choose other behaviours, or an error, for the start with that index, and
    `unprepared` an error for the preparation of a workload.
    """

    name: str
    kind: Kind = "native"
    accelerator: AcceleratorName | None = None
    behaviour: Behaviour | None = None
    behaviours: dict[int, Behaviour] = field(default_factory=dict)
    refusals: dict[int, Exception] = field(default_factory=dict)
    available: bool = True
    unprepared: dict[str, Exception] = field(default_factory=dict)
    with_console: bool = False
    residue: Sequence[str] = ()
    pids: Sequence[int] = ()
    memory_cgroup: Path | None = None
    images: Sequence[Path] = ()
    boots: Sequence[Path] = ()
    storage: Callable[[str], Sequence[Path]] | None = None
    shared: Shared | None = None
    store: Path | None = None
    journal: list[str] = field(default_factory=list)
    instances: list[FakeInstance] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    started: int = 0

    @property
    def title(self) -> str:
        """Say that it is none."""
        return f"fake {self.name}"

    def availability(self) -> Availability:
        """Be there, or say why not."""
        proof = Accelerator(self.accelerator, "a fake guest", 0.5) if self.accelerator else None
        reason = "a thread" if self.available else "the test says no"
        return Availability(self.available, reason, "1", proof)

    @contextmanager
    def launcher(self, box: Box) -> Iterator[FakeLauncher]:
        """Open and close, both on record."""
        self.boxes.append(box)
        self.journal.append(f"prepare {box.workload}")
        if box.workload in self.unprepared:
            raise self.unprepared[box.workload]
        image = Image(f"fake/{box.workload}", DIGEST)
        own = tuple(self.images)
        yield FakeLauncher(
            self,
            Prepared(
                image,
                self.accelerator,
                "a thread",
                own,
                shared=self.shared,
                store=self.store,
                boots=self.boots,
            ),
        )
        self.journal.append(f"release {box.workload}")


def virtual(name: str = "vm", **options: object) -> FakeTarget:
    """Return a target that poses as virtual machines under emulation."""
    return FakeTarget(name, "vm", "tcg", **{"behaviour": guest, **options})


def _play(behaviour: Behaviour, inside: Inside) -> None:
    with suppress(OSError):  # removed while it spoke, or hung up by itself
        behaviour(inside)
        while inside.agent.recv(4096):  # all is said, but only a dead box lets go of its end
            pass
    inside.hang_up()


def _agent(end: socket.socket) -> subprocess.Popen[bytes]:
    shell = shutil.which("sh") or "/bin/sh"
    script = agent.source().decode()
    return subprocess.Popen([shell, "-c", script], stdin=end, stdout=end, stderr=subprocess.DEVNULL)
