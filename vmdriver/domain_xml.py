"""The domain XML of a guest. Pure: a specification in, a document out.

Source: https://libvirt.org/formatdomain.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from pathlib import Path

    from vmdriver.spec import Disk, GuestSpec

AGENT_PORT = "tare.agent"
"""What a guest knows the agent's virtio-serial port by (/dev/virtio-ports, where there is udev)."""
QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"
ET.register_namespace("qemu", QEMU_NAMESPACE)


@dataclass(frozen=True)
class Wiring:
    """Where a guest meets its host: the emulator, the sockets that wait for it, the disks it gets.

    `console` is None where the machine has one serial port, which is then the agent's.
    """

    emulator: Path
    agent: Path
    console: Path | None
    disks: tuple[Disk, ...]


def domain_xml(spec: GuestSpec, wiring: Wiring) -> str:
    """Return the XML from which libvirt creates the guest."""
    root = ET.Element("domain", type="kvm" if spec.accelerator == "kvm" else "qemu")
    _add(root, "name", spec.name)
    _add(root, "memory", str(spec.memory), unit="b")
    _add(root, "vcpu", str(spec.cpus))
    _boot(root, spec)
    _add(_add(root, "features"), "acpi")
    _cpu(root, spec)
    _add(root, "clock", offset="utc")
    for event in ("on_poweroff", "on_reboot", "on_crash"):
        _add(root, event, "destroy")
    _devices(root, spec, wiring)
    return ET.tostring(root, encoding="unicode")


def _boot(root: ET.Element, spec: GuestSpec) -> None:
    system = _add(root, "os")
    machine = "microvm" if spec.flavour == "vm-micro" else "q35"
    _add(system, "type", "hvm", arch="x86_64", machine=machine)
    if spec.kernel:
        _add(system, "kernel", str(spec.kernel))
        if spec.initrd:
            _add(system, "initrd", str(spec.initrd))
        _add(system, "cmdline", spec.cmdline)
    else:
        _add(system, "boot", dev="hd")


def _cpu(root: ET.Element, spec: GuestSpec) -> None:
    if spec.cpu == "full":
        _add(root, "cpu", mode="host-passthrough" if spec.accelerator == "kvm" else "maximum")
    else:
        _add(_add(root, "cpu", mode="custom", match="exact", check="none"), "model", "qemu64")


def _devices(root: ET.Element, spec: GuestSpec, wiring: Wiring) -> None:
    devices = _add(root, "devices")
    _add(devices, "emulator", str(wiring.emulator))
    _add(devices, "controller", type="usb", index="0", model="none")
    _add(devices, "memballoon", model="none")
    virtio = spec.channel == "virtio-serial"
    ports = [wiring.console, None if virtio else wiring.agent]
    for port, path in enumerate(filter(None, ports)):
        _serial(devices, port, path)
    if virtio:
        _port(devices, wiring.agent)
    if spec.flavour == "vm-micro":
        _mmio_disks(root, wiring.disks)
    else:
        for index, disk in enumerate(wiring.disks):
            _pci_disk(devices, index, disk)


def _serial(devices: ET.Element, port: int, path: Path) -> None:
    # QEMU connects and we listen, so the first byte of the guest has somewhere to go.
    serial = _add(devices, "serial", type="unix")
    _add(serial, "source", mode="connect", path=str(path))
    _add(serial, "target", port=str(port))


def _port(devices: ET.Element, path: Path) -> None:
    # libvirt adds the controller, a PCI device, and gives this one, the first, number 1: /dev/vport0p1.
    channel = _add(devices, "channel", type="unix")
    _add(channel, "source", mode="connect", path=str(path))
    _add(channel, "target", type="virtio", name=AGENT_PORT)


def _pci_disk(devices: ET.Element, index: int, disk: Disk) -> None:
    element = _add(devices, "disk", type="file", device="disk")
    _add(element, "driver", name="qemu", type=disk.format, cache=disk.cache)
    _add(element, "source", file=str(disk.path))
    _add(element, "target", dev=f"vd{chr(ord('a') + index)}", bus="virtio")
    if disk.readonly:
        _add(element, "readonly")


def _mmio_disks(root: ET.Element, disks: tuple[Disk, ...]) -> None:
    """Pass virtio-mmio disks to QEMU as they are: libvirt knows that bus on Arm and RISC-V only."""
    if not disks:
        return
    arguments = _add(root, f"{{{QEMU_NAMESPACE}}}commandline")
    for index, disk in enumerate(disks):
        path = str(disk.path).replace(",", ",,")
        flags = "readonly=on" if disk.readonly else "readonly=off"
        drive = f"if=none,id=tare{index},file={path},format={disk.format},cache={disk.cache},{flags}"
        for value in ("-drive", drive, "-device", f"virtio-blk-device,drive=tare{index}"):
            _add(arguments, f"{{{QEMU_NAMESPACE}}}arg", value=value)


def _add(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    element.text = text
    return element
