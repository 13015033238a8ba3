"""HTTP servers of the tests' own that live for a block."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Quiet(BaseHTTPRequestHandler):
    """A handler without a log; `self.server.owner` is what `listening` was given."""

    def log_message(self, *_):
        """Say nothing."""

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def reply(self, status, content=b"", **headers):
        self.send_response(status)
        for name, value in {"Content-Length": len(content), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def running(server):
    """Let a server of socketserver's serve until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def listening(handler, owner):
    """Yield the address HOST:PORT of a server that ends with the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.owner, server.daemon_threads = owner, True
    with running(server):
        yield f"127.0.0.1:{server.server_address[1]}"
