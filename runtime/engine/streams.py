"""What a container writes: read from its pipes or terminal, logged line by line, copied to who is attached.

The log (`logfile`) has the form of docker's json-file driver: {"log": LINE, "stream": "stdout", "time": …}.
Nobody's slowness may stop the keeper: all of its descriptors are non-blocking, and a reader that does not
read stops only the stream it is attached to, as a full pipe would.
"""

# contextlib and its imports stay out of the keeper:
# ruff: noqa: SIM105

from __future__ import annotations

import errno
import os
import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.engine.logfile import Log

CHUNK = 65536
_LONGEST = 16384  # bytes of a line; docker cuts there, too
_READ = select.POLLIN | select.POLLHUP | select.POLLERR


class Sink:
    """One reader that is attached: a descriptor of its own, and what it has not taken yet."""

    __slots__ = ("fd", "pending")

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self.fd, self.pending = fd, b""

    def offer(self, data: bytes) -> bool:
        """Write as much as it takes; False when nobody reads any more."""
        self.pending += data
        while self.pending:
            try:
                self.pending = self.pending[os.write(self.fd, self.pending) :]
            except BlockingIOError:
                return True
            except OSError:
                self.pending = b""
                return False
        return True


class Tap:
    """One stream of a container (`name`: stdout or stderr), its log, and its sinks."""

    __slots__ = ("_ended", "_log", "_partial", "_poll", "_sinks", "fd", "name")

    def __init__(self, fd: int, name: str, log: Log, poll: select.poll, ended: Callable[[Tap], None]) -> None:
        os.set_blocking(fd, False)
        self.fd, self.name = fd, name
        self._log, self._poll, self._ended = log, poll, ended
        self._sinks: dict[int, Sink] = {}
        self._partial = b""
        poll.register(fd, select.POLLIN)

    def attach(self, fd: int) -> None:
        """Copy everything from now on to `fd`, which is the tap's to close."""
        if self.fd < 0:
            os.close(fd)
            return
        self._sinks[fd] = Sink(fd)
        self._poll.register(fd, 0)  # POLLERR alone: that the reader has gone

    def owns(self, fd: int) -> bool:
        """Whether an event at `fd` is this tap's."""
        return fd == self.fd or fd in self._sinks

    @property
    def over(self) -> bool:
        """Whether there is nothing more to read nor to deliver."""
        return self.fd < 0 and not self._sinks

    def event(self, fd: int, events: int) -> None:
        """Take what there is to read, or deliver what a sink has room for."""
        if fd == self.fd:
            if events & _READ:
                self._take()
        elif fd in self._sinks:
            self._deliver(self._sinks[fd], b"", events)

    def drain(self) -> None:
        """After the container's end: take what is left, and close."""
        while self.fd >= 0 and self._take(always=True):
            continue
        self._close()

    def _take(self, *, always: bool = False) -> bool:
        try:
            data = os.read(self.fd, CHUNK)
        except BlockingIOError:
            return False
        except OSError as err:
            if err.errno != errno.EIO:  # a terminal whose last user has gone
                raise
            data = b""
        if not data:
            self._close()
            return False
        self._record(data)
        for sink in list(self._sinks.values()):
            self._deliver(sink, data)
        if not always and any(sink.pending for sink in self._sinks.values()):
            self._poll.unregister(self.fd)  # a mask of 0 would still tell of a hang-up, over and over
        return True

    def _record(self, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        found = [line + b"\n" for line in lines]
        while len(self._partial) >= _LONGEST:
            found.append(self._partial[:_LONGEST])
            self._partial = self._partial[_LONGEST:]
        self._log.write(self.name, found)

    def _deliver(self, sink: Sink, data: bytes, events: int = 0) -> None:
        if events & (select.POLLERR | select.POLLHUP) or not sink.offer(data):
            self._drop(sink)
        else:
            self._poll.register(sink.fd, select.POLLOUT if sink.pending else 0)
            if self.fd < 0 and not sink.pending:
                self._drop(sink)
        if self.fd >= 0 and not any(other.pending for other in self._sinks.values()):
            self._poll.register(self.fd, select.POLLIN)
        elif self.over:
            self._ended(self)

    def _drop(self, sink: Sink) -> None:
        del self._sinks[sink.fd]
        self._poll.unregister(sink.fd)
        os.close(sink.fd)

    def _close(self) -> None:
        if self.fd < 0:
            return
        self._log.write(self.name, [self._partial] if self._partial else [])
        self._partial = b""
        try:
            self._poll.unregister(self.fd)
        except KeyError:  # it was waiting for a sink
            pass
        os.close(self.fd)
        self.fd = -1
        for sink in [sink for sink in self._sinks.values() if not sink.pending]:
            self._drop(sink)
        if self.over:
            self._ended(self)
