"""Both builders with the same stand-ins for base images, and a server for what is fetched."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from runtime.image.store import Store
from tests.differential import builders, standins
from tests.differential.cases import TIME

if TYPE_CHECKING:
    from pathlib import Path

WEB = ("origin/raw/master/README.md", "origin/raw/master/LICENSE", "ruby-hello-world/archive/master.zip")


@dataclass(frozen=True)
class Bench:
    """What the builds of a session share; what is older than `since` is not the builds' own."""

    tare: builders.Tare
    buildah: builders.Buildah
    server: str
    since: float


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    root = tmp_path_factory.mktemp("www")
    for name in WEB:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{name}\n")
        os.utime(root / name, (TIME, TIME))
    handler = functools.partial(_Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{web.server_port}"
        web.shutdown()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_words):
        pass


@pytest.fixture(scope="session")
def bench(tmp_path_factory, server):
    for program in ("buildah", "podman"):
        if not shutil.which(program):
            pytest.skip(f"needs {program}: apt-get install {program}")
    home: Path = tmp_path_factory.mktemp("differential")
    names = standins.make(Store(home / "images"))
    with builders.buildah() as theirs:
        theirs.load(home / "images", names)
        yield Bench(builders.Tare(home), theirs, server, time.time())
