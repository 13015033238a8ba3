"""Virtual machines through libvirt: `vm`, `vm-micro` and `vm-full`."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchFault
from bench.target import (
    Accelerator,
    Availability,
    Box,
    Image,
    Instance,
    Kind,
    Launcher,
    Member,
    Prepared,
    Target,
)
from bench.targets.charge import charging
from bench.targets.drivers import Drivers
from bench.targets.faults import translated
from bench.targets.hosting import lacks
from bench.workloads.images import MACHINE, provide
from runtime.container.scratch import scratch
from vmdriver import boot
from vmdriver.accel import Accelerator as Proven
from vmdriver.errors import MachineFault
from vmdriver.guest import Guest
from vmdriver.kernel import Kernel
from vmdriver.snapshot import Snapshot
from vmdriver.spec import FLAVOURS, Channel, Flavour, GuestSpec, Private

BOUNDARY = (
    "the QEMU process, which holds the guest's memory, and its cgroup; libvirt's driver runs inside "
    "the harness, one for all instances, and is outside the marginal cost"
)


class GuestInstance:
    """A guest, by the handle that the VM driver gave."""

    requests: int | None = None

    def __init__(self, guest: Guest, charge: ExitStack, memory_cgroup: Path | None) -> None:
        self.name = guest.name
        self.agent = guest.agent.fileno()
        self.console = guest.console.fileno() if guest.console else None
        self.guest, self._charge, self._memory_cgroup = guest, charge, memory_cgroup

    @property
    def memory_cgroup(self) -> Path | None:
        """The memory controller's directory, where the ledger was asked for."""
        return self._memory_cgroup

    @property
    def storage(self) -> Sequence[Path]:
        """The guest's own disks."""
        return sorted(self.guest.directory.glob("*.qcow2"))

    def members(self) -> Sequence[Member]:
        """Return QEMU."""
        return [Member(self.guest.pid, "QEMU")]

    def remove(self) -> None:
        """Destroy the guest; returns when nothing is left."""
        with translated():
            self.guest.destroy()
        self._charge.close()

    def leftovers(self) -> Sequence[str]:
        """Name what is still there."""
        with translated():
            return self.guest.leftovers()

    def log(self) -> str:
        """Return QEMU's last lines."""
        return self.guest.log


@dataclass(frozen=True)
class GuestLauncher:
    """Starts guests of one specification."""

    drivers: Drivers
    spec: GuestSpec
    prepared: Prepared

    def start(self, name: str, *, ledger: bool = False) -> Instance:
        """Define and create the guest; returns when libvirt's call has."""
        if ledger and self.drivers.uri:
            raise BenchFault(
                f"the memory of guests at {self.drivers.uri} can't be charged to a cgroup of ours",
                hint="leave out --connect, or the scenario `memory`: a daemon forks QEMU, not this process",
                kind="host",
            )
        with ExitStack() as stack, translated():
            charge = stack.enter_context(charging(self.drivers.spawner, name)) if ledger else None
            if charge:
                with charge.joined():
                    guest = self.drivers.hypervisor.start(self.spec.named(name))
            else:
                guest = self.drivers.hypervisor.start(self.spec.named(name))
            return GuestInstance(guest, stack.pop_all(), charge.memory if charge else None)


@dataclass(frozen=True)
class RestoringLauncher:
    """Lets one guest go on from where it was saved."""

    drivers: Drivers
    snapshot: Snapshot
    prepared: Prepared

    def start(self, name: str, *, ledger: bool = False) -> Instance:  # noqa: ARG002 - it keeps its own
        """Restore it; returns when libvirt's call has."""
        with translated():
            return GuestInstance(self.drivers.hypervisor.restore(self.snapshot), ExitStack(), None)


class SavingLauncher(GuestLauncher):
    """Starts guests that are nothing but their memory, so that they can be saved."""

    @contextmanager
    def saved(self, instance: Instance) -> Iterator[Launcher]:
        """Write the guest to a file, which goes at the end."""
        assert isinstance(instance, GuestInstance)  # noqa: S101 - it is one of ours
        with scratch(self.drivers.data) as place:
            with translated():
                snapshot = instance.guest.save(place / "memory")
            yield RestoringLauncher(self.drivers, snapshot, self.prepared)


