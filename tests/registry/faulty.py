"""A registry of one image that goes wrong as it is told to: for T3 and T4 of the torture tests."""

import json
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.registry.listener import running

NAME = "team/made"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Faulty:
    """What is served, what goes wrong, and what was asked.

    `manifest` and `blobs` (digest to bytes) may be changed before a pull. `wrongs` maps a kind of request
    ("manifest", "blob", "patch", "ping", "tags", "delete") to a list of functions of the handler: each takes
    one request of that kind, the first one first, and the rest go well. `asked` holds (method, path, headers)
    of each, and `connections` the clients' ports.
    """

    def __init__(self, store, image):
        self.manifest = store.blobs.read(image.digest)
        self.kind = MANIFEST
        self.blobs = {str(one): store.blobs.read(one) for one in store.blobs}
        self.wrongs = {}
        self.asked = []
        self.connections = set()
        self.uploads = {}
        self.host = ""

    def wrong(self, kind):
        """Take the next fault of this kind of request, if one is left."""
        left = self.wrongs.get(kind)
        return left.pop(0) if left else None

    def ranges(self):
        """The Range headers of all requests for blobs, None where there was none."""
        return [headers.get("Range") for method, path, headers in self.asked
                if method == "GET" and "/blobs/" in path]  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.1, a connection for one request where something goes wrong."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Say nothing."""

    @property
    def faulty(self):
        return self.server.faulty

    def do_GET(self):
        self._note()
        if self.path == "/v2/":
            self._mind("ping") or self.reply(200)
        elif "/manifests/" in self.path:
            self._mind("manifest") or self.reply(
                200, self.faulty.manifest, {"Content-Type": self.faulty.kind}
            )
        elif "/tags/list" in self.path:
            self._mind("tags") or self.reply(404)
        elif "/uploads/" in self.path:
            got = self.faulty.uploads[self.path]
            self.reply(204, headers={"Location": self.path, "Range": f"0-{len(got) - 1}"})
        else:
            self._blob()

    def do_HEAD(self):
        self._note()
        self.reply(404)

    def do_POST(self):
        self._note()
        place = f"/v2/{NAME}/blobs/uploads/{len(self.faulty.uploads)}"
        self.faulty.uploads[place] = b""
        self.reply(202, headers={"Location": place})

    def do_PATCH(self):
        self._note()
        if not self._mind("patch"):
            self.faulty.uploads[self.path] += self.rfile.read(int(self.headers["Content-Length"]))
            self.reply(202, headers={"Location": self.path})

    def do_PUT(self):
        self._note()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        place, _, digest = self.path.partition("?digest=")
        if digest:
            self.faulty.blobs[digest.replace("%3A", ":")] = self.faulty.uploads[place] + body
        else:
            self.faulty.manifest = body
        self.reply(201)

    def do_DELETE(self):
        self._note()
        self._mind("delete") or self.reply(202)

    def _note(self):
        self.faulty.connections.add(self.client_address[1])
        self.faulty.asked.append((self.command, self.path, dict(self.headers)))

    def _mind(self, kind):
        """Do what goes wrong with this request; whether something did."""
        wrong = self.faulty.wrong(kind)
        if wrong:
            wrong(self)
        return bool(wrong)

    def _blob(self):
        if self._mind("blob"):
            return
        content = self.blob()
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if found:
            start = int(found[1])
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.reply(206, content[start:], {"Content-Range": span})
        else:
            self.reply(200, content)

    def blob(self):
        """The bytes of the blob that is asked for."""
        return self.faulty.blobs[self.path.rpartition("/")[2]]

    def reply(self, status, body=b"", headers=(), *, claim=None):
        """Answer; `claim` is the length that is told if it is not the body's."""
        self.send_response(status)
        for key, value in dict(headers).items():
            self.send_header(key, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body) if claim is None else claim))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def hang_up(self):
        """End the connection, whatever was promised."""
        self.wfile.flush()
        self.close_connection = True


@contextmanager
def serving(faulty):
    """Serve it on a port of this machine; ends with the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.faulty, server.daemon_threads = faulty, True
    faulty.host = f"127.0.0.1:{server.server_address[1]}"
    with running(server):
        yield faulty


def changed(faulty, **fields):
    """Write the manifest anew with other fields."""
    document = {**json.loads(faulty.manifest), **fields}
    faulty.manifest = json.dumps(document).encode()
