"""Makes a disk that firmware boots through GRUB, without a loop device: MBR, core image, ext4.

Layout, in sectors of 512 bytes: 0 GRUB's boot.img with a partition table in it; 1 and on GRUB's core
image, where boot.img looks for it by default, in the gap before the first partition; 2048 (1 MiB) ext4.
Source: https://www.gnu.org/software/grub/manual/grub/html_node/BIOS-installation.html
"""

from __future__ import annotations

import struct
from pathlib import Path

from vmdriver.disk import build_root_disk
from vmdriver.errors import MachineFault
from vmdriver.tools import run

_SECTOR = 512
_START = 2048
_TABLE = 446  # where the partition table begins in the first sector
_LINUX = 0x83
_IMAGES = Path("/usr/lib/grub/i386-pc")
_MODULES = ("biosdisk", "part_msdos", "ext2", "normal", "linux", "echo", "test", "search")


def build_bootable_disk(tree: Path, dest: Path, size: int | None = None) -> None:
    """Write a raw disk to `dest` that boots `tree` through firmware and GRUB.

    `tree` holds `/boot/grub/grub.cfg`, a kernel and its initrd (see `vmdriver.machine_image`); `size`
    is the file system's size in bytes. Needs Debian's grub-pc-bin.
    """
    check(tree)
    build_root_disk(tree, dest, size, offset=_START * _SECTOR)
    core = _core_image(dest.with_name(f"{dest.name}.core"))
    if len(core) > (_START - 1) * _SECTOR:
        raise MachineFault(f"GRUB's core image has {len(core)} bytes, too many for the gap before 1 MiB")
    sectors = dest.stat().st_size // _SECTOR - _START
    with dest.open("r+b") as out:
        out.write(first_sector((_IMAGES / "boot.img").read_bytes(), _START, sectors))
        out.write(core)


def check(tree: Path) -> None:
    """Raise MachineFault, kind `missing`, unless `tree` holds what GRUB will look for."""
    for name in ("boot/grub/grub.cfg", "vmlinuz", "initrd.img", "usr/lib/tare/init"):
        if not (tree / name).exists() and not (tree / name).is_symlink():
            raise MachineFault(
                f"{tree} is no machine image: it has no /{name}",
                kind="missing",
                hint="build it with a kernel, initramfs-tools and the files of vmdriver.machine_image",
            )


def first_sector(boot: bytes, start: int, sectors: int) -> bytes:
    """Return `boot` (GRUB's boot.img) with one active Linux partition in its table.

    `start` and `sectors` count sectors of 512 bytes. The addresses in cylinders, heads and sectors are
    the customary "too large for this" values; nobody reads them.
    """
    beyond = b"\xfe\xff\xff"
    entry = struct.pack("<B3sB3sII", 0x80, beyond, _LINUX, beyond, start, sectors)
    return boot[:_TABLE].ljust(_TABLE, b"\0") + entry.ljust(64, b"\0") + b"\x55\xaa"


def _core_image(scratch: Path) -> bytes:
    if not _IMAGES.is_dir():
        raise MachineFault(
            f"GRUB's images are not in {_IMAGES}",
            kind="host",
            hint="apt-get install --no-install-recommends grub-pc-bin grub-common",
        )
    try:
        run(
            ["grub-mkimage", "-O", "i386-pc", "-p", "(hd0,msdos1)/boot/grub", "-o", scratch, *_MODULES],
            doing="making GRUB's core image",
        )
        return scratch.read_bytes()
    finally:
        scratch.unlink(missing_ok=True)
