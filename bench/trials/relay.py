"""Counts bytes at the socket: a relay on loopback before a server, that passes everything on."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

CHUNK = 1 << 18


@dataclass(frozen=True)
class Relay:
    """A relay that runs; `host` is where it listens, HOST:PORT."""

    server: "_Server"

    @property
    def host(self) -> str:
        """Where clients find it."""
        return f"127.0.0.1:{self.server.server_address[1]}"

    @property
    def moved(self) -> int:
        """Bytes that went through so far, both ways, headers and all."""
        return self.server.moved


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, goal: str) -> None:
        super().__init__(("127.0.0.1", 0), _Relayed)
        host, _, port = goal.rpartition(":")
        self.goal = host, int(port)
        self.moved = 0
        self.lock = threading.Lock()

    def count(self, size: int) -> None:
        with self.lock:
            self.moved += size


class _Relayed(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        with socket.create_connection(self.server.goal) as goal:
            up = threading.Thread(target=self._pass_on, args=(self.request, goal), daemon=True)
            up.start()
            self._pass_on(goal, self.request)
            up.join()

    def _pass_on(self, source: socket.socket, goal: socket.socket) -> None:
        with suppress(OSError):  # one side has hung up
            while data := source.recv(CHUNK):
                self.server.count(len(data))  # before the other side can answer it
                goal.sendall(data)
        with suppress(OSError):  # the other way may still have something to say
            goal.shutdown(socket.SHUT_WR)


@contextmanager
def relaying(goal: str) -> Iterator[Relay]:
    """Relay to the server at `goal` (HOST:PORT) for a block."""
    server = _Server(goal)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Relay(server)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
