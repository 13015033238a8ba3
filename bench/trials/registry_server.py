"""A docker-registry of our own on this machine's loopback, for as long as a trial needs it."""

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.clock import now
from bench.errors import BenchFault
from bench.targets.calls import Call, Calls
from bench.targets.drivers import Drivers
from bench.targets.program import Program, tail
from runtime.container.scratch import scratch

PROGRAM = Program("docker-registry", "docker-registry")
START = 20.0
PAUSE = 0.05


@dataclass(frozen=True)
class Server:
    """A registry that runs: where it listens, what it keeps, and the process."""

    host: str
    storage: Path
    call: Call

    def stop(self) -> None:
        """End it; what it keeps stays until the end of the block."""
        self.call.drop()


@contextmanager
def registry(drivers: Drivers, **more: Any) -> Iterator[Server]:  # noqa: ANN401 - its configuration
    """Start one; `more` are further parts of its configuration (distribution's configuration.md)."""
    if PROGRAM.missing:
        raise BenchFault(PROGRAM.missing, hint="then run it again", kind="host")
    with scratch(drivers.data) as place:
        host = f"127.0.0.1:{free_port()}"
        file = place / "config.json"  # JSON is YAML
        file.write_text(json.dumps(_configuration(host, place / "storage", more)))
        call = Calls(drivers.spawner, place).begin("registry", PROGRAM.path, "serve", str(file))
        try:
            _await(host, call)
            yield Server(host, place / "storage", call)
        finally:
            call.drop()


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def opener() -> urllib.request.OpenerDirector:
    """Return what asks without any proxy."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _configuration(host: str, storage: Path, more: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(storage)}, "delete": {"enabled": True}},
        "http": {"addr": host},
        **more,
    }


def _await(host: str, call: Call) -> None:
    """Wait until it answers; outside of anything that is measured, so by looking again and again."""
    deadline = now() + START
    while not _answers(host):
        if now() > deadline:
            raise BenchFault(
                f"docker-registry does not answer: {tail(call.said)}",
                hint="run docker-registry by hand",
                kind="host",
            )
        time.sleep(PAUSE)


def _answers(host: str) -> bool:
    try:
        opener().open(f"http://{host}/", timeout=5).close()
    except urllib.error.HTTPError as answer:
        answer.close()
        return True
    except OSError:
        return False
    return True
