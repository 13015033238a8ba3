"""A line to a server that breaks: passes bytes on, and cuts connections after so many of them."""

import socket
import socketserver
import threading
from contextlib import suppress

from tests.registry.listener import running

SIZE = 1 << 14


class Relayed(socketserver.BaseRequestHandler):
    def handle(self):
        with socket.create_connection(self.server.goal) as goal:
            up = threading.Thread(target=self.pump, args=(self.request, goal, "up"), daemon=True)
            up.start()
            self.pump(goal, self.request, "down")
            for end in (goal, self.request):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            up.join()

    def pump(self, source, to, way):
        with suppress(OSError):
            while piece := source.recv(SIZE):
                if self.server.cut(way, len(piece)):
                    break
                to.sendall(piece)
        for end in (source, to):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Relay(socketserver.ThreadingTCPServer):
    """`cuts` are sums of bytes, way by way: the connection that moves the next one is cut."""

    daemon_threads = True

    def __init__(self, goal, **cuts):
        super().__init__(("127.0.0.1", 0), Relayed)
        host, _, port = goal.partition(":")
        self.goal = host, int(port)
        self.cuts = {way: list(sums) for way, sums in cuts.items()}
        self.moved = {"up": 0, "down": 0}
        self.lock = threading.Lock()
        self.host = f"127.0.0.1:{self.server_address[1]}"

    def cut(self, way, size):
        with self.lock:
            self.moved[way] += size
            left = self.cuts.get(way)
            if left and self.moved[way] >= left[0]:
                left.pop(0)
                return True
        return False


def relaying(goal, **cuts):
    """Return a relay to HOST:PORT for a block, with `up` or `down` as a list of sums."""
    return running(Relay(goal, **cuts))
