"""The client's end of the spawner's sockets: start the processes, send requests, receive replies."""

from __future__ import annotations

import errno
import marshal
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Callable

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
        self._socket, self._lock, self._seq = end, threading.Lock(), 0
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)

    def request(
        self,
        message: dict[str, Any],
        fds: tuple[int, ...] = (),
        meanwhile: Callable[[], None] | None = None,
    ) -> tuple[dict[str, Any], list[int]]:
        """Send and wait for the reply; returns it with the descriptors it carries; OSError, or EOFError.

        `meanwhile` is called while the other side works.
        """
        with self._lock:
            self._seq += 1
            message["seq"] = self._seq
            socket.send_fds(self._socket, [marshal.dumps(message)], fds)
            if meanwhile:
                meanwhile()
            return self._receive(self._seq)

    def tell(self, message: dict[str, Any]) -> None:
        """Send what has no reply; OSError."""
        with self._lock:
            self._socket.send(marshal.dumps(message))

    def _receive(self, seq: int) -> tuple[dict[str, Any], list[int]]:
        while True:
            data, fds, _, _ = socket.recv_fds(self._socket, 1 << 16, 1, socket.MSG_CMSG_CLOEXEC)
            if not data:
                raise EOFError
            reply: dict[str, Any] = marshal.loads(data)  # noqa: S302 - the spawner is this interpreter too
            if reply["seq"] == seq:
                return reply, fds
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
            except (OSError, EOFError):  # the starter died; the spawner knows how far it came
                found = self._recover(message)
            if found:
                return found
        raise RuntimeFault(
            f"the process that starts containers was killed {_STARTERS} times in a row",
            hint="see what kills it (dmesg, if the host has no memory left), and try again",
        )

    def request(self, message: dict[str, Any], meanwhile: Callable[[], None] | None = None) -> dict[str, Any]:
        """Reap or remove (see `runtime.process.spawner`); `meanwhile` is called while that goes on."""
        return self._control_request(message, meanwhile)[0]

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

    def _control_request(
        self, message: dict[str, Any], meanwhile: Callable[[], None] | None = None
    ) -> tuple[dict[str, Any], list[int]]:
        try:
            reply, received = self._control.request(message, meanwhile=meanwhile)
        except OSError as err:
            raise RuntimeFault.from_os(err, f"reach the spawner (process {self.pid})") from err
        except EOFError as err:
            hint = "remove what it left with: tare system prune"
            raise RuntimeFault(f"the spawner (process {self.pid}) has died", hint=hint) from err
        if "error" in reply:
            raise Refusal(**reply["error"])
        return reply, received

    def close(self) -> None:
        """Close the sockets, on which the spawner removes all instances and exits; wait for it."""
        with self._lock:
            self._starter.close()
            self._control.close()
            self._process.wait()
