"""RUN --mount=type=ssh: a socket inside that leads to an ssh-agent outside; keys stay in the agent."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK = 1 << 16
_NAME = "agent"


@contextmanager
def relay(agent: str, directory: Path) -> Iterator[Path]:
    """Yield a socket in an empty directory; who connects to it talks to the agent's. Raises OSError.

    It can be given another owner and mode than the agent's, which stays as it is.
    """
    held = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    with socket.socket(socket.AF_UNIX) as server:
        try:
            # unix(7): an address has 107 bytes, which a path may exceed.
            server.bind(f"/proc/self/fd/{held}/{_NAME}")
        finally:
            os.close(held)
        server.listen()
        accepting = threading.Thread(target=_accept, args=(server, agent), daemon=True)
        accepting.start()
        try:
            yield directory / _NAME
        finally:
            server.shutdown(socket.SHUT_RDWR)  # wakes accept(2)
            accepting.join()


def _accept(server: socket.socket, agent: str) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_connect, args=(client, agent), daemon=True).start()


def _connect(client: socket.socket, agent: str) -> None:
    with client, socket.socket(socket.AF_UNIX) as other, suppress(OSError):
        other.connect(agent)
        back = threading.Thread(target=_copy, args=(other, client), daemon=True)
        back.start()
        _copy(client, other)
        back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
