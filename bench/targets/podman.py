"""podman: an engine without a daemon, here with storage of its own and crun below it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.target import Availability, Box, Image, Kind, Launcher, Prepared
from bench.targets import archive
from bench.targets.arena import SHORT, arena
from bench.targets.calls import Calls
from bench.targets.drivers import Drivers
from bench.targets.engine import LOADING, Engine, EngineLauncher
from bench.targets.faults import translated
from bench.targets.nest import nest
from bench.targets.pipes import CHANNEL
from bench.targets.program import Program, found
from bench.workloads.images import Provided, provide
from runtime.container.scratch import scratch

PODMAN, CRUN, CONMON = Program("podman", "podman"), Program("crun", "crun"), Program("conmon", "conmon")
BOUNDARY = (
    "the container's processes and conmon, by a cgroup around both; podman, which has no daemon, is inside "
    "the ladder and has ended when the instance is idle; overlay on the image's layers, no network, memory "
    "and CPU limits, podman's own filter of system calls; each podman command is preceded by nsenter into a "
    "mount namespace"
)
# Podman asks for a million of each by itself, more than a process that is confined itself may give.
ULIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")


class Podman:
    """Containers of podman, its storage apart from the user's."""

    name = "podman"
    title = "container (podman, crun)"
    kind: Kind = "container"

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers

    def availability(self) -> Availability:
        """Needs podman, crun and conmon."""
        return found(PODMAN, CRUN, CONMON, reason="podman with storage of its own, conmon, crun")

    @contextmanager
    def launcher(self, box: Box) -> Iterator[Launcher]:
        """Load the image into storage that lives as long as this."""
        drivers = self._drivers
        with translated():
            image = provide(drivers, box.workload)
        with (
            scratch(drivers.data) as storage,
            scratch(drivers.run) as place,
            nest(drivers.spawner, self.name) as group,
            arena(drivers.spawner, self.name, place) as first,
        ):
            calls = Calls(drivers.spawner, place, (*first, *_words(storage)))
            reference = load(drivers, calls, image, storage)
            engine = Engine(
                calls,
                group,
                box,
                reference,
                ULIMITS,
                ("rm", "--force", "--time", "0"),
                _none,
                own_parent=True,
            )
            identity = Image(image.reference, str(image.image.digest))
            prepared = Prepared(identity, None, BOUNDARY, (storage / "root",), CHANNEL)
            yield EngineLauncher(engine, prepared)


def _words(storage: Path) -> tuple[str, ...]:
    return (
        PODMAN.path, "--root", f"{storage}/root", "--runroot", f"{SHORT}/run", "--tmpdir", f"{SHORT}/tmp",  # noqa: S108
        "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs", "--events-backend", "none",
        "--runtime", CRUN.path,
    )  # fmt: skip


def _none(_identity: str) -> Sequence[int]:
    return ()


def load(drivers: Drivers, calls: Calls, image: Provided, storage: Path) -> str:
    """Hand the image over to an engine and return the name that it has there."""
    name = f"localhost/{image.reference}"
    file = storage / "image.tar"
    with translated():
        archive.write(drivers.store, image.image, name, file)
    try:
        calls.run("load", "load", "--input", str(file), patience=LOADING)
    finally:
        file.unlink()
    return name
