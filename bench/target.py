"""The protocol that every box is driven through, so that all of them are measured alike."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

Kind = Literal["native", "container", "vm"]
AcceleratorName = Literal["kvm", "kvm-nested", "tcg", "uml"]
VOLUME = "/volume"


@dataclass(frozen=True, slots=True)
class Accelerator:
    """How a guest's instructions are executed, and what proves it.

    `name` is "kvm", "kvm-nested", "tcg", or "uml" where the guest's kernel is itself a program of the host
    and nothing is emulated; `seconds` is what the proof took.
    """

    name: AcceleratorName
    proof: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a target can run here; `reason` says why not, or what was found."""

    available: bool
    reason: str
    version: str = ""
    accelerator: Accelerator | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """The root filesystem that runs in the box: its name and the digest of its manifest."""

    reference: str
    digest: str


@dataclass(frozen=True, slots=True)
class Box:
    """What is asked of an instance, the same on every target: `memory` in bytes, `cpus` in CPUs.

    `cpus` may be a share of one; a guest has whole ones. `pids` is the most processes and threads, None for
    no such limit; a guest's own kernel counts its own. `root` says where a virtual machine keeps the root
    filesystem: unpacked in memory, or on a virtual disk that is a full copy of the image's or linked to one
    copy of it. With `volume`, /volume is a directory of the host's that all instances of a launcher share; a
    virtual machine has only its own disk there. `network` "bridge" gives a container a link to Tare's bridge;
    without, it has its loopback device alone.
    """

    workload: str
    memory: int
    cpus: float = 1
    pids: int | None = None
    root: Literal["memory", "full", "linked"] = "memory"
    volume: bool = False
    network: Literal["own", "bridge"] = "own"


@dataclass(frozen=True, slots=True)
class Member:
    """A process of the host that exists because the instance exists, and the part that it plays."""

    pid: int
    role: str


class Shared(Protocol):
    """What serves all instances of a launcher, such as a daemon: only what it grows by is theirs."""

    def members(self) -> Sequence[Member]:
        """Return its processes, now."""

    @property
    def memory_cgroups(self) -> Sequence[Path]:
        """Directories of memory controllers that charge it, and the instances where they have none apart."""

    @property
    def accounted(self) -> bool:
        """Whether those charge all of its processes, and not the instances' alone."""


class Instance(Protocol):
    """A started box. Whoever started it removes it, on every path."""

    @property
    def name(self) -> str:
        """The name that it was started under."""

    @property
    def agent(self) -> int:
        """Descriptor of the channel to the workload: readable and writable."""

    @property
    def requests(self) -> int | None:
        """Descriptor that requests are written to where it is apart from `agent`, which then is read."""

    @property
    def console(self) -> int | None:
        """Descriptor of a guest kernel's console where it is apart from the agent's channel."""

    @property
    def memory_cgroup(self) -> Path | None:
        """Directory of the memory controller that charges the whole instance, if one does."""

    @property
    def storage(self) -> Sequence[Path]:
        """What the instance has on the disk for itself: its writable layer, its own disks."""

    def members(self) -> Sequence[Member]:
        """Return every process inside the boundary of this instance, now."""

    def remove(self) -> None:
        """End the instance by force; returns when nothing of it is left, and is idempotent."""

    def leftovers(self) -> Sequence[str]:
        """Name what is still there: processes, cgroups, mounts, network devices, files."""

    def log(self) -> str:
        """Return the last lines that the machinery around the instance wrote, for error messages."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a user would have ready before asking for an instance; outside the launch ladder.

    `boundary` says in words what an instance's figures include. `storage` names the files and directories
    of the host that hold the root filesystem, without what each instance has for itself, and `boots` what
    else of its own a start reads: a guest's kernel and initrd. `channel` is what the agent speaks on.
    `shared` is what serves all instances. `store` is the root of Tare's image store, where the image is used
    from there.
    """

    image: Image
    accelerator: AcceleratorName | None
    boundary: str
    storage: Sequence[Path] = ()
    channel: Literal["socket pair", "serial", "virtio-serial", "named pipes"] = "socket pair"
    shared: Shared | None = None
    store: Path | None = None
    boots: Sequence[Path] = ()


class Launcher(Protocol):
    """Starts instances of one prepared workload."""

    @property
    def prepared(self) -> Prepared:
        """What the instances have in common."""

    def start(self, name: str, *, ledger: bool = False) -> Instance:
        """Start an instance and return when the request was accepted, before the workload is ready.

        With `ledger`, a memory cgroup charges every process of the instance from its first page on.
        """


@runtime_checkable
class Saving(Protocol):
    """A launcher whose instances can be saved and go on from where they were."""

    def saved(self, instance: Instance) -> AbstractContextManager[Launcher]:
        """Save an instance that is ready, which ends it; what is yielded starts it from there.

        It starts under its own name, whatever it is asked, and says nothing until it is asked something.
        """


class Target(Protocol):
    """A kind of box."""

    @property
    def name(self) -> str:
        """The word on the command line and in the result file."""

    @property
    def title(self) -> str:
        """What people read beside it."""

    @property
    def kind(self) -> Kind:
        """Whether a guest's kernel is in it, or only a part of the host's."""

    def availability(self) -> Availability:
        """Find out whether this target can run here. Never raises for what the host lacks."""

    def launcher(self, box: Box) -> AbstractContextManager[Launcher]:
        """Prepare `box` (images, disks, connections) and release it at the end."""
