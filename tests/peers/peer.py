"""A peer: something that runs `/bin/true` from the same root, start to end with everything removed again."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Callable  # noqa: TC003 - a dataclass field
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 60  # seconds for one run; a peer that takes longer hangs


class Missing(Exception):  # noqa: N818
    """This host can't run the peer; the message says why."""


@dataclass(frozen=True)
class Staged:
    """An action around which there is more to do each time: `prepare` before it, untimed.

    `settle`, after it, is timed on its own: what the action left for later.
    """

    prepare: Callable[[], None]
    act: Callable[[], None]
    settle: Callable[[], None] = os.sync

    def __call__(self) -> None:
        """Act."""
        self.act()


@dataclass(frozen=True)
class Peer:
    """`open()` prepares it and gives the action that is timed; `what` says what it includes."""

    name: str
    what: str
    open: Callable[[], AbstractContextManager[Callable[[], None]]]


def run(command: list[str], null: int) -> None:
    """Run a program to its end with nothing on its descriptors; CalledProcessError unless it exits with 0."""
    pid = os.posix_spawn(
        command[0], command, os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, null, number) for number in (0, 1, 2)],
        setsigdef=[signal.SIGPIPE],
    )  # fmt: skip
    _await(pid, command[0])
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise subprocess.CalledProcessError(status, command)


def _await(pid: int, name: str) -> None:
    pidfd, poll = os.pidfd_open(pid), select.poll()
    poll.register(pidfd, select.POLLIN)
    try:
        if not poll.poll(PATIENCE * 1000):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise TimeoutError(f"{name} does not end within {PATIENCE} s")
    finally:
        os.close(pidfd)


def probe(command: list[str]) -> None:
    """Run a program once and keep its words: Missing with the last of them unless it exits with 0."""
    # Words go to a file: who inherits a pipe and lives on (conmon) would keep its reader waiting.
    with tempfile.TemporaryFile() as words:
        try:
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=words, stderr=words,
                           timeout=PATIENCE)  # fmt: skip
        except FileNotFoundError as err:
            raise Missing(f"{command[0]} is not installed") from err
        except subprocess.TimeoutExpired as err:
            raise Missing(f"{command[0]} does not end within {PATIENCE} s") from err
        except subprocess.CalledProcessError as err:
            words.seek(0)
            lines = words.read().decode(errors="replace").strip().splitlines() or ["(silent)"]
            raise Missing(f"exit {err.returncode}: {lines[-1][:200]}") from err


@contextmanager
def discard() -> Iterator[int]:
    """Open /dev/null for both directions."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    try:
        yield null
    finally:
        os.close(null)


def command(name: str, what: str, make: Callable[[int], list[str]]) -> Peer:
    """Return a peer that is one command; `make(number)` gives its words, with a name of its own each time."""

    @contextmanager
    def ready() -> Iterator[Callable[[], None]]:
        numbers = iter(range(1, 1 << 30))
        probe(make(0))
        with discard() as null:
            yield lambda: run(make(next(numbers)), null)

    return Peer(name, what, ready)


def scratch(folder: Path, name: str) -> Path:
    """Make a directory for a peer's own state."""
    place = folder / name
    place.mkdir(parents=True)
    return place
