"""A writer for the `newc` cpio format, which the kernel unpacks as an initramfs.

Source: Documentation/driver-api/early-userspace/buffer-format.rst in the kernel.
"""

from __future__ import annotations

import os
import shutil
import stat
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


_TRAILER = "TRAILER!!!"
_LARGEST = 0xFFFFFFFF  # a size is eight hexadecimal digits


class CpioWriter:
    """Writes one archive to `out`; archives may follow one another in the same initramfs.

    Times are zero, owners are those of the tree or root, and inode numbers count up from 1, so the same
    content gives the same bytes. Hard links share an inode number; the first name brings the content, and
    the kernel links the others to it (`maybe_link` in init/initramfs.c).
    """

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._inode = 0
        self._linked: dict[tuple[int, int], int] = {}

    def directory(self, name: str, mode: int = 0o755) -> None:
        """Add a directory."""
        self._entry(name, stat.S_IFDIR | mode, links=2)

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        """Add a regular file with `data` as its content."""
        self._entry(name, stat.S_IFREG | mode, size=len(data))
        self._out.write(data)
        self._pad(len(data))

    def device(self, name: str, major: int, minor: int, mode: int = 0o600) -> None:
        """Add a character device."""
        self._entry(name, stat.S_IFCHR | mode, device=(major, minor))

    def tree(self, root: Path) -> None:
        """Add everything below `root`, in sorted order, `root` itself left out."""
        for folder, folders, files in os.walk(root):
            folders.sort()
            for name in sorted(files + folders):
                path = os.path.join(folder, name)  # noqa: PTH118
                self._node(path, os.path.relpath(path, root))

    def close(self) -> None:
        """End the archive, padded to 4 bytes so that another may follow."""
        self._inode = -1
        self._entry(_TRAILER, 0)

    def _node(self, path: str, name: str) -> None:
        info = os.lstat(path)
        kind = stat.S_IFMT(info.st_mode)
        owner = (info.st_uid, info.st_gid)
        if kind == stat.S_IFREG:
            self._regular(path, name, info)
        elif kind == stat.S_IFLNK:
            target = os.fsencode(os.readlink(path))  # noqa: PTH115
            self._entry(name, info.st_mode, size=len(target), owner=owner)
            self._out.write(target)
            self._pad(len(target))
        elif kind in (stat.S_IFCHR, stat.S_IFBLK):
            device = (os.major(info.st_rdev), os.minor(info.st_rdev))
            self._entry(name, info.st_mode, device=device, owner=owner)
        elif kind in (stat.S_IFDIR, stat.S_IFIFO):
            self._entry(name, info.st_mode, owner=owner)
        # A socket has no meaning in an image: nobody listens.

    def _regular(self, path: str, name: str, info: os.stat_result) -> None:
        owner = (info.st_uid, info.st_gid)
        key = (info.st_dev, info.st_ino)
        if info.st_nlink > 1 and key in self._linked:
            self._entry(name, info.st_mode, owner=owner, inode=self._linked[key], links=info.st_nlink)
            return
        if info.st_size > _LARGEST:
            raise OSError(27, "file is too large for an initramfs", path)
        inode = self._entry(name, info.st_mode, size=info.st_size, owner=owner, links=info.st_nlink)
        self._linked[key] = inode
        with open(path, "rb") as source:  # noqa: PTH123
            shutil.copyfileobj(source, self._out)
        self._pad(info.st_size)

    def _entry(
        self,
        name: str,
        mode: int,
        *,
        size: int = 0,
        device: tuple[int, int] = (0, 0),
        owner: tuple[int, int] = (0, 0),
        inode: int | None = None,
        links: int = 1,
    ) -> int:
        if inode is None:
            self._inode += 1
            inode = self._inode
        raw = os.fsencode(name) + b"\0"
        fields = (inode, mode, *owner, links, 0, size, 0, 0, *device, len(raw), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self._out.write(header + raw)
        self._pad(len(header) + len(raw))
        return inode

    def _pad(self, written: int) -> None:
        self._out.write(b"\0" * (-written % 4))
