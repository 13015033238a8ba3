"""Tare's own container."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from bench.target import VOLUME, Availability, Box, Image, Instance, Kind, Launcher, Prepared
from bench.targets import confinement
from bench.targets.drivers import Drivers
from bench.targets.faults import translated
from bench.targets.hosting import lacks
from bench.targets.process import ProcessInstance
from bench.workloads.agent import PATH as AGENT
from bench.workloads.images import provide
from runtime.cgroups.manager import Resources
from runtime.container import ContainerSpec
from runtime.container.scratch import scratch
from runtime.rootfs.plan import Bind

BOUNDARY = (
    "every process of the container's cgroup; pid, mount, net, uts, ipc and cgroup namespaces, overlay, "
    "memory and CPU limits, docker's capabilities and filter of system calls; the spawner, one for all "
    "instances, is outside the marginal cost"
)


@dataclass(frozen=True)
class ContainerLauncher:
    """Starts containers of one image; the name and the limits are the only things that differ."""

    drivers: Drivers
    spec: ContainerSpec
    prepared: Prepared
    bridged: bool = False

    def start(self, name: str, *, ledger: bool = False) -> Instance:  # noqa: ARG002 - always in a cgroup
        """Create the container and start process 1."""
        spec = replace(self.spec, id=name)
        start = self.drivers.spawner.start
        instance = ProcessInstance.launch(lambda fd: start(spec, stdin=fd, stdout=fd, stderr=2), "container")
        if self.bridged:
            instance.plug(self.drivers.run)
        return instance


class Container:
    """A container of Tare's runtime, from the image's shared layers."""

    name = "container"
    title = "container (Tare's runtime)"
    kind: Kind = "container"

    def __init__(self, drivers: Drivers, image: str | None = None) -> None:
        self._drivers = drivers
        self._image = image

    def availability(self) -> Availability:
        """Needs root, cgroups and overlayfs."""
        missing = lacks(root=True, overlay=True, cgroups=True, filters=True)
        return Availability(not missing, missing or "namespaces, cgroups and overlay of the host's kernel")

    @contextmanager
    def launcher(self, box: Box) -> Iterator[Launcher]:
        """Unpack the image's layers once; each instance gets a fresh writable layer."""
        with ExitStack() as stack, translated():
            own = [stack.enter_context(scratch(self._drivers.data))] if box.volume else []
            image = provide(self._drivers, box.workload, self._image)
            layers = self._drivers.store.layer_paths(image.image)
            spec = ContainerSpec(
                id="template",
                layers=layers,
                args=(AGENT,),
                resources=Resources(box.memory, box.cpus, box.pids),
                mounts=tuple(Bind(path, VOLUME) for path in own),
                seccomp=confinement.program(),
            )
            held = stack.pop_all()
        with held:
            yield ContainerLauncher(
                self._drivers,
                spec,
                Prepared(
                    Image(image.reference, str(image.image.digest)),
                    None,
                    BOUNDARY,
                    layers,
                    store=self._drivers.store.root,
                ),
                bridged=box.network == "bridge",
            )
