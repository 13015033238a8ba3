"""The channel to a workload: markers in, requests out, every arrival on the host's clock.

A marker is `RS "tare" SP word [SP arguments] LF` in a byte stream that may carry other output too. It is
time-stamped when the host's blocking wait returns: no polling at intervals, no clock of the guest.
"""

import os
import re
import select
from collections import deque
from dataclasses import dataclass

from bench.clock import elapsed, now
from bench.errors import BenchFault

MARKER = re.compile(rb"\x1etare ([a-z]+)(?: ([^\x1e\r\n]*))?\r?\n")
OPENING = b"\x1etare "
KERNEL_BANNER = b"Linux version"
KEPT_OUTPUT = 65536


@dataclass(frozen=True, slots=True)
class Marker:
    """A word that arrived, its arguments, and when (seconds of the host's monotonic clock)."""

    word: str
    arguments: str
    at: float


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ran inside: exit status, what it wrote, and how long it took by the host's clock."""

    status: int
    output: str
    seconds: float


class ChannelFault(BenchFault):
    """The workload fell silent, hung up or answered wrongly."""

    def __init__(self, text: str) -> None:
        super().__init__(text, hint="the log of the instance is in the result file's failures", kind="failed")


class HungUp(ChannelFault):
    """The other side has closed its end, as the dead do."""


class Channel:
    """Reads markers from the agent's descriptor, and a guest kernel's first sign from the console's.

    Requests are numbered from `first` on. A number that nobody can guess keeps a reply from being there
    before it was asked for.
    """

    def __init__(
        self, agent: int, console: int | None = None, requests: int | None = None, *, first: int = 1
    ) -> None:
        self._agent, self._requests = agent, agent if requests is None else requests
        self._poll = select.poll()
        self._buffers: dict[int, bytes] = {}
        self._outputs: dict[int, bytearray] = {}
        # poll(2) reports in this order: a kernel speaks before its user space, even if both have by now.
        for descriptor in (console, agent):
            if descriptor is not None:
                self._poll.register(descriptor, select.POLLIN)
                self._buffers[descriptor] = b""
                self._outputs[descriptor] = bytearray()
        self._pending: deque[Marker] = deque()
        self._kernel_seen = False
        self._tokens = first - 1

    def wait(self, *words: str, deadline: float) -> Marker:
        """Return the next marker that is one of `words`; others before it are dropped.

        Raises ChannelFault when `deadline` (monotonic seconds) passes or the other side hangs up.
        """
        while True:
            while self._pending:
                marker = self._pending.popleft()
                if marker.word in words:
                    return marker
            self._receive(deadline, " or ".join(words))

    def request(self, line: str) -> None:
        """Send one request line to the agent; raises ChannelFault when it is gone."""
        data = line.encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._requests, data) :]
        except (BrokenPipeError, ConnectionResetError) as gone:
            raise HungUp(
                f"the workload hung up before it was asked '{line}'; last output: {self.tail(300)!r}"
            ) from gone

    def ping(self, deadline: float) -> Marker:
        """Ask and return the first correct reply; a wrong one is a fault, not a reply."""
        self._tokens += 1
        self.request(f"ping {self._tokens}")
        reply = self.wait("pong", deadline=deadline)
        if reply.arguments != str(self._tokens):
            raise ChannelFault(f"the workload answered 'pong {reply.arguments}' to 'ping {self._tokens}'")
        return reply

    def execute(self, command: str, deadline: float) -> Finished:
        """Run a shell command inside and return its status and output, without the console's."""
        asked = now()
        token = self._ask(command)
        return self._finished(token, self.wait("done", deadline=deadline), asked)

    def between(self, command: str, deadline: float) -> Finished:
        """Run a shell command that writes the markers `begin` and `end`: `seconds` are those between them.

        Where it ends without both, they are 0 and its status is not.
        """
        token = self._ask(command)
        seen = [self.wait("begin", "done", deadline=deadline)]
        while seen[-1].word != "done":
            seen.append(self.wait("end", "done", deadline=deadline))
        finished = self._finished(token, seen[-1], seen[-1].at)
        if [marker.word for marker in seen] != ["begin", "end", "done"]:
            return Finished(finished.status or 1, finished.output, 0.0)
        return Finished(finished.status, finished.output, elapsed(seen[0].at, seen[1].at))

    def _ask(self, command: str) -> str:
        self._tokens += 1
        token = f"t{self._tokens}"
        self._outputs[self._agent].clear()
        self.request(f"exec {token} {command}")
        return token

    def _finished(self, token: str, reply: Marker, since: float) -> Finished:
        answered, _, status = reply.arguments.partition(" ")
        if answered != token or not status.isdecimal():
            raise ChannelFault(f"the workload answered 'done {reply.arguments}' when '{token}' was running")
        output = self._outputs[self._agent].decode(errors="replace")
        return Finished(int(status), output.replace("\r\n", "\n"), elapsed(since, reply.at))

    def tail(self, size: int = 2000) -> str:
        """Return the last output of each descriptor that was not a marker, for error messages."""
        last = (bytes(output + self._buffers[each])[-size:] for each, output in self._outputs.items())
        return b"".join(last).decode(errors="replace")

    def _receive(self, deadline: float, awaited: str) -> None:
        remaining = deadline - now()
        events = self._poll.poll(max(remaining, 0) * 1000) if remaining > 0 else []
        at = now()
        if not events:
            raise ChannelFault(f"no marker '{awaited}' in time; last output: {self.tail(300)!r}")
        for descriptor, _ in events:
            data = _read(descriptor)
            if not data and descriptor == self._agent:
                raise HungUp(f"the workload hung up before '{awaited}'; last output: {self.tail(300)!r}")
            if not data:
                self._poll.unregister(descriptor)
            self._take(descriptor, data, at)

    def _take(self, descriptor: int, data: bytes, at: float) -> None:
        text = self._buffers[descriptor] + data
        if not self._kernel_seen and KERNEL_BANNER in text:
            self._kernel_seen = True
            self._pending.append(Marker("kernel", "", at))
        end = 0
        for match in MARKER.finditer(text):
            self._keep(descriptor, text[end : match.start()])
            end = match.end()
            word, arguments = match.group(1).decode(), (match.group(2) or b"").decode(errors="replace")
            self._pending.append(Marker(word, arguments, at))
        rest = text[end:]
        start = _undecided(rest)
        self._keep(descriptor, rest[:start])
        self._buffers[descriptor] = rest[start:]

    def _keep(self, descriptor: int, output: bytes) -> None:
        self._outputs[descriptor] += output
        del self._outputs[descriptor][:-KEPT_OUTPUT]


def _undecided(rest: bytes) -> int:
    """Return from where on `rest` may be the beginning of a marker or of the banner; before it is output."""
    start = rest.rfind(b"\x1e")
    line = rest[start:] if start >= 0 else b""
    if line and b"\n" not in line and line[: len(OPENING)] == OPENING[: len(line)]:
        return start
    return max(rest.rfind(b"\n") + 1, len(rest) - len(KERNEL_BANNER) + 1, 0)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, KEPT_OUTPUT)
    except ConnectionResetError:  # the other side died with our request unread
        return b""
