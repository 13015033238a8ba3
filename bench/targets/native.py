"""The bare process: the workload with nothing around it but a changed root directory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.target import VOLUME, Availability, Box, Image, Instance, Kind, Launcher, Prepared
from bench.targets.drivers import Drivers
from bench.targets.faults import translated
from bench.targets.hosting import lacks
from bench.targets.process import ProcessInstance
from bench.workloads.agent import PATH as AGENT
from bench.workloads.images import provide
from runtime.cgroups.manager import Resources
from runtime.container import NativeSpec
from runtime.container.scratch import scratch
from runtime.rootfs.plan import Bind

BOUNDARY = (
    "the process and its children: forked by the spawner, chroot into a flattened copy of the image, exec; "
    "a cgroup without limits only where memory is measured"
)
DEVICES = (Bind(Path("/proc"), "/proc"), Bind(Path("/dev"), "/dev"))


@dataclass(frozen=True)
class NativeLauncher:
    """Starts bare processes in one root directory, with the host's /proc and /dev where they are needed."""

    drivers: Drivers
    root: Path
    mounts: tuple[Bind, ...]
    prepared: Prepared

    def start(self, name: str, *, ledger: bool = False) -> Instance:
        """Fork, chroot, exec; with `ledger` inside a memory cgroup without limits."""
        spec = NativeSpec(
            id=name,
            args=(AGENT,),
            root=self.root,
            mounts=self.mounts,
            resources=Resources() if ledger else None,
        )
        start = self.drivers.spawner.start_native
        return ProcessInstance.launch(lambda fd: start(spec, stdin=fd, stdout=fd, stderr=2), "process")


class Native:
    """The workload as a process of the host: what a box costs is measured against it."""

    name = "native"
    title = "bare process (chroot)"
    kind: Kind = "native"

    def __init__(self, drivers: Drivers, image: str | None = None) -> None:
        self._drivers = drivers
        self._image = image

    def availability(self) -> Availability:
        """Needs root, for chroot."""
        missing = lacks(root=True)
        return Availability(not missing, missing or "fork, chroot and exec on the host's kernel")

    @contextmanager
    def launcher(self, box: Box) -> Iterator[Launcher]:
        """Flatten the image once; /tmp is a directory of its own, since the flattened copy is shared."""
        with translated():
            image = provide(self._drivers, box.workload, self._image)
            root = self._drivers.store.checkout(image.image)
        prepared = Prepared(Image(image.reference, str(image.image.digest)), None, BOUNDARY, (root,))
        with scratch(self._drivers.data) as own:
            plain = box.workload == "agent"
            mounts = () if plain else (*DEVICES, Bind(own, "/tmp"))  # noqa: S108 - the box's own /tmp
            if box.volume:
                mounts = (*mounts, Bind(own, VOLUME))
            yield NativeLauncher(self._drivers, root, mounts, prepared)
