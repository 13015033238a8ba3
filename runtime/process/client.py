"""The client's end of the spawner's sockets: start the processes, send requests, receive replies."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from runtime.errors import RuntimeFault
from runtime.process import wire

if TYPE_CHECKING:
    from collections.abc import Callable

_Found = TypeVar("_Found")
_STARTERS = 3  # that may die of something else than the start that is asked for
_SOURCES = Path(__file__).resolve().parents[2]
# -I -S: no site packages, no environment, half the start-up time. The sockets arrive as descriptors.
_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[2])
from runtime.process.spawner import main
main(int(sys.argv[1]), int(sys.argv[3]))
"""


class Refusal(Exception):  # noqa: N818
    """The spawner could not do it: at which stage, errno (0: none), on what, at which step of the plan."""

    def __init__(self, stage: str, errno: int, what: str, step: int = -1) -> None:
        super().__init__(f"{stage}: {what}: {os.strerror(errno) if errno else ''}")
        self.stage, self.errno, self.what, self.step = stage, errno, what, step

    @property
    def os_error(self) -> OSError:
        """The error as it was on the other side."""
        return OSError(self.errno, os.strerror(self.errno), self.what)


class _Line:
    """One socket, and the requests on it; several threads may use it."""

    def __init__(self, end: socket.socket) -> None:
        self._socket, self._inbox = end, wire.Inbox(end, fds=1)
        self._lock, self._seq = threading.Lock(), 0
        self._posted: set[int] = set()
        self._early: dict[int, dict[str, Any]] = {}  # came while another reply was waited for
        wire.widen(end)

    def request(self, message: dict[str, Any], fds: tuple[int, ...] = ()) -> tuple[dict[str, Any], list[int]]:
        """Send and wait for the reply; returns it with the descriptors it carries; OSError, or EOFError."""
        with self._lock:
            self._seq += 1
            message["seq"] = self._seq
            wire.send(self._socket, wire.dumps(message), fds)
            return self._receive(self._seq)

    def post(self, message: dict[str, Any]) -> int:
        """Send what is answered later, without descriptors; returns the number for `collect`; OSError."""
        with self._lock:
            self._seq += 1
            message["seq"] = self._seq
            self._posted.add(self._seq)
            wire.send(self._socket, wire.dumps(message))
            return self._seq

    def collect(self, number: int) -> dict[str, Any]:
        """Wait for the reply to what was posted; once only. OSError, or EOFError."""
        with self._lock:
            try:
                return self._early.pop(number, None) or self._receive(number)[0]
            finally:
                self._posted.discard(number)  # when this is interrupted, nobody asks for it again

    def abandon(self, number: int) -> None:
        """Drop the reply to what was posted, when it comes."""
        with self._lock:
            self._posted.discard(number)
            self._early.pop(number, None)

    def tell(self, message: dict[str, Any]) -> None:
        """Send what has no reply; OSError."""
        with self._lock:
            wire.send(self._socket, wire.dumps(message))

    def _receive(self, seq: int) -> tuple[dict[str, Any], list[int]]:
        while True:
            data, fds = self._inbox.receive()
            if not data:
                raise EOFError
            reply: dict[str, Any] = wire.loads(data)
            if reply["seq"] == seq:
                return reply, fds
            if reply["seq"] in self._posted:
                self._early[reply["seq"]] = reply
            for fd in fds:  # the reply to a request whose caller was interrupted
                os.close(fd)

    def close(self) -> None:
        """Close the socket, once nobody uses it."""
        with self._lock:
            self._socket.close()


