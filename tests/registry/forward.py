"""A forward proxy (RFC 9110, section 7.6 and 9.3.6) whose network has one server only, whatever its name."""

import socket
import socketserver
import threading
from contextlib import contextmanager, suppress

from tests.registry.listener import running

HEAD = 1 << 16


class Forward(socketserver.StreamRequestHandler):
    """Takes CONNECT and absolute URLs, notes the first line and the account, and passes all else on."""

    def handle(self):
        first = self.rfile.readline(HEAD)
        lines = [first]
        while lines[-1] not in (b"\r\n", b""):
            lines.append(self.rfile.readline(HEAD))
        account = [line for line in lines if line.lower().startswith(b"proxy-authorization:")]
        self.server.asked.append(
            (first.decode().split()[:2], account[0].decode().strip() if account else None)
        )
        with socket.create_connection(self.server.goal) as goal:
            if first.startswith(b"CONNECT "):
                self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                goal.sendall(b"".join(line for line in lines if line not in account))
            pump = threading.Thread(
                target=self.pump, args=(lambda: self.rfile.read1(HEAD), goal), daemon=True
            )
            pump.start()
            self.pump(lambda: goal.recv(HEAD), self.connection)
            pump.join()

    def pump(self, take, to):
        """Pass on what comes, and its end."""
        with suppress(OSError):
            while piece := take():
                to.sendall(piece)
        for how in (socket.SHUT_RDWR,) if to is self.connection else (socket.SHUT_WR,):
            with suppress(OSError):
                to.shutdown(how)


@contextmanager
def forwarding(goal):
    """Yield a proxy to HOST:PORT: its `address`, and `asked`, what came as ([method, URL], account)."""
    host, _, port = goal.partition(":")
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Forward)
    server.daemon_threads, server.goal, server.asked = True, (host, int(port)), []
    server.address = f"127.0.0.1:{server.server_address[1]}"
    with running(server):
        yield server
