"""One plain directory from an image's layers, for what can't mount an overlay: chroot, initramfs, disk."""

import os
import stat
from pathlib import Path

from runtime.image import merged, owners
from runtime.image.layer import whiteout
from runtime.image.merged import Node


def flatten(layers: tuple[Path, ...], target: Path) -> None:
    """Copy the merged tree of `layers` (bottom first) into the empty directory `target`.

    Files are copies, shared blocks where the file system can (btrfs, xfs), so that a process that writes
    into the tree can't harm a layer. Hard links inside a layer stay links. Raises `OSError`.
    """
    root = tuple(reversed(layers))
    links: dict[tuple[int, int], Path] = {}
    _copy_directory(root, target, links)
    if root:
        _copy_attributes(root[0], target, root[0].lstat())


def _copy_directory(node: Node, target: Path, links: dict[tuple[int, int], Path]) -> None:
    for name, entry in merged.children(node).items():
        source, copy = entry[0], target / name
        status = source.lstat()
        if stat.S_ISDIR(status.st_mode):
            copy.mkdir(0o700)
            _copy_directory(entry, copy, links)
            _copy_attributes(source, copy, status)
        elif status.st_nlink > 1 and (first := links.get((status.st_dev, status.st_ino))):
            os.link(first, copy, follow_symlinks=False)
        else:
            _copy_file(source, copy, status)
            links[status.st_dev, status.st_ino] = copy


def _copy_file(source: Path, copy: Path, status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        copy.symlink_to(source.readlink())
    elif stat.S_ISREG(status.st_mode):
        _copy_content(source, copy, status.st_size)
    else:
        os.mknod(copy, stat.S_IFMT(status.st_mode) | 0o600, status.st_rdev)
    _copy_attributes(source, copy, status)


def _copy_content(source: Path, copy: Path, size: int) -> None:
    with source.open("rb") as reader, copy.open("xb") as writer:
        offset = 0
        while offset < size:
            try:
                offset = os.lseek(reader.fileno(), offset, os.SEEK_DATA)
            except OSError:
                break  # ENXIO: only a hole is left
            end = os.lseek(reader.fileno(), offset, os.SEEK_HOLE)
            while offset < end:
                done = os.copy_file_range(reader.fileno(), writer.fileno(), end - offset, offset, offset)
                if not done:
                    return
                offset += done
        writer.truncate(size)


def _copy_attributes(source: Path, copy: Path, status: os.stat_result) -> None:
    if owners.kept():
        os.chown(copy, status.st_uid, status.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        copy.chmod(stat.S_IMODE(status.st_mode))
    for name in os.listxattr(source, follow_symlinks=False):
        if not whiteout.is_private(name):
            os.setxattr(copy, name, os.getxattr(source, name, follow_symlinks=False), follow_symlinks=False)
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)
