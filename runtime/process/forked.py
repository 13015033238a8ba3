"""A starter as its spawner has it: the process, and the socket on which it tells of each instance."""

from __future__ import annotations

import os
import signal
import socket

from runtime.process import wire
from runtime.process.reclaim import await_exit
from runtime.process.starter import Starter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, NoReturn

_PATIENCE = 2.0  # seconds


class Forked:
    """Forks in its constructor; `end` reaps. `pidfd` tells of its death.

    `client` is the socket that the starter serves, `owner` the spawner's identity in each record, `strange`
    and the descriptors `pidfds` what the starter must not keep open.
    """

    def __init__(
        self,
        client: socket.socket,
        owner: dict[str, int],
        strange: Iterable[socket.socket],
        pidfds: Iterable[int] = (),
    ) -> None:
        self.notes, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        wire.widen(theirs)
        with theirs:
            self.pid = os.fork()
            if self.pid == 0:
                for one in (*strange, self.notes):
                    one.close()
                for fd in pidfds:
                    os.close(fd)
                _become(Starter(client, theirs, owner))
        self.pidfd = os.pidfd_open(self.pid)
        self._inbox = wire.Inbox(self.notes)

    def told(self) -> Iterator[dict[str, Any] | None]:
        """Yield every note that is there; None for its end, when it has died."""
        while True:
            try:
                data, _ = self._inbox.receive(socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = memoryview(b"")
            if not data:
                yield None
                return
            yield wire.loads(data)

    def end(self) -> None:
        """Let it finish what it has in hand, which then finds itself unwanted, and reap it."""
        self.notes.close()
        try:
            await_exit(self.pidfd, "the starter", _PATIENCE)
        except TimeoutError:
            os.kill(self.pid, signal.SIGKILL)
        finally:
            os.close(self.pidfd)
        os.waitpid(self.pid, 0)


def _become(starter: Starter) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        starter.serve()
    finally:
        os._exit(1)
