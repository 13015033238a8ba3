"""Docker: a private daemon by default, or the one that TARE_DOCKER_HOST names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from bench.target import Availability, Box, Image, Kind, Launcher, Prepared
from bench.targets.calls import ENVIRONMENT, Calls
from bench.targets.dockerd import DOCKERD, Daemon, existing, private
from bench.targets.drivers import Drivers
from bench.targets.engine import Engine, EngineLauncher
from bench.targets.faults import translated
from bench.targets.nest import nest
from bench.targets.pipes import CHANNEL
from bench.targets.podman import load
from bench.targets.program import Program, found
from bench.workloads.images import provide
from runtime.container.scratch import scratch

DOCKER, RUNC = Program("docker", "docker.io"), Program("runc", "runc")
HOST = "TARE_DOCKER_HOST"
BOUNDARY = (
    "the container's processes, its containerd-shim, and what dockerd and containerd, which all containers "
    "share, have grown by since before the first; the client is inside the ladder and has ended when the "
    "instance is idle; overlay on the image's layers, no network, memory and CPU limits, docker's "
    "filter of system calls; the daemon is {whose}"
)


class Docker:
    """Containers of docker."""

    name = "docker"
    title = "container (docker)"
    kind: Kind = "container"

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers

    def availability(self) -> Availability:
        """Needs the client, and the daemon with runc unless one is named."""
        if HOST in os.environ:
            return found(DOCKER, reason=f"the daemon at {os.environ[HOST]}, by {HOST}")
        ours = found(DOCKER, DOCKERD, RUNC, reason=f"a daemon of its own; {HOST} names another")
        return replace(ours, version=f"{ours.version}, dockerd {DOCKERD.version}") if ours.available else ours

    @contextmanager
    def launcher(self, box: Box) -> Iterator[Launcher]:
        """Load the image into a daemon."""
        drivers = self._drivers
        with translated():
            image = provide(drivers, box.workload)
        with (
            scratch(drivers.data) as storage,
            scratch(drivers.run) as place,
            nest(drivers.spawner, self.name) as group,
            self._daemon(place) as daemon,
        ):
            daemon.cgroups.append(group.memory)
            words = (DOCKER.path, "--host", daemon.host)
            calls = Calls(drivers.spawner, place, words, (*ENVIRONMENT, f"DOCKER_CONFIG={place}"))
            reference = load(drivers, calls, image, storage)
            engine = Engine(
                calls, group, box, reference, (), ("rm", "--force"), daemon.shims, own_parent=False
            )
            boundary = BOUNDARY.format(whose=daemon.whose)
            identity = Image(image.reference, str(image.image.digest))
            try:
                yield EngineLauncher(
                    engine, Prepared(identity, None, boundary, daemon.storage, CHANNEL, daemon)
                )
            finally:
                calls.run("image", "image", "rm", "--force", reference)

    @contextmanager
    def _daemon(self, place: "os.PathLike[str]") -> Iterator[Daemon]:
        named = os.environ.get(HOST)
        if named:
            yield existing(named)
            return
        with scratch(self._drivers.data) as data, private(self._drivers.spawner, place, data) as daemon:
            yield daemon