class Channel:
    """A spawner process with its starter; several threads may use it.

    Each request raises RuntimeFault when the spawner has died, and Refusal when it reports an error.
    """

    def __init__(self) -> None:
        control, its_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        starter, its_starter = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control, self._starter = _Line(control), _Line(starter)
        self._lock = threading.Lock()
        with its_control, its_starter:
            fds = its_control.fileno(), its_starter.fileno()
            # A session of its own: Ctrl-C at the terminal reaches the client, which decides.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _PROGRAM, str(fds[0]), str(_SOURCES), str(fds[1])],
                pass_fds=fds, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self.pid = self._process.pid

    def start(self, message: dict[str, Any], fds: tuple[int, int, int]) -> tuple[dict[str, int], int]:
        """Start what `message` describes (see `runtime.process.starter`): {"pid", "start"} and a pidfd."""
        with self._lock:
            reply, received = self._ask(message, fds)
        if "error" in reply:
            if reply["held"]:
                self.request({"op": "remove", "id": message["state"]["id"]})
            raise Refusal(**reply["error"])
        return {"pid": reply["pid"], "start": reply["start"]}, received[0]

    def _ask(self, message: dict[str, Any], fds: tuple[int, int, int]) -> tuple[dict[str, Any], list[int]]:
        for _ in range(_STARTERS):
            try:
                return self._starter.request(message, fds)
            except (OSError, EOFError) as err:  # the starter died; the spawner knows how far it came
                if isinstance(err, OSError) and err.errno == errno.EMSGSIZE:
                    raise _too_long(message) from err
                found = self._recover(message)
            if found:
                return found
        raise RuntimeFault(
            f"the process that starts containers was killed {_STARTERS} times in a row",
            hint="see what kills it (dmesg, if the host has no memory left), and try again",
        )

    def request(self, message: dict[str, Any]) -> dict[str, Any]:
        """Remove (see `runtime.process.spawner`)."""
        return self._control_request(message)[0]

    def post(self, message: dict[str, Any]) -> int:
        """Ask to wait (see `runtime.process.spawner`); the number is for `collect`, later."""
        return self._through(lambda: self._control.post(message))

    def collect(self, number: int) -> dict[str, Any]:
        """Return the reply to what was posted, once it is there; once only."""
        return _granted(self._through(lambda: self._control.collect(number)))

    def abandon(self, number: int) -> None:
        """Have no use for the reply any more."""
        self._control.abandon(number)

    def tell(self, message: dict[str, Any]) -> None:
        """Forget (see `runtime.process.spawner`); nobody needs to know when the spawner has died."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._control.tell(message)

    def _recover(self, message: dict[str, Any]) -> tuple[dict[str, Any], list[int]] | None:
        """Get another starter, and what became of the request; None when the last one never heard of it."""
        self._starter.close()
        _, received = self._control_request({"op": "starter"})
        self._starter = _Line(socket.socket(fileno=received[0]))
        name, created = message["state"]["id"], message["state"]["created"]
        try:
            return self._control_request({"op": "recover", "id": name, "created": created})
        except Refusal as err:
            if err.errno != errno.ESRCH:
                raise
        return None

    def _control_request(self, message: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        reply, received = self._through(lambda: self._control.request(message))
        return _granted(reply), received

    def _through(self, act: Callable[[], _Found]) -> _Found:
        try:
            return act()
        except OSError as err:
            raise RuntimeFault.from_os(err, f"reach the spawner (process {self.pid})") from err
        except EOFError as err:
            hint = "remove what it left with: tare system prune"
            raise RuntimeFault(f"the spawner (process {self.pid}) has died", hint=hint) from err

    def close(self) -> None:
        """Close the sockets, on which the spawner removes all instances and exits; wait for it."""
        with self._lock:
            self._starter.close()
            self._control.close()
            self._process.wait()


def _too_long(message: dict[str, Any]) -> RuntimeFault:
    return RuntimeFault(
        f"cannot start {message['state']['id']}: its command and environment are too long", kind="usage",
        hint="pass them in a file: all together may take up to a megabyte",
    )  # fmt: skip


def _granted(reply: dict[str, Any]) -> dict[str, Any]:
    if "error" in reply:
        raise Refusal(**reply["error"])
    return reply
