"""A trigger: a registry that tells of a push, by a webhook (distribution's notifications.md)."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bench.targets.drivers import Drivers
from bench.trials.registry_server import registry
from bench.value import Value, fact
from runtime.image import Reference
from runtime.image.image import Image
from runtime.image.store import Store
from runtime.registry import push

PATIENCE = 20.0
Events = queue.SimpleQueue[dict[str, Any]]


def measure(drivers: Drivers, source: Store, image: Image) -> Value:
    """Push, and wait for the event that names the image."""
    with _listening() as (host, events):
        endpoint = {
            "name": "trial", "url": f"http://{host}/events", "timeout": "2s", "threshold": 3, "backoff": "1s",
        }  # fmt: skip
        with registry(drivers, notifications={"endpoints": [endpoint]}) as server:
            push(source, str(image.digest), Reference.parse(f"{server.host}/course/told:1"))
            return fact("works", holds=_told(events, str(image.digest)), step="webhook")


def _told(events: Events, digest: str) -> bool:
    while True:
        try:
            event = events.get(timeout=PATIENCE)
        except queue.Empty:
            return False
        if (event["action"], event["target"].get("digest")) == ("push", digest):
            return True


@contextmanager
def _listening() -> Iterator[tuple[str, Events]]:
    """Listen on loopback; yields the address and what comes."""
    events: Events = queue.SimpleQueue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            for event in json.loads(body)["events"]:
                events.put(event)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", events
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
