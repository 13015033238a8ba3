"""Prepares what a guest boots from, outside of any measured time: initramfs, disks, kernel command line."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

from vmdriver import initramfs
from vmdriver.disk import build_root_disk
from vmdriver.files import once
from vmdriver.grub import build_bootable_disk
from vmdriver.spec import Disk, GuestSpec, agent_port
from vmdriver.tsc import frequency_khz

if TYPE_CHECKING:
    from pathlib import Path

    from vmdriver.kernel import Kernel
    from vmdriver.spec import Acceleration, Channel, Cpu, HostCache, Private

# earlyprintk shows the banner, the kernel's first sign of life, before `quiet` can silence the console;
# panic=-1 and reboot=t end a guest that failed instead of leaving it to hang.
_COMMON = "earlyprintk=ttyS0,115200 console=ttyS0,115200 quiet panic=-1 reboot=t"
CMDLINE = f"{_COMMON} rdinit=/.tare/init"


def boot(
    flavour: Literal["vm", "vm-micro"],
    tree: Path,
    key: str,
    *,
    data: Path,
    kernel: Kernel,
    accelerator: Acceleration,
    memory: int,
    cpus: int,
    cpu: Cpu = "full",
    root: Literal["initramfs", "disk"] = "initramfs",
    private: Private = "linked",
    cache: HostCache = "writeback",
    channel: Channel = "serial",
    name: str = "guest",
) -> GuestSpec:
    """Return a guest that boots `kernel` directly and runs the agent in `tree`.

    `key` names the content of `tree` (an image's digest): initramfs and disk are built once for it and
    kept below `data`. With `root="disk"` each start gets a disk of its own, a `private` clone of that one.
    """
    port = agent_port(flavour, channel)
    cmdline = CMDLINE
    if flavour == "vm-micro" and accelerator == "tcg":
        cmdline += f" tsc_early_khz={frequency_khz()}"
    disks: tuple[Disk, ...] = ()
    if root == "disk":
        initrd = initramfs.for_disk(data, kernel, flavour, port=port, channel=channel)
        disks = (Disk(root_disk(data, tree, key), private=private, cache=cache),)
    else:
        initrd = initramfs.in_memory(data, tree, key, port=port, kernel=kernel, channel=channel)
    return GuestSpec(
        name, flavour, memory, cpus, accelerator, kernel.image, initrd, cmdline, disks, cpu, channel
    )


def root_disk(data: Path, tree: Path, key: str) -> Path:
    """Return a raw disk that is an ext4 file system with `tree`, built once per `key`."""
    path = data / "vm/disks" / f"{_short(key)}.raw"
    with once(path) as fresh:
        if fresh:
            build_root_disk(tree, fresh)
    return path


def full(
    tree: Path,
    key: str,
    *,
    data: Path,
    accelerator: Acceleration,
    memory: int,
    cpus: int,
    cpu: Cpu = "full",
    private: Private = "linked",
    cache: HostCache = "writeback",
    name: str = "guest",
) -> GuestSpec:
    """Return a whole machine that boots `tree` from a disk through firmware and GRUB; see `boot`.

    Its agent is a service on the virtio-serial port, as `vmdriver.machine_image` makes it.
    """
    disk = Disk(bootable_disk(data, tree, key), private=private, cache=cache)
    return GuestSpec(
        name, "vm-full", memory, cpus, accelerator, disks=(disk,), cpu=cpu, channel="virtio-serial"
    )


def bootable_disk(data: Path, tree: Path, key: str) -> Path:
    """Return a raw disk that boots `tree` through GRUB, built once per `key`."""
    path = data / "vm/disks" / f"{_short(f'bootable {key}')}.raw"
    with once(path) as fresh:
        if fresh:
            build_bootable_disk(tree, fresh)
    return path


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]
