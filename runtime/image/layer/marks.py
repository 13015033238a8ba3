"""What a file has besides its content: owner, mode, time, extended attributes; from a header to the disk."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.errors import RuntimeFault
from runtime.image.layer import whiteout
from runtime.image.layer.entry import mtime_ns, xattrs

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Iterator, Mapping

_NONE: Mapping[str, bytes] = {}
# A file system without labels or capabilities may refuse their attributes; docker ignores that as well.
_XATTR_REFUSED = {errno.ENOTSUP, errno.EPERM}


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a header says of a file besides its content; `time` in nanoseconds since 1970."""

    name: str
    mode: int
    uid: int
    gid: int
    time: int
    xattrs: Mapping[str, bytes]

    @classmethod
    def of(cls, info: tarfile.TarInfo) -> Attributes:
        """Take them from a header, which is several times as large: a layer may have 100,000 directories."""
        found = xattrs(info) or _NONE
        return cls(info.name, stat.S_IMODE(info.mode), info.uid, info.gid, mtime_ns(info), found)


class Marks:
    """Puts attributes on files that were just made; `owners` says whether owners are among them."""

    def __init__(self, *, owners: bool, privileged: bool) -> None:
        self._owners, self._privileged = owners, privileged

    def put(self, descriptor: int, attributes: Attributes) -> None:
        """Give an open file or directory all that its header says."""
        if self._owners:
            with _mapped(attributes):
                # Clears set-user-id and file capabilities, so it comes before both.
                os.fchown(descriptor, attributes.uid, attributes.gid)
        os.fchmod(descriptor, attributes.mode)
        self._extended(descriptor, attributes)
        os.utime(descriptor, ns=(attributes.time, attributes.time))

    def own_name(self, name: str, parent: int, attributes: Attributes) -> None:
        """Give what can't be opened, a link or a device, its owner."""
        if self._owners:
            with _mapped(attributes):
                os.chown(name, attributes.uid, attributes.gid, dir_fd=parent, follow_symlinks=False)

    def _extended(self, descriptor: int, attributes: Attributes) -> None:
        for name, value in attributes.xattrs.items():
            # A layer that sets overlayfs's own attributes could redirect a directory to any other.
            if whiteout.is_private(name):
                continue
            try:
                os.setxattr(descriptor, name, value)
            except OSError as err:
                if err.errno not in _XATTR_REFUSED or (err.errno == errno.EPERM and self._privileged):
                    raise


@contextmanager
def _mapped(attributes: Attributes) -> Iterator[None]:
    """Say which file has an owner whom this user namespace has no number for (chown(2), EINVAL)."""
    try:
        yield
    except OSError as err:
        if err.errno != errno.EINVAL:
            raise
        owner = f"{attributes.uid}:{attributes.gid}"
        raise RuntimeFault(
            f"a layer gives {attributes.name!r} to {owner}, which is not mapped here",
            kind="host",
            hint="give this user a larger range in /etc/subuid and /etc/subgid, or run it as root",
        ) from err
