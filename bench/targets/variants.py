"""Versions of targets as targets of their own: the plain one with one thing changed, under another name."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import get_args

from bench.errors import BenchFault
from bench.target import Availability, Box, Instance, Launcher, Prepared, Target
from bench.targets.container import Container
from bench.targets.drivers import Drivers
from bench.targets.faults import translated
from bench.targets.machine import VirtualMachine
from bench.targets.native import Native
from bench.targets.oci import Oci
from bench.variant import Variant
from runtime.errors import RuntimeFault
from vmdriver import kernel as kernels
from vmdriver.errors import MachineFault
from vmdriver.kernel import Kernel
from vmdriver.spec import Channel, Flavour

_wanted: ContextVar[tuple[Variant, ...]] = ContextVar("variants", default=())


@contextmanager
def offering(variants: Sequence[Variant]) -> Iterator[None]:
    """Let `bench.targets.registry` know these versions, beside the plain targets, until the end."""
    token = _wanted.set(tuple(variants))
    try:
        yield
    finally:
        _wanted.reset(token)


def offered(drivers: Drivers) -> list[Target]:
    """Return the versions that are offered now."""
    return [Version(variant, drivers) for variant in _wanted.get()]


@dataclass(frozen=True)
class VersionLauncher:
    """Starts instances under names that no driver refuses: a label may be long, and has other characters."""

    launcher: Launcher
    name: str

    @property
    def prepared(self) -> Prepared:
        """What the instances have in common."""
        return self.launcher.prepared

    def start(self, name: str, *, ledger: bool = False) -> Instance:
        """Start an instance."""
        base, label = self.name.split("@", 1)
        short = sha256(label.encode()).hexdigest()[:6]
        return self.launcher.start(name.replace(self.name, f"{base}-{short}"), ledger=ledger)


class Version:
    """A target with another image, kernel or runtime."""

    def __init__(self, variant: Variant, drivers: Drivers) -> None:
        self.name = variant.name
        self._variant, self._drivers = variant, drivers
        self._plain = _plain(variant, drivers)
        self.kind = self._plain.kind
        self.title = f"{self._plain.title}, {variant.key} {variant.value}"

    def availability(self) -> Availability:
        """Ask the plain target, and see that the other image, kernel or runtime is there."""
        found = self._plain.availability()
        if not found.available:
            return found
        try:
            version = _version(self._variant, self._drivers)
        except (BenchFault, RuntimeFault, MachineFault) as fault:
            return Availability(
                available=False, reason=f"{fault} ({fault.hint})" if fault.hint else str(fault)
            )
        words = ", ".join(word for word in (found.version, version) if word)
        return replace(found, version=words)

    @contextmanager
    def launcher(self, box: Box) -> Iterator[Launcher]:
        """Prepare the plain target with what is changed."""
        target = _plain(self._variant, self._drivers, resolved=True)
        with target.launcher(box) as launcher:
            yield VersionLauncher(launcher, self.name)


def _plain(variant: Variant, drivers: Drivers, *, resolved: bool = False) -> Target:
    image = variant.value if variant.key == "image" else None
    if variant.base == "oci":
        return Oci(drivers, variant.value)
    if variant.base == "native":
        return Native(drivers, image)
    if variant.base == "container":
        return Container(drivers, image)
    with translated():
        kernel = _kernel(drivers, variant.value) if resolved and variant.key == "kernel" else None
    if variant.key == "channel":
        return VirtualMachine(drivers, "vm", channel=_channel(variant.value))
    flavour: Flavour = "vm-micro" if variant.base == "vm-micro" else "vm"
    return VirtualMachine(drivers, flavour, image=image, kernel=kernel)


def _channel(value: str) -> Channel:
    for channel in get_args(Channel):
        if value == channel:
            return channel  # type: ignore[no-any-return] # typing's own
    raise BenchFault(
        f"there is no channel '{value}'", hint=f"there are: {', '.join(get_args(Channel))}", kind="usage"
    )


def _version(variant: Variant, drivers: Drivers) -> str:
    """Return which version it is; raises the fault of the one that is not there."""
    if variant.key == "image":
        return f"image {variant.value} {str(drivers.store.resolve(variant.value).digest)[:19]}"
    if variant.key == "kernel":
        return f"kernel {_kernel(drivers, variant.value).package}"
    return ""


def _kernel(drivers: Drivers, value: str) -> Kernel:
    """Return a kernel by path, or by the release of one that is unpacked below the data root."""
    known = {kernel.release: kernel for kernel in kernels.kernels(drivers.data)}
    if value in known:
        return known[value]
    if "/" not in value and not Path(value).exists():
        raise MachineFault(
            f"there is no kernel '{value}'",
            kind="missing",
            hint=f"name a bzImage, an unpacked package's directory, or one of: {', '.join(known) or 'none'}",
        )
    return kernels.at(Path(value))
