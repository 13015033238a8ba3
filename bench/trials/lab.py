"""The course's lab: a weather forecast as a web service, built, pushed, pulled, run, its page fetched."""

import os
import time
from pathlib import Path

from bench.clock import now
from bench.errors import BenchFault
from bench.targets import archive, confinement
from bench.targets.calls import Calls
from bench.targets.program import Program
from bench.trials import archives, steps
from bench.trials.registry_server import Server
from bench.trials.tools import HOME, Tare, last_digest, tare, translated
from bench.value import Value, fact
from runtime.container import ContainerSpec
from runtime.image.image import Image

PLACES = (HOME / "examples/weather", HOME / "bench/workloads/weather")
"""In a checkout, and as the wheel has it."""
AUTHORS = "org.opencontainers.image.authors"
TITLE = "<h1>Hangzhou</h1>"
PORT = 8080
PATIENCE = 20.0
FETCH = (
    "import urllib.request as r; o = r.build_opener(r.ProxyHandler({})); "
    f"print(o.open('http://127.0.0.1:{PORT}/', timeout=5).read().decode())"
)


def measure(build: Tare, server: Server) -> list[Value]:
    """Go through the lab; it is pulled and run on a host that never had the image."""
    with tare(build.drivers) as clean:
        return _lab(build, clean, server)


def _lab(build: Tare, clean: Tare, server: Server) -> list[Value]:
    place = next((path for path in PLACES if path.is_dir()), PLACES[0])
    name = f"{server.host}/course/weather:1"
    built = last_digest(build("image", "build", "--no-cache", "-t", name, str(place)))
    pushed = last_digest(build("image", "push", name))
    pulled = last_digest(clean("image", "pull", name))
    with translated():
        image = clean.store.resolve(name)
        below = len(build.store.resolve("busybox").document.history)
    page = served(clean, image)
    return [
        fact("lab", holds=bool(built), step="built"),
        fact("lab", holds=pushed == built, step="pushed"),
        fact("lab", holds=pulled == built, step="pulled"),
        fact("lab", holds=TITLE in page, step="run and fetched"),
        *_parts(build, image, page),
        *steps.by_instruction(_contents(build, name).steps(below), of="weather"),
    ]


def _parts(build: Tare, image: Image, page: str) -> list[Value]:
    base = build.store.resolve("busybox")
    depth = len(base.diff_ids)
    config = image.config
    return [
        fact("part", holds=image.diff_ids[:depth] == base.diff_ids, part="base image"),
        fact("part", holds=bool(config.labels.get(AUTHORS)), part="maintainer"),
        fact("part", holds=len(image.diff_ids) > depth, part="instructions"),
        fact("part", holds=bool(config.cmd) and bool(page), part="start command"),
    ]


def _contents(build: Tare, name: str) -> archives.Contents:
    file = build.root / "weather.tar"
    with translated():
        archive.write(build.store, build.store.resolve(name), name, file)
    return archives.read(file)


def served(host: Tare, image: Image) -> str:
    """Run the image as it says itself, and return the page that it serves on its own loopback."""
    config = image.config
    with translated():
        spec = ContainerSpec(
            id=f"lab-{os.getpid()}-{time.monotonic_ns()}",
            layers=host.store.layer_paths(image),
            args=(*config.entrypoint, *config.cmd),
            env=config.env,
            cwd=config.working_dir or "/",
            user=config.user,
            seccomp=confinement.program(),
        )
        with Path(os.devnull).open("r+b") as nothing:
            fd = nothing.fileno()
            started = host.drivers.spawner.start(spec, stdin=fd, stdout=fd, stderr=fd)
    with started:
        return _fetch(host, started.pid)


def _fetch(host: Tare, pid: int) -> str:
    """Ask from inside the container's network namespace, until somebody answers."""
    enter = (Program("nsenter", "util-linux").path, f"--net=/proc/{pid}/ns/net", "/usr/bin/python3", "-c")
    calls, deadline = Calls(host.drivers.spawner, host.root), now() + PATIENCE
    while True:
        try:
            return calls.run("fetch", *enter, FETCH)
        except BenchFault:
            if now() > deadline:
                raise
            time.sleep(0.05)
