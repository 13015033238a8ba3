import lzma

import pytest

from vmdriver.errors import MachineFault
from vmdriver.kernel import at, concrete, kernels
from vmdriver.modules import depends, load_order

FOUND = """linux-image-cloud-amd64
  Depends: linux-image-6.1.0-56-cloud-amd64
"""
UBUNTU = """linux-image-6.8.0-40-generic
 |Depends: kmod
  Depends: linux-base
  Depends: linux-modules-6.8.0-40-generic
  Recommends: grub-pc
"""


def module(*needs):
    return b"\x7fELF....\0license=GPL\0depends=" + ",".join(needs).encode() + b"\0retpoline=Y\0"


@pytest.fixture
def modules(tmp_path):
    (tmp_path / "modules.builtin").write_text("kernel/lib/crc32.ko\nkernel/fs/ext4.ko\n")
    drivers = tmp_path / "kernel/drivers"
    drivers.mkdir(parents=True)
    (drivers / "virtio_ring.ko").write_bytes(module())
    (drivers / "virtio.ko.xz").write_bytes(lzma.compress(module("virtio_ring")))
    (drivers / "virtio-blk.ko").write_bytes(module("virtio", "virtio_ring", "crc32"))
    return tmp_path


def test_what_a_module_needs_comes_before_it_and_once(modules):
    assert [name for name, _ in load_order(modules, ("virtio_blk", "virtio", "ext4"))] == [
        "virtio_ring.ko",
        "virtio.ko",
        "virtio_blk.ko",
    ]


def test_compressed_modules_come_out_unpacked(modules):
    assert dict(load_order(modules, ("virtio",)))["virtio.ko"] == module("virtio_ring")


def test_a_module_that_is_nowhere_is_named(modules):
    with pytest.raises(MachineFault, match="virtio_mmio"):
        load_order(modules, ("virtio_mmio",))


def test_dependencies_are_read_from_the_module_itself():
    assert depends(module("a-b", "c")) == ("a_b", "c")
    assert depends(module()) == ()
    assert depends(b"no section") == ()


def test_versioned_packages_are_found_in_apts_listing():
    assert concrete(FOUND) == ("linux-image-6.1.0-56-cloud-amd64",)
    assert concrete(UBUNTU) == ("linux-modules-6.8.0-40-generic",)
    assert concrete("linux-image-cloud-amd64\n  Depends: <linux-image-cloud>\n") == ()


def test_only_whole_kernels_are_listed(tmp_path):
    good, half = tmp_path / "vm/kernels/6.1.0-1", tmp_path / "vm/kernels/.6.2.0-1.99-1.0"
    (good / "boot").mkdir(parents=True)
    (good / "boot/vmlinuz-6.1.0-1").touch()
    (good / "lib/modules/6.1.0-1").mkdir(parents=True)
    (good / "package").write_text("linux-image-6.1.0-1_6.1.192-2_amd64\n")
    (half / "boot").mkdir(parents=True)
    (found,) = kernels(tmp_path)
    assert (found.release, found.package) == ("6.1.0-1", "linux-image-6.1.0-1_6.1.192-2_amd64")
    assert found.modules == good / "lib/modules/6.1.0-1"


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no kernel can be read"), (b"\x7fELF", "is no bzImage"), (b"", "is no bzImage")],
)
def test_what_is_no_kernel_is_named(tmp_path, content, said):
    place = tmp_path / "vmlinuz"
    if content is not None:
        place.write_bytes(content)
    with pytest.raises(MachineFault, match=said) as caught:
        at(place)
    assert (caught.value.kind, str(place) in str(caught.value)) == ("usage", True)


@pytest.mark.parametrize(("names", "said"), [((), "holds no kernels"), (("a", "b"), "holds 2 kernels")])
def test_a_directory_has_to_hold_one_kernel(tmp_path, names, said):
    (tmp_path / "boot").mkdir()
    for name in names:
        (tmp_path / f"boot/vmlinuz-{name}").write_bytes(b"")
    with pytest.raises(MachineFault, match=said):
        at(tmp_path)


def test_a_kernels_release_is_what_its_header_says(tmp_path):
    head = bytearray(2048)
    head[0x202:0x206] = b"HdrS"
    head[0x20E:0x210] = (0x300).to_bytes(2, "little")
    words = b"6.9.1-odd (me@here) #1 SMP"
    head[0x500 : 0x500 + len(words)] = words
    place = tmp_path / "bzImage"
    place.write_bytes(head)
    assert at(place).release == "6.9.1-odd"
