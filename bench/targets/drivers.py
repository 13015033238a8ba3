"""What the targets share in one run: the spawner, the image store, the hypervisor, the proven accelerator."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from runtime.container import Spawner
from runtime.image.store import Store
from vmdriver import accel, kernel
from vmdriver.accel import Accelerator
from vmdriver.errors import MachineFault
from vmdriver.hypervisor import Hypervisor
from vmdriver.kernel import Kernel

T = TypeVar("T")


class Drivers:
    """Opens each driver when it is first needed and closes all of them at the end; a context manager.

    `data` and `run` are Tare's roots, `uri` a libvirt URI or None for the embedded driver, `say` hears one
    line for each long preparation.
    """

    def __init__(self, data: Path, run: Path, uri: str | None, say: Callable[[str], None]) -> None:
        self.data, self.run, self.say = data, run, say
        self.uri = uri
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    @cached_property
    def spawner(self) -> Spawner:
        """The small process that forks; it holds neither pandas nor libvirt."""
        return self._opened.enter_context(Spawner(self.run, self.data))

    @cached_property
    def store(self) -> Store:
        """The images."""
        return Store(self.data / "images")

    @cached_property
    def hypervisor(self) -> Hypervisor:
        """The connection to libvirt."""
        return self._opened.enter_context(Hypervisor(self.data, self.run, self.uri))

    @property
    def kernel(self) -> Kernel:
        """The guest kernel; a failure is remembered, since every machine asks and a download takes long."""
        return _given(self._kernel)

    @property
    def accelerator(self) -> Accelerator:
        """What guests run on here, proven by a guest that booted; a failure is remembered."""
        return _given(self._accelerator)

    @cached_property
    def _kernel(self) -> Kernel | MachineFault:
        return _outcome(lambda: kernel.obtain(self.data, progress=self.say))

    @cached_property
    def _accelerator(self) -> Accelerator | MachineFault:
        return _outcome(lambda: accel.prove(self.hypervisor, self.data, self.kernel, progress=self.say))


def _outcome(act: Callable[[], T]) -> T | MachineFault:
    try:
        return act()
    except MachineFault as fault:
        return fault


def _given(outcome: T | MachineFault) -> T:
    if isinstance(outcome, MachineFault):
        raise outcome
    return outcome
