import subprocess

import pytest

from vmdriver import boot, initramfs
from vmdriver.disk import full_clone
from vmdriver.errors import MachineFault
from vmdriver.record import own

pytestmark = pytest.mark.vm


@pytest.fixture
def full(tmp_path):
    """A file system with 128 KiB of room."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


def fill(place):
    (place / "filler").write_bytes(b"x" * 120_000)


def build_initramfs(data, tree):
    initramfs.in_memory(data, tree, "key", port=1)


def build_disk(data, tree):
    boot.root_disk(data, tree, "key")


def clone_disk(data, tree):
    source = tree.with_name("source")
    source.write_bytes(b"content" * 100_000)
    full_clone(source, data / "clone.qcow2")


def record_guest(data, _tree):
    fill(data)
    (data / "rest").write_bytes(b"x" * 4096)
    while True:
        own(
            f"g{len(list((data / 'guests').glob('*')) if (data / 'guests').exists() else [])}",
            "vm",
            data,
            "u",
            None,
        ).write()


@pytest.mark.parametrize("act", [build_initramfs, build_disk, clone_disk, record_guest])
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(full, tmp_path, act):
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "blob").write_bytes(bytes(range(256)) * 4096)
    with pytest.raises(MachineFault) as caught:
        act(full, tree)
    assert caught.value.kind == "host"
    assert "space" in caught.value.hint
    assert [
        path for path in full.rglob("*") if path.name.startswith(".") and not path.name.endswith(".lock")
    ] == []
