"""A command's connection to the keeper, which is started when there is none."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from runtime.engine.places import Places

_SOURCES = Path(__file__).resolve().parents[2]
_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from runtime.engine.keeper import main
main(sys.argv[2], sys.argv[3])
"""
# An exec clears away what entering took, and makes the keeper's /proc its user's again.
_ENTERING = """
import os, sys
sys.path.insert(0, sys.argv[1])
from runtime import rootless
from runtime.errors import RuntimeFault
try:
    rootless.enter(rootless.plan())
except RuntimeFault as err:
    sys.exit(f"{err}; {err.hint}")
os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", sys.argv[4], *sys.argv[1:4]])
"""
_PATIENCE = 10.0  # seconds


class Connection:
    """One request and its answers; a context manager."""

    def __init__(self, places: Places) -> None:
        self._socket, self.keeper = _connect(places)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor, for a poll."""
        return self._socket.fileno()

    def ask(self, fds: tuple[int, ...] = (), **request: object) -> None:
        """Send the request."""
        socket.send_fds(self._socket, [json.dumps(request).encode()], fds)

    def hear(self) -> tuple[dict[str, Any], list[int]]:
        """Wait for an answer; a fault when it is one, or when the keeper has died."""
        try:
            data, fds, _, _ = socket.recv_fds(self._socket, 1 << 16, 3, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            data, fds = b"", []
        if not data:
            hint = "the next command that needs it starts another, which ends what it kept"
            raise RuntimeFault(f"the keeper (process {self.keeper}) has died", hint=hint)
        message: dict[str, Any] = json.loads(data)
        if "error" in message:
            error = message["error"]
            raise RuntimeFault(error["message"], kind=error["kind"], hint=error["hint"])
        return message, fds


def request(places: Places, **message: str | float | None) -> dict[str, Any]:
    """Ask for one thing, wait for the answer."""
    with Connection(places) as connection:
        connection.ask((), **message)
        return connection.hear()[0]


def _connect(places: Places) -> tuple[socket.socket, int]:
    deadline = time.monotonic() + _PATIENCE
    while True:
        found = _try(places.socket)
        if found:
            return found
        if time.monotonic() > deadline:
            raise RuntimeFault(f"the keeper does not answer at {places.socket}", hint=f"see {places.log}")
        _start(places)


def _try(path: str) -> tuple[socket.socket, int] | None:
    """Connect and wait for its greeting: one that is about to end gives none."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        here = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            connection.connect(f"/proc/self/fd/{here}")
        finally:
            os.close(here)
        greeting = connection.recv(1 << 12)
    except (FileNotFoundError, ConnectionError):
        greeting = b""
    if not greeting:
        connection.close()
        return None
    return connection, int(json.loads(greeting)["keeper"])


def _start(places: Places) -> None:
    run = Path(places.run) / "engine"
    run.mkdir(mode=0o711, parents=True, exist_ok=True)
    with Path(places.log).open("ab") as log:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", *_command(places)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=log, start_new_session=True, check=False,
        )  # fmt: skip
    if done.returncode:
        said = (Path(places.log).read_text(errors="replace").splitlines() or [""])[-1]
        raise RuntimeFault(f"the keeper could not be started: {said}", hint=f"see {places.log}")
    time.sleep(0.005)  # another one may be ending


def _command(places: Places) -> list[str]:
    words = [str(_SOURCES), places.run, places.data]
    return [_PROGRAM, *words] if os.geteuid() == 0 else [_ENTERING, *words, _PROGRAM]
