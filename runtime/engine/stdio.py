"""The standard streams of one container: its pipes or its terminal, who is attached, and its log."""

from __future__ import annotations

import os

from runtime.engine import logfile
from runtime.engine.streams import Tap

TYPE_CHECKING = False
if TYPE_CHECKING:
    import select

    from runtime.engine.documents import Document


class Stdio:
    """`stdin` is our end of its input, `master` of its terminal; -1 where there is none."""

    __slots__ = ("_open", "_poll", "_sinks", "_tty", "log", "master", "stdin", "taps")

    def __init__(self, plan: Document, poll: select.poll) -> None:
        self.log = logfile.of(plan["HostConfig"]["LogConfig"], plan["LogPath"])
        self.taps: list[Tap] = []
        self.stdin = self.master = -1
        self._tty, self._open = bool(plan["Config"]["Tty"]), bool(plan["Config"]["OpenStdin"])
        self._poll = poll
        self._sinks: list[int] = []

    def begin(self, sinks: list[int], given: int) -> tuple[int, int, int]:
        """Return the container's ends for a start: `sinks` get its output too, `given` is to be its stdin.

        Descriptors that are taken are ours to close; those returned are the caller's.
        """
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        if self._tty:
            self._sinks = sinks
            return null, null, null
        stdin = null
        if given >= 0:
            stdin = given
        elif self._open:
            stdin, self.stdin = os.pipe2(os.O_CLOEXEC)
        outputs = []
        for index, name in enumerate(("stdout", "stderr")):
            hear, output = os.pipe2(os.O_CLOEXEC)
            tap = self._tap(hear, name)
            for sink in sinks[index : index + 1]:
                tap.attach(sink)
            outputs.append(output)
        if stdin != null:
            os.close(null)
        return stdin, outputs[0], outputs[1]

    def terminal(self, master: int) -> None:
        """Take the terminal of a container that has been created."""
        self.master = master
        # Two readers would each get half: the clients write to duplicates, only this one reads.
        tap = self._tap(os.dup(master), "stdout")
        for sink in self._sinks:
            tap.attach(sink)
        self._sinks = []

    def attach(self, fds: list[int]) -> None:
        """Copy output to `fds` from now on."""
        for fd, name in zip(fds, ("stdout", "stderr"), strict=False):
            tap = next((tap for tap in self.taps if tap.name == name), None)
            if tap:
                tap.attach(fd)
            else:
                os.close(fd)

    @property
    def input(self) -> int:
        """The descriptor by which a client types; -1 where there is none."""
        return self.master if self._tty else self.stdin

    def drain(self) -> None:
        """After the container's end: take what is left, and close."""
        for tap in list(self.taps):
            tap.drain()
        for sink in self._sinks:
            os.close(sink)
        self._sinks = []

    def hand_over(self) -> None:
        """Let go of the input: it ends when the client's does (docker's StdinOnce)."""
        if self.stdin >= 0:
            os.close(self.stdin)
            self.stdin = -1

    def release(self) -> None:
        """Close our ends of the input and the terminal."""
        self.hand_over()
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def _tap(self, fd: int, name: str) -> Tap:
        tap = Tap(fd, name, self.log, self._poll, self._silent)
        self.taps.append(tap)
        return tap

    def _silent(self, tap: Tap) -> None:
        if tap in self.taps:
            self.taps.remove(tap)
