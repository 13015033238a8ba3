"""Which steps make the root file system of a container, in the order of the OCI runtime specification.

config.md (Mounts) and config-linux.md (Default Filesystems, Default Devices, Masked Paths, Readonly Paths);
the values are those of docker (moby, oci/defaults.go).
"""

from __future__ import annotations

import marshal
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from runtime.linux.mounts import NODEV, NOEXEC, NOSUID, RDONLY, STRICTATIME
from runtime.rootfs import steps
from runtime.rootfs.steps import Attach, Device, Hold, Link, Mask, Mount, Readonly, Step

if TYPE_CHECKING:
    from pathlib import Path

MASKED = (
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
    "/sys/devices/virtual/powercap",
)  # fmt: skip
READONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
_LINKS = (
    ("/proc/self/fd", "/dev/fd"), ("/proc/self/fd/0", "/dev/stdin"), ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"), ("pts/ptmx", "/dev/ptmx"), ("/proc/kcore", "/dev/core"),
)  # fmt: skip
_NONE = NOSUID | NODEV | NOEXEC
UPPER, WORK, ROOT = "upper", "work", "root"  # in a container's directory


@dataclass(frozen=True)
class Bind:
    """A host path that shows up in the container, with everything mounted below it."""

    source: Path
    target: str
    readonly: bool = False


@dataclass(frozen=True)
class Tmpfs:
    """A file system in memory that is gone with the container; `size` in bytes, 0 is the kernel's default."""

    target: str
    size: int = 0

    @property
    def data(self) -> str:
        """The options, as mount(8) and config.json have them: anyone may write, as in /tmp."""
        return f"mode=1777,size={self.size}" if self.size else "mode=1777"


@dataclass(frozen=True)
class Place:
    """Directories of one container: where its changes go, and where its root is assembled."""

    directory: str

    @property
    def upper(self) -> str:
        """Everything that the container writes."""
        return f"{self.directory}/{UPPER}"

    @property
    def work(self) -> str:
        """The overlay's own scratch space, on the same file system as `upper`."""
        return f"{self.directory}/{WORK}"

    @property
    def root(self) -> str:
        """Mount point, empty when seen from the host."""
        return f"{self.directory}/{ROOT}"


@dataclass(frozen=True)
class Sequence:
    """Steps that belong together, and their wire form: marshalled, for `rootfs.assemble.ready`."""

    steps: tuple[Step, ...]
    wire: bytes

    @classmethod
    def of(cls, *found: Step) -> Sequence:
        """Return these steps as one sequence."""
        return cls(found, marshal.dumps([step.wire() for step in found]))


def container(
    layers: tuple[Path, ...],
    mounts: tuple[Bind | Tmpfs, ...],
    *,
    cgroup_v1: tuple[str, ...],
    readonly: bool,
) -> tuple[Sequence, Sequence]:
    """Return the steps for a container, up to its root and inside it.

    They are for one that stands in its `Place`, whose directories they name without it: so they are the same
    for all containers of a kind. `cgroup_v1` names v1 controllers to show, none means the v2 tree.
    """
    found = tuple(layer.absolute() for layer in layers), tuple(map(_absolute, mounts))
    return _container(*found, cgroup_v1, readonly)


def _absolute(mount: Bind | Tmpfs) -> Bind | Tmpfs:
    if isinstance(mount, Tmpfs) or mount.source.is_absolute():
        return mount
    return replace(mount, source=mount.source.absolute())


@lru_cache(maxsize=64)
def _container(
    layers: tuple[Path, ...],
    mounts: tuple[Bind | Tmpfs, ...],
    cgroup_v1: tuple[str, ...],
    readonly: bool,  # noqa: FBT001
) -> tuple[Sequence, Sequence]:
    held = (*_HELD, *(Hold(str(bind.source)) for bind in mounts if isinstance(bind, Bind)))
    overlay = steps.Overlay(tuple(map(str, layers)), UPPER, WORK, ROOT)
    outside = Sequence.of(steps.Private(), overlay, *held, steps.Pivot(ROOT))
    last = [Readonly("/")] if readonly else []
    inside = (*_KERNEL, *_cgroups(cgroup_v1), *_IN_DEV, *map(_mounted, mounts), *_HIDDEN, *last)
    return outside, Sequence.of(*inside)


def _mounted(mount: Bind | Tmpfs) -> steps.Step:
    if isinstance(mount, Tmpfs):
        return Mount("tmpfs", mount.target, NOSUID | NODEV, mount.data)
    return Attach(str(mount.source), mount.target, mount.readonly)


def native(root: Path | None, binds: tuple[Bind, ...]) -> Sequence:
    """Return the steps for a bare process: a chroot, and a private mount namespace only if there are binds.

    Mount points are not created: the tree may be a shared checkout.
    """
    found: list[Step] = []
    if binds:
        found += [steps.Private(), *(Hold(str(bind.source)) for bind in binds)]
    if root:
        found.append(steps.Chroot(str(root)))
    attached = [Attach(str(bind.source), bind.target, bind.readonly, create=False) for bind in binds]
    return Sequence.of(*found, *attached)


# The same for every container, so made once.
_HELD = tuple(Hold(device, recursive=False) for device in DEVICES)
_KERNEL = (
    Mount("proc", "/proc", _NONE),
    # /dev and the root are "nodev" and the device files are binds of the host's: a device node that the
    # container makes (it has CAP_MKNOD, as in docker) can't be opened, on any cgroup version.
    Mount("tmpfs", "/dev", NOSUID | NODEV | STRICTATIME, "mode=755,size=65536k"),
    Mount("devpts", "/dev/pts", NOSUID | NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"),
    Mount("sysfs", "/sys", _NONE),
)
_IN_DEV = (
    Mount("mqueue", "/dev/mqueue", _NONE),
    Mount("tmpfs", "/dev/shm", _NONE, "mode=1777,size=65536k"),  # noqa: S108 - a mount point
    *map(Device, DEVICES),
    *(Link(text, path) for text, path in _LINKS),
)
_HIDDEN = (*map(Readonly, READONLY), *map(Mask, MASKED), Readonly("/sys/fs/cgroup"), Readonly("/sys"))


def _cgroups(v1: tuple[str, ...]) -> list[Step]:
    if not v1:
        return [Mount("cgroup2", "/sys/fs/cgroup", _NONE | RDONLY)]
    found: list[Step] = [Mount("tmpfs", "/sys/fs/cgroup", _NONE, "mode=755,size=1m")]
    return found + [Mount("cgroup", f"/sys/fs/cgroup/{name}", _NONE | RDONLY, name) for name in v1]
