"""Disk images: a tree as an ext4 file system, and clones of a disk in qcow2."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from vmdriver.errors import MachineFault
from vmdriver.files import replacing
from vmdriver.tools import run

if TYPE_CHECKING:
    from pathlib import Path

    from vmdriver.spec import DiskFormat

_MIB = 1 << 20
# What every Linux and GRUB 2.06 can read, whatever defaults the host's mke2fs has: newer ones turn on
# metadata_csum_seed and orphan_file, at which GRUB says "unknown filesystem".
_FEATURES = (
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,"
    "sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum"
)


def build_root_disk(tree: Path, dest: Path, size: int | None = None, *, offset: int = 0) -> None:
    """Write a raw disk with an ext4 file system that holds `tree` to `dest`, `offset` bytes into it.

    No loop device and no mount: mke2fs copies the tree itself. `size` is the file system's size in
    bytes, by default the tree's own with half as much again to spare, and the file is sparse. Owners,
    modes, links and extended attributes are those of the tree.
    """
    length = size or default_size(tree)
    blocks = length // 4096
    if blocks * 4096 < tree_bytes(tree):
        raise MachineFault(
            f"{tree} does not fit into {length} bytes", kind="usage", hint="give a larger size"
        )
    # Initialised now, not by a kernel thread of the guest while it is being measured.
    extended = f"lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0,offset={offset}"
    with dest.open("wb") as out:
        out.truncate(offset + blocks * 4096)
    run(
        [
            "mke2fs",
            "-q",
            "-F",
            "-t",
            "ext4",
            "-b",
            "4096",
            "-m",
            "0",
            "-O",
            _FEATURES,
            "-E",
            extended,
            "-d",
            tree,
            dest,
            str(blocks),
        ],
        doing=f"building {dest.name} from {tree}",
    )
    _dig_holes(dest)


def _dig_holes(disk: Path) -> None:
    """Give back what holds zeros: mke2fs has its empty tables and journal allocated, written or not.

    A clone that qemu-img makes has holes there, and no copy may look smaller than what it is a copy of.
    """
    with replacing(disk) as sparse:
        run(["cp", "--sparse=always", disk, sparse], doing=f"digging holes in {disk.name}")


def default_size(tree: Path) -> int:
    """Return a size in bytes, in whole MiB, that holds `tree` with room to work in."""
    return (tree_bytes(tree) * 3 // 2 // _MIB + 64) * _MIB


def tree_bytes(tree: Path) -> int:
    """Return the bytes that a tree needs in blocks of 4 KiB, each inode counted once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for folder, folders, files in os.walk(tree):
        for name in folders + files:
            info = os.lstat(f"{folder}/{name}")
            if (info.st_dev, info.st_ino) not in seen:
                seen.add((info.st_dev, info.st_ino))
                content = info.st_size if stat.S_ISREG(info.st_mode) else 1
                total += -(-content // 4096) * 4096 + 256  # and its inode
    return total


def full_clone(source: Path, dest: Path, *, source_format: DiskFormat = "raw") -> None:
    """Copy a disk's content into a qcow2 of its own, empty clusters left out."""
    run(
        ["qemu-img", "convert", "-f", source_format, "-O", "qcow2", source, dest],
        doing=f"cloning {source.name}",
    )


def linked_clone(base: Path, dest: Path, *, base_format: DiskFormat = "raw") -> None:
    """Make a qcow2 that holds only what differs from `base`, which must never change from then on."""
    if not base.is_file():
        raise MachineFault(f"there is no disk {base}", kind="missing")
    run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", base.absolute(), "-F", base_format, dest],
        doing=f"linking a clone to {base.name}",
    )


def unique_bytes(path: Path) -> int:
    """Return the bytes that a file occupies on the host's disk, holes left out (stat(2), st_blocks)."""
    return path.stat().st_blocks * 512
