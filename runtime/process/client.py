"""The client's end of the spawner's socket: start the process, send requests, receive replies."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from runtime.errors import RuntimeFault

_SOURCES = Path(__file__).resolve().parents[2]
# -I -S: no site packages, no environment, half the start-up time. The socket arrives as the descriptor in
# argv[1].
_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[2])
from runtime.process.spawner import main
main(int(sys.argv[1]))
"""


class Channel:
    """A spawner process and the requests to it; several threads may use it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self._socket, self._lock, self._seq = ours, threading.Lock(), 0
        with theirs:
            fd = theirs.fileno()
            # A session of its own: Ctrl-C at the terminal reaches the client, which decides.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _PROGRAM, str(fd), str(_SOURCES)],
                pass_fds=(fd,), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self.pid = self._process.pid

    def request(self, message: dict[str, Any], fds: tuple[int, ...] = ()) -> tuple[dict[str, Any], list[int]]:
        """Send and wait for the reply; returns it with the descriptors it carries.

        Raises RuntimeFault when the spawner has died, and Refusal when it reports an error.
        """
        with self._lock:
            self._seq += 1
            try:
                socket.send_fds(self._socket, [json.dumps({**message, "seq": self._seq}).encode()], fds)
                reply, received = self._receive(self._seq)
            except OSError as err:
                raise RuntimeFault.from_os(err, f"reach the spawner (process {self.pid})") from err
        if "error" in reply:
            raise Refusal(**reply["error"])
        return reply, received

    def _receive(self, seq: int) -> tuple[dict[str, Any], list[int]]:
        while True:
            data, fds, _, _ = socket.recv_fds(self._socket, 1 << 16, 1, socket.MSG_CMSG_CLOEXEC)
            if not data:
                hint = "remove what it left with: tare system prune"
                raise RuntimeFault(f"the spawner (process {self.pid}) has died", hint=hint)
            reply = json.loads(data)
            if reply["seq"] == seq:
                return reply, fds
            for fd in fds:  # the reply to a request whose caller was interrupted
                os.close(fd)

    def close(self) -> None:
        """Close the socket, on which the spawner removes all instances and exits; wait for it."""
        with self._lock:
            self._socket.close()
            self._process.wait()


class Refusal(Exception):  # noqa: N818
    """The spawner could not do it: at which stage, errno (0: none), on what, at which step of the plan."""

    def __init__(self, stage: str, errno: int, what: str, step: int = -1) -> None:
        super().__init__(f"{stage}: {what}: {os.strerror(errno) if errno else ''}")
        self.stage, self.errno, self.what, self.step = stage, errno, what, step

    @property
    def os_error(self) -> OSError:
        """The error as it was on the other side."""
        return OSError(self.errno, os.strerror(self.errno), self.what)
