"""What a guest is, as frozen values that are complete before anything starts."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from vmdriver.errors import MachineFault

if TYPE_CHECKING:
    from pathlib import Path

Flavour = Literal["vm", "vm-micro", "vm-full"]
Acceleration = Literal["kvm", "tcg"]
DiskFormat = Literal["raw", "qcow2"]
Private = Literal["no", "linked", "full"]
Cpu = Literal["full", "basic"]
HostCache = Literal["writeback", "none", "unsafe", "writethrough"]
Channel = Literal["serial", "virtio-serial"]

FLAVOURS: dict[Flavour, str] = {
    "vm": "q35 machine, direct kernel boot",
    "vm-micro": "microvm machine, direct kernel boot",
    "vm-full": "q35 machine, firmware, GRUB, and a whole Debian with systemd",
}

# libvirt cuts a name in paths at 20 characters; ours go into socket paths, which end at 107 bytes.
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True)
class Disk:
    """A disk of a guest.

    A `private` disk is a qcow2 made from `path` when the guest starts and deleted when it is gone, so
    that `path` is never written: `linked` holds only what differs from it, `full` a whole copy. `cache`
    is QEMU's cache mode: `none` keeps the disk's pages out of the host's page cache (O_DIRECT),
    `writeback` holds them there.
    """

    path: Path
    format: DiskFormat = "raw"
    readonly: bool = False
    private: Private = "no"
    cache: HostCache = "writeback"


@dataclass(frozen=True)
class GuestSpec:
    """A guest: `memory` in bytes, `cpus` as a count, and what it boots from.

    `kernel`, `initrd` and `cmdline` are given for a direct boot and empty for `vm-full`, which boots its
    first disk through firmware. `channel` is what the agent speaks on: an emulated serial port, which a
    kernel has from the beginning, or a virtio-serial port, which takes a PCI bus and a module. `cpu` is
    `full` for all features that the accelerator can give, or `basic` for those of the first 64-bit
    processors, on which every accelerator should work.
    """

    name: str
    flavour: Flavour
    memory: int
    cpus: int
    accelerator: Acceleration
    kernel: Path | None = None
    initrd: Path | None = None
    cmdline: str = ""
    disks: tuple[Disk, ...] = ()
    cpu: Cpu = "full"
    channel: Channel = "serial"

    def __post_init__(self) -> None:
        """Refuse what no hypervisor could start, by name."""
        check_name(self.name)
        if self.flavour not in FLAVOURS:
            raise MachineFault(
                f"unknown flavour {self.flavour!r}", kind="usage", hint=f"there are: {', '.join(FLAVOURS)}"
            )
        if self.cpus < 1 or self.memory < 32 << 20:
            raise MachineFault(
                f"guest {self.name}: {self.cpus} CPUs and {self.memory} bytes of memory",
                kind="usage",
                hint="a guest needs a CPU and 32 MiB",
            )
        if (self.flavour == "vm-full") != (self.kernel is None):
            raise MachineFault(
                f"guest {self.name}: a kernel is given for every flavour but vm-full, whose disk has its own",
                kind="usage",
            )
        if self.flavour == "vm-micro" and self.channel != "serial":
            raise MachineFault(
                f"guest {self.name}: a microvm machine has no PCI bus for a virtio-serial port",
                kind="usage",
                hint="use its serial port, or the flavour vm",
            )

    @property
    def agent_port(self) -> int:
        """Serial port of the agent's first word: 0, the console's, where that is the only one."""
        return agent_port(self.flavour, self.channel)

    @property
    def apart(self) -> bool:
        """Whether the kernel's console has a serial port to itself: a microvm has one for everything."""
        return self.flavour != "vm-micro"

    def named(self, name: str) -> GuestSpec:
        """Return the same guest under another name, as for each start of a benchmark."""
        return replace(self, name=name)


def agent_port(flavour: Flavour, channel: Channel = "serial") -> int:
    """Return the serial port on which user space says its first word, before it has loaded any module."""
    return 0 if flavour == "vm-micro" or channel == "virtio-serial" else 1


def check_name(name: str) -> str:
    """Return `name` if it can name a guest: lower case letters, digits and dashes, at most 40."""
    if not _NAME.fullmatch(name):
        raise MachineFault(
            f"bad guest name {name!r}", kind="usage", hint="use a-z, 0-9 and dashes, at most 40 characters"
        )
    return name
