"""A command at a container: its output copied here, input and signals copied there, until it ends.

The container's output comes through pipes of which the keeper holds the other end; input goes straight into
the container's own pipe or terminal, whose descriptor the keeper has passed.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from typing import TYPE_CHECKING, Any

from runtime.container.started import handles
from runtime.engine.client import Connection
from runtime.engine.detach import Keys
from runtime.oci import console, relay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from runtime.engine.places import Places

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
_CHUNK = 65536
_GONE = select.POLLHUP | select.POLLERR


class Attached:
    """The streams between a container and us; `ended_by` is the signal with which the user ended it."""

    def __init__(self, connection: Connection, keys: Keys, *, tty: bool) -> None:
        self._connection, self._keys, self._tty = connection, keys, tty
        self._outputs: dict[int, int] = {}
        self._theirs: list[int] = []
        self.ended_by: int | None = None
        self.left = False
        for target in (1,) if tty else (1, 2):
            ours, theirs = os.pipe2(os.O_CLOEXEC)
            self._outputs[ours] = target
            self._theirs.append(theirs)

    def ask(self, stdin: tuple[int, ...] = (), **request: object) -> None:
        """Send the request with our ends of the streams."""
        self._connection.ask((*self._theirs, *stdin), **request)
        for fd in self._theirs:
            os.close(fd)

    def follow(self, *, interactive: bool) -> dict[str, Any]:
        """Copy until the end; returns the container's last state."""
        answer, fds = self._connection.hear()
        pid, pidfd = next(iter(answer.values()))["pid"], fds[0]
        master = fds[1] if len(fds) > 1 else -1
        with self._signals(pid, pidfd), self._terminal(master):
            state = self._copy(master, interactive=interactive and master >= 0)
        for fd in fds:
            with contextlib.suppress(OSError):
                os.close(fd)
        return state

    @contextlib.contextmanager
    def _terminal(self, master: int) -> Iterator[None]:
        if not self._tty or master < 0:
            yield
            return
        with relay.raw(0), relay.sized(0, master):
            if os.isatty(0):
                console.resize(master, *console.size_of(0))
            yield

    @contextlib.contextmanager
    def _signals(self, pid: int, pidfd: int) -> Iterator[None]:
        """Pass signals on; one that process 1 does not handle, and the kernel drops, ends it nevertheless."""
        asked: set[int] = set()

        def send(number: int) -> None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, number)

        def forward(number: int, _frame: FrameType | None) -> None:
            if number in _ENDING and (number in asked or not handles(pid, number)):
                self.ended_by = number
                send(signal.SIGKILL)
            asked.add(number)
            send(number)

        previous = {number: signal.signal(number, forward) for number in _FORWARDED}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _copy(self, master: int, *, interactive: bool) -> dict[str, Any]:
        poll = select.poll()
        state: dict[str, Any] | None = None
        for fd in (self._connection.fileno(), *self._outputs, *([0] if interactive else [])):
            poll.register(fd, select.POLLIN)
        while state is None or self._outputs:
            for fd, _ in poll.poll():
                if fd in self._outputs:
                    if not self._show(fd):
                        poll.unregister(fd)
                        os.close(fd)
                        del self._outputs[fd]
                elif fd == 0:
                    if not self._feed(master):
                        poll.unregister(0)
                    if self.left:
                        return {"ExitCode": 0, "OOMKilled": False}
                else:
                    state = dict(self._connection.hear()[0]["exit"])
                    poll.unregister(fd)
        return state

    def _feed(self, master: int) -> bool:
        """Copy input; at its end the pipe is closed, so that the container sees the end, too."""
        typed = text = os.read(0, _CHUNK)
        if self._tty:
            text, self.left = self._keys.take(typed)
        try:
            while text:
                text = text[os.write(master, text) :]
        except OSError:
            return False
        if not typed and not self._tty:
            os.close(master)
        return bool(typed)

    def _show(self, fd: int) -> bool:
        text = os.read(fd, _CHUNK)
        more = bool(text)
        while text:
            text = text[os.write(self._outputs[fd], text) :]
        return more


def run(
    places: Places,
    container: str,
    *,
    tty: bool,
    stdin: int | None,
    interactive: bool,
    operation: str = "start",
    keys: Keys | None = None,
) -> tuple[int, int | None, dict[str, Any]]:
    """Start a container, or "attach" to one, and stay; returns its exit code, `ended_by`, its last state.

    `stdin` is a descriptor to pass to it as it is; `interactive` copies ours instead. When `keys` have been
    typed at its terminal, the code is 0, and the container runs on.
    """
    with Connection(places) as connection:
        attached = Attached(connection, keys or Keys(), tty=tty)
        given = () if stdin is None else (stdin,)
        size = console.size_of(0) if tty and os.isatty(0) else None  # else a program may find it without
        attached.ask(given, op=operation, id=container, once=interactive, size=size)
        state = attached.follow(interactive=interactive)
    return state["ExitCode"], attached.ended_by, state
