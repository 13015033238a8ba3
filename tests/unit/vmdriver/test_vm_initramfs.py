import subprocess
from pathlib import Path

import pytest

from vmdriver import early_init, initramfs
from vmdriver.errors import MachineFault
from vmdriver.tools import run


def test_the_first_thing_the_guest_does_is_to_say_so():
    lines = early_init.script(1, disk=True).decode().splitlines()
    assert lines[:3] == ["#!/.tare/busybox sh", "exec 0<>/dev/ttyS1 1>&0", "printf '\\036tare init\\n'"]


@pytest.mark.parametrize(
    "script",
    [
        early_init.script(0, disk=False),
        early_init.script(1, disk=True),
        early_init.script(0, disk=False, channel="virtio-serial"),
        early_init.script(0, disk=True, channel="virtio-serial"),
        early_init.probe_script(1),
    ],
)
def test_the_scripts_parse_and_have_no_hole_left(script):
    subprocess.run(["busybox", "sh", "-n"], input=script, check=True)
    assert b"@" not in script


@pytest.mark.parametrize("disk", [False, True])
def test_the_first_word_waits_for_no_module(disk):
    said = early_init.script(0, disk=disk, channel="virtio-serial").decode()
    places = [said.index(part) for part in ("tare init", "insmod", "exec 0<>/dev/vport0p1", early_init.AGENT)]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("flavour", "channel", "disk", "names"),
    [
        ("vm", "serial", False, ()),
        ("vm", "serial", True, ("virtio_pci", "virtio_blk")),
        ("vm", "virtio-serial", False, ("virtio_pci", "virtio_console")),
        ("vm-micro", "serial", True, ("virtio_mmio", "virtio_blk")),
    ],
)
def test_a_guest_loads_what_it_uses_and_nothing_else(flavour, channel, disk, names):
    assert early_init.modules(flavour, channel, disk=disk) == names


def test_the_image_comes_first_and_our_own_files_last(tmp_path):
    tree = tmp_path / "tree"
    (tree / "usr").mkdir(parents=True)
    path = initramfs.in_memory(tmp_path, tree, "sha256:1", port=0)
    data = path.read_bytes()
    assert data.index(b"usr\0") < data.index(b"TRAILER!!!") < data.index(b".tare/init\0")
    assert data.rstrip(b"\0").endswith(b"TRAILER!!!")


def test_an_image_is_built_once_for_its_key(tmp_path):
    (tmp_path / "tree").mkdir()
    first = initramfs.in_memory(tmp_path, tmp_path / "tree", "sha256:1", port=0)
    made = first.stat().st_mtime_ns
    assert initramfs.in_memory(tmp_path, tmp_path / "tree", "sha256:1", port=0) == first
    assert first.stat().st_mtime_ns == made
    assert initramfs.in_memory(tmp_path, tmp_path / "tree", "sha256:2", port=0) != first
    assert initramfs.in_memory(tmp_path, tmp_path / "tree", "sha256:1", port=1) != first


def test_a_program_that_needs_libraries_is_known():
    assert initramfs.is_dynamic(Path("/bin/sh").resolve().read_bytes())
    assert not initramfs.is_dynamic(initramfs.static_busybox().read_bytes())


def test_a_missing_program_names_its_package(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineFault, match="busybox is not installed") as caught:
        initramfs.static_busybox()
    assert caught.value.kind == "host"
    assert "busybox-static" in caught.value.hint
    with pytest.raises(MachineFault, match="qemu-img is not installed") as caught:
        run(["qemu-img"], doing="x")
    assert "qemu-utils" in caught.value.hint


def test_a_failed_program_is_quoted():
    with pytest.raises(MachineFault, match=r"looking: busybox ended with 1: .*no-such-thing"):
        run(["busybox", "ls", "/no-such-thing"], doing="looking")
