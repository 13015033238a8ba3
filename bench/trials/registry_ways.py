"""Ways to a registry: an account that it wants, and a mirror before it."""

import subprocess
import time
from pathlib import Path

from bench.clock import now
from bench.errors import BenchFault
from bench.targets.drivers import Drivers
from bench.trials.registry_server import Server, registry
from bench.trials.relay import relaying
from bench.trials.tools import Tare
from bench.value import Value, fact
from runtime.container.scratch import scratch
from runtime.image import Reference
from runtime.image.image import Image
from runtime.image.store import Store
from runtime.registry import Access, pull, push

USER, WORD, WRONG = "ann", "secret", "sesame"
HTPASSWD = "ann:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"
"""USER's, by bcrypt, of WORD; of a registry that lives for a trial."""
PATIENCE = 20.0
REFUSED = "status 401"


def login(tare: Tare, name: str) -> Value:
    """Log in by the command line: only the right password gets in, and only with it an image."""
    with scratch(tare.drivers.data) as place:
        (place / "htpasswd").write_text(HTPASSWD)
        (place / "home").mkdir()
        auth = {"htpasswd": {"realm": "trial", "path": str(place / "htpasswd")}}
        with registry(tare.drivers, auth=auth) as server:
            target, home = f"{server.host}/course/closed:1", str(place / "home")
            tare("image", "tag", name, target)
            before = _pushes(tare, target, home)
            wrong, right = (_logs_in(tare, server, home, word) for word in (WRONG, WORD))
            after = _pushes(tare, target, home)
            tare("image", "rm", target)
    return fact("works", holds=(before, wrong, right, after) == (False, False, True, True), step="log-in")


def _pushes(tare: Tare, target: str, home: str) -> bool:
    try:
        tare("image", "push", target, HOME=home)
    except BenchFault as fault:
        if REFUSED in str(fault):
            return False
        raise
    return True


def _logs_in(tare: Tare, server: Server, home: str, word: str) -> bool:
    words = (*tare.words, "registry", "login", "-u", USER, "--password-stdin", server.host)
    environment = dict(item.split("=", 1) for item in tare.environment(HOME=home))
    done = subprocess.run(
        words, input=word, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode == 0


def mirror(drivers: Drivers, source: Store, image: Image) -> list[Value]:
    """Pull through a mirror that knows nothing yet, and once more: the origin gives the layers once."""
    size = sum(layer.size for layer in image.layers)
    with (
        registry(drivers) as first,
        relaying(first.host) as relay,
        registry(drivers, proxy={"remoteurl": f"http://{relay.host}"}) as near,
    ):
        reference = Reference.parse(f"{relay.host}/course/made:1")
        push(source, str(image.digest), reference)
        before = relay.moved
        cold = _through(drivers, reference, near, image)
        _await(near.storage, image)
        between = relay.moved
        warm = _through(drivers, reference, near, image)
        pulled, again = between - before, relay.moved - between
    return [
        fact("works", holds=cold and pulled >= size, step="mirror, cold"),
        fact("works", holds=warm and again < size / 10, step="mirror, warm"),
        Value("origin_bytes", "B", pulled, {"mirror": "cold"}, steady=True),
        Value("origin_bytes", "B", again, {"mirror": "warm"}, steady=True),
    ]


def _through(drivers: Drivers, reference: Reference, near: Server, image: Image) -> bool:
    """Pull into a clean store through the mirror; returns whether it is the image."""
    with scratch(drivers.data) as place:
        host = Store(place / "images")
        pull(host, reference, access=Access(mirrors=(near.host,)))
        return host.resolve(reference).digest == image.digest


def _await(storage: Path, image: Image) -> None:
    """Wait until the mirror has written what it has passed on."""
    blobs = storage / "docker/registry/v2/blobs/sha256"
    digests = [one.digest.hex for one in (image.manifest.config, *image.layers)]
    deadline = now() + PATIENCE
    while not all((blobs / name[:2] / name / "data").exists() for name in digests):
        if now() > deadline:
            raise BenchFault(
                "the mirror does not keep what it passes on", hint="look at docker-registry", kind="failed"
            )
        time.sleep(0.05)
