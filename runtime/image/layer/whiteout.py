"""How a layer says that something below it is gone.

In a tar: `.wh.NAME` hides NAME, `.wh..wh..opq` hides all that lies below a directory (OCI image-spec,
layer.md, "Whiteouts"). In overlayfs: a character device 0:0, and the xattr `overlay.opaque` = "y"
(Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories").
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

from runtime.linux import userns

PREFIX = ".wh."
OPAQUE = ".wh..wh..opq"
RESERVED = ".wh..wh."  # other marks of aufs, which have no meaning in a layer


def namespace() -> str:
    """Return the xattr prefix that overlayfs reads: root's, or that of the mount option `userxattr`."""
    return "trusted.overlay." if userns.privileged() else "user.overlay."


def is_private(name: str) -> bool:
    """Say whether an extended attribute is overlayfs's own, which must not cross into or out of a tar."""
    return name.startswith(("trusted.overlay.", "user.overlay."))


def make(directory: int, name: str) -> None:
    """Make a whiteout; unlike other devices, 0:0 needs no privilege since Linux 5.8."""
    os.mknod(name, stat.S_IFCHR | 0o600, 0, dir_fd=directory)


def is_whiteout(status: os.stat_result) -> bool:
    """Say whether a file is overlayfs's whiteout."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def make_opaque(directory: int) -> None:
    """Mark an open directory opaque."""
    os.setxattr(directory, f"{namespace()}opaque", b"y")


def is_opaque(directory: Path) -> bool:
    """Say whether a directory hides what lies below it."""
    for name in ("trusted.overlay.opaque", "user.overlay.opaque"):
        with suppress(OSError):
            if os.getxattr(directory, name, follow_symlinks=False) == b"y":
                return True
    return False
