"""The trials of the scenario `build`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.target import Image, Prepared
from bench.targets.calls import ENVIRONMENT, Calls
from bench.targets.docker import DOCKER
from bench.targets.dockerd import private
from bench.targets.drivers import Drivers
from bench.targets.podman import load
from bench.trials import lab, rights, secret, stages, steps
from bench.trials.builders import ClassicBuilder, TareBuilder
from bench.trials.ordinary import User
from bench.trials.registry_server import Server, registry
from bench.trials.tools import tare as tare_at
from bench.trials.tools import translated
from bench.value import Value
from bench.workloads.images import Provided
from runtime.container.scratch import scratch
from runtime.image.bootstrap import bootstrap
from runtime.image.image import Image as Stored

BASE = "busybox:latest"
OURS = (
    "`tare image build --no-cache` as a command, on a store that has the base image; two stages that don't "
    "need each other, three secrets, three installed programs, an ordinary user's build, and the lab"
)
CLASSIC = (
    "`docker build --no-cache` with DOCKER_BUILDKIT=0 as a command, with a daemon of Tare's own that has the "
    "base image; the classic builder has no secret mounts, so that way is left out"
)


@dataclass(frozen=True)
class TareTrial:
    """Everything by Tare's own builder."""

    prepared: Prepared
    builder: TareBuilder
    base: Stored
    server: Server
    user: User

    def take(self) -> list[Value]:
        """Build all, once."""
        with translated():
            return [
                *stages.measure(self.builder),
                *secret.measure(self.builder),
                *steps.measure(self.builder, self.base),
                *rights.tare(self.builder.tare, self.user),
                *lab.measure(self.builder.tare, self.server),
            ]


@dataclass(frozen=True)
class ClassicTrial:
    """What docker's classic builder can do of it."""

    prepared: Prepared
    builder: ClassicBuilder
    base: Stored
    host: str
    user: User

    def take(self) -> list[Value]:
        """Build all that it can, once."""
        return [
            *stages.measure(self.builder),
            *secret.measure(self.builder, ("argument", "deleted file")),
            *steps.measure(self.builder, self.base),
            *rights.docker(self.host, self.builder.base, self.user),
        ]


@contextmanager
def tare(drivers: Drivers) -> Iterator[TareTrial]:
    """Prepare an empty root, a registry and a user."""
    with (
        tare_at(drivers) as own,
        registry(drivers) as server,
        scratch(drivers.data) as place,
        scratch(drivers.data) as account,
    ):
        with translated():
            image = bootstrap(own.store, "busybox")
        prepared = Prepared(Image(BASE, str(image.digest)), None, OURS)
        user = User.made(drivers, account)
        yield TareTrial(prepared, TareBuilder(own, place), image, server, user)


@contextmanager
def docker(drivers: Drivers) -> Iterator[ClassicTrial]:
    """Start a daemon and give it the base image."""
    with (
        scratch(drivers.data) as data,
        scratch(drivers.run) as run,
        scratch(drivers.data) as account,
        private(drivers.spawner, run, data) as daemon,
    ):
        with translated():
            image = bootstrap(drivers.store, "busybox")
        env = (*ENVIRONMENT, f"DOCKER_CONFIG={run}", "DOCKER_BUILDKIT=0")
        calls = Calls(drivers.spawner, run, (DOCKER.path, "--host", daemon.host), env)
        base = load(drivers, calls, Provided(BASE, image), data)
        prepared = Prepared(Image(base, str(image.digest)), None, CLASSIC)
        builder = ClassicBuilder(calls, Path(data), base)
        yield ClassicTrial(prepared, builder, image, daemon.host, User.made(drivers, account))
