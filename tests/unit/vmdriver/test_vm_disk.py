import json
import os
import struct
import subprocess

import pytest

from vmdriver.disk import build_root_disk, default_size, full_clone, linked_clone, tree_bytes, unique_bytes
from vmdriver.errors import MachineFault
from vmdriver.grub import build_bootable_disk, first_sector


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    (root / "usr/lib/tare").mkdir(parents=True)
    (root / "usr/lib/tare/agent").write_text("#!/bin/sh\n")
    (root / "usr/lib/tare/agent").chmod(0o755)
    (root / "blob").write_bytes(os.urandom(300_000))
    (root / "link").symlink_to("blob")
    return root


def debugfs(disk, request):
    return subprocess.run(["debugfs", "-R", request, disk], capture_output=True, check=True).stdout.decode()


def check(disk):
    return subprocess.run(["e2fsck", "-fn", disk], capture_output=True, check=False).returncode


def test_a_disk_holds_the_tree_and_is_sound(tree, tmp_path):
    disk = tmp_path / "disk"
    build_root_disk(tree, disk)
    assert debugfs(disk, "cat /usr/lib/tare/agent") == "#!/bin/sh\n"
    assert "0755" in debugfs(disk, "stat /usr/lib/tare/agent")
    assert 'Fast link dest: "blob"' in debugfs(disk, "stat /link")
    assert check(disk) == 0
    assert disk.stat().st_size == default_size(tree)
    assert unique_bytes(disk) < disk.stat().st_size


def test_grub_can_read_the_file_system(tree, tmp_path):
    build_root_disk(tree, tmp_path / "disk")
    features = debugfs(tmp_path / "disk", "features")
    assert "metadata_csum_seed" not in features
    assert "orphan_file" not in features
    assert "has_journal" in features


def test_a_tree_that_does_not_fit_is_refused_before_anything_is_written(tree, tmp_path):
    with pytest.raises(MachineFault, match="does not fit") as caught:
        build_root_disk(tree, tmp_path / "disk", 100_000)
    assert caught.value.kind == "usage"
    assert not (tmp_path / "disk").exists()


def test_hard_links_are_counted_once(tree):
    before = tree_bytes(tree)
    os.link(tree / "blob", tree / "again")
    assert tree_bytes(tree) == before


def test_clones_share_or_copy(tree, tmp_path):
    base, linked, full = tmp_path / "base", tmp_path / "linked.qcow2", tmp_path / "full.qcow2"
    build_root_disk(tree, base)
    linked_clone(base, linked)
    full_clone(base, full)
    info = {path: image_info(path) for path in (linked, full)}
    assert info[linked]["full-backing-filename"] == str(base)
    assert "backing-filename" not in info[full]
    assert {entry["virtual-size"] for entry in info.values()} == {base.stat().st_size}
    assert unique_bytes(linked) < 300_000 < unique_bytes(full)
    # Neither kind of clone may look dear or cheap because of zeros that only one of them writes down.
    assert unique_bytes(base) <= unique_bytes(full) + 300_000


def image_info(path):
    done = subprocess.run(["qemu-img", "info", "--output=json", path], capture_output=True, check=True)
    return json.loads(done.stdout)


def test_a_clone_of_nothing_is_refused(tmp_path):
    with pytest.raises(MachineFault, match="there is no disk") as caught:
        linked_clone(tmp_path / "none", tmp_path / "clone")
    assert caught.value.kind == "missing"


def test_a_bootable_disk_has_code_table_core_and_file_system(tree, tmp_path):
    for name in ("boot/grub/grub.cfg", "vmlinuz", "initrd.img", "usr/lib/tare/init"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    disk = tmp_path / "disk"
    build_bootable_disk(tree, disk)
    raw = disk.read_bytes()
    active, kind, start, sectors = struct.unpack_from("<B3xB3xII", raw, 446)
    assert (active, kind, start, raw[510:512]) == (0x80, 0x83, 2048, b"\x55\xaa")
    assert (start + sectors) * 512 == len(raw)
    assert b"GRUB" in raw[:446]
    assert raw[512 : 512 + 3] != b"\0\0\0"
    (tmp_path / "partition").write_bytes(raw[start * 512 :])
    assert check(tmp_path / "partition") == 0
    assert debugfs(tmp_path / "partition", "cat /boot/grub/grub.cfg") == "boot/grub/grub.cfg"


def test_a_tree_without_a_kernel_is_no_machine(tree, tmp_path):
    with pytest.raises(MachineFault, match=r"no machine image.*grub\.cfg"):
        build_bootable_disk(tree, tmp_path / "disk")


def test_the_first_sector_keeps_the_boot_code():
    code = bytes(range(256)) * 2
    sector = first_sector(code, 2048, 10)
    assert len(sector) == 512
    assert sector[:446] == code[:446]
