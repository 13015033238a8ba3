from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from vmdriver.domain_xml import QEMU_NAMESPACE, Wiring, domain_xml
from vmdriver.spec import Disk, GuestSpec

AGENT, CONSOLE = Path("/r/agent.sock"), Path("/r/console.sock")


def document(flavour="vm", accelerator="tcg", *, disks=(), **changes):
    direct = {"kernel": Path("/k"), "initrd": Path("/i"), "cmdline": 'quiet a="<&>"'}
    spec = GuestSpec(
        "g", flavour, 256 << 20, 2, accelerator, **({} if flavour == "vm-full" else direct), **changes
    )
    console = None if flavour == "vm-micro" else CONSOLE
    return ET.fromstring(domain_xml(spec, Wiring(Path("/usr/bin/qemu"), AGENT, console, disks)))


def test_size_and_names_are_as_specified():
    xml = document()
    assert xml.findtext("name") == "g"
    assert (xml.find("memory").get("unit"), xml.findtext("memory")) == ("b", str(256 << 20))
    assert xml.findtext("vcpu") == "2"
    assert xml.findtext("devices/emulator") == "/usr/bin/qemu"


def test_a_direct_boot_names_kernel_initrd_and_command_line():
    system = document().find("os")
    assert system.find("type").get("machine") == "q35"
    assert [system.findtext(tag) for tag in ("kernel", "initrd", "cmdline")] == ["/k", "/i", 'quiet a="<&>"']


def test_a_whole_machine_boots_its_disk_through_firmware():
    xml = document("vm-full", disks=(Disk(Path("/d"), "qcow2"),))
    assert xml.find("os/boot").get("dev") == "hd"
    assert xml.find("os/kernel") is None
    assert xml.find("devices/disk/driver").attrib == {"name": "qemu", "type": "qcow2", "cache": "writeback"}


@pytest.mark.parametrize(
    ("flavour", "paths"), [("vm", [CONSOLE, AGENT]), ("vm-full", [CONSOLE, AGENT]), ("vm-micro", [AGENT])]
)
def test_the_guest_connects_to_sockets_that_wait_for_it(flavour, paths):
    ports = document(flavour).findall("devices/serial")
    assert [port.find("source").get("path") for port in ports] == [str(path) for path in paths]
    assert [port.find("target").get("port") for port in ports] == [str(n) for n in range(len(paths))]
    assert {port.find("source").get("mode") for port in ports} == {"connect"}


def test_an_agent_on_virtio_has_a_port_beside_the_console():
    xml = document(channel="virtio-serial")
    (serial,), (port,) = xml.findall("devices/serial"), xml.findall("devices/channel")
    assert [serial.find("source").get("path"), port.find("source").get("path")] == [str(CONSOLE), str(AGENT)]
    assert port.find("source").get("mode") == "connect"
    assert port.find("target").attrib == {"type": "virtio", "name": "tare.agent"}
    assert document().findall("devices/channel") == []


def test_disks_of_a_q35_machine_are_virtio_in_order():
    disks = (Disk(Path("/a"), cache="none"), Disk(Path("/b"), readonly=True))
    elements = document(disks=disks).findall("devices/disk")
    assert [(e.find("source").get("file"), e.find("target").get("dev")) for e in elements] == [
        ("/a", "vda"),
        ("/b", "vdb"),
    ]
    assert [e.find("driver").get("cache") for e in elements] == ["none", "writeback"]
    assert [e.find("readonly") is not None for e in elements] == [False, True]


def test_disks_of_a_microvm_go_to_qemu_on_the_mmio_bus():
    xml = document("vm-micro", disks=(Disk(Path("/a,b"), readonly=True),))
    assert xml.find("devices/disk") is None
    values = [arg.get("value") for arg in xml.iter(f"{{{QEMU_NAMESPACE}}}arg")]
    assert values == [
        "-drive",
        "if=none,id=tare0,file=/a,,b,format=raw,cache=writeback,readonly=on",
        "-device",
        "virtio-blk-device,drive=tare0",
    ]


@pytest.mark.parametrize(
    ("accelerator", "kind", "mode"), [("kvm", "kvm", "host-passthrough"), ("tcg", "qemu", "maximum")]
)
def test_the_accelerator_decides_domain_type_and_processor(accelerator, kind, mode):
    xml = document(accelerator=accelerator)
    assert (xml.get("type"), xml.find("cpu").get("mode")) == (kind, mode)
    assert document(accelerator=accelerator, cpu="basic").findtext("cpu/model") == "qemu64"