class VirtualMachine:
    """One flavour of virtual machine."""

    kind: Kind = "vm"

    def __init__(
        self,
        drivers: Drivers,
        flavour: Flavour,
        *,
        image: str | None = None,
        kernel: Kernel | None = None,
        channel: Channel = "serial",
    ) -> None:
        self.name: str = flavour
        self.title = f"virtual machine ({FLAVOURS[flavour]})"
        self._flavour, self._drivers = flavour, drivers
        self._image, self._kernel, self._channel = image, kernel, channel

    def availability(self) -> Availability:
        """Prove the accelerator by booting, or recall the proof."""
        missing = lacks(root=True)
        if missing:
            return Availability(available=False, reason=missing)
        try:
            found = self._drivers.accelerator
        except MachineFault as fault:
            return Availability(
                available=False, reason=f"{fault} ({fault.hint})" if fault.hint else str(fault)
            )
        version = f"QEMU {found.key['qemu']}" if "qemu" in found.key else ""
        proof = Accelerator(found.name, found.proof, found.seconds)
        return Availability(True, _reason(found), version, proof)  # noqa: FBT003

    @contextmanager
    def launcher(self, box: Box) -> Iterator[Launcher]:
        """Build the initramfs or the disk of the image once."""
        with translated():
            workload = MACHINE if self._flavour == "vm-full" else box.workload
            image = provide(self._drivers, workload, self._image)
            tree = self._drivers.store.checkout(image.image)
            spec = self._spec(tree, str(image.image.digest), box)
        shared = [disk.path for disk in spec.disks if disk.private != "full"]
        storage = shared or ([spec.initrd] if spec.initrd and not spec.disks else [])
        prepared = Prepared(
            Image(image.reference, str(image.image.digest)),
            self._drivers.accelerator.name,
            BOUNDARY,
            storage,
            boots=[path for path in (spec.kernel, spec.initrd) if path],
            channel=spec.channel,
        )
        plain = self._flavour == "vm" and not spec.disks
        yield (SavingLauncher if plain else GuestLauncher)(self._drivers, spec, prepared)

    def _spec(self, tree: Path, key: str, box: Box) -> GuestSpec:
        found, cpus = self._drivers.accelerator, _whole(box)
        private: Private = "full" if box.root == "full" else "linked"
        if self._flavour == "vm-full":
            return boot.full(
                tree, key, data=self._drivers.data, accelerator=found.acceleration, memory=box.memory,
                cpus=cpus, cpu=found.cpu, private=private,
            )  # fmt: skip
        return boot.boot(
            self._flavour, tree, key, data=self._drivers.data, kernel=self._kernel or self._drivers.kernel,
            accelerator=found.acceleration, memory=box.memory, cpus=cpus, cpu=found.cpu,
            root="initramfs" if box.root == "memory" else "disk", private=private, channel=self._channel,
        )  # fmt: skip


def _whole(box: Box) -> int:
    if box.cpus != int(box.cpus):
        raise BenchFault(f"a guest can't have {box.cpus} CPUs", hint="give it whole ones", kind="usage")
    return int(box.cpus)


def direct(drivers: Drivers) -> Target:
    """Return `vm`."""
    return VirtualMachine(drivers, "vm")


def micro(drivers: Drivers) -> Target:
    """Return `vm-micro`."""
    return VirtualMachine(drivers, "vm-micro")


def full(drivers: Drivers) -> Target:
    """Return `vm-full`."""
    return VirtualMachine(drivers, "vm-full")


def _reason(found: Proven) -> str:
    """Say in one line what the guests run on; the whole proof stands beside it in the report."""
    proven = f"proven by a guest that reached user space in {found.seconds:.1f} s"
    if found.name == "tcg":
        return f"emulated (TCG, {proven}); `tare vm check` tells why not KVM"
    return f"{found.name}, {proven}"
