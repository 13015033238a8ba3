"""A user of a container, looked up in the container's own files; no link there may lead to the host's.

What /etc/passwd is belongs to the image, or to whoever changed it since: a link, a pipe that nobody writes
to, or far too much. It is opened inside the root (see rootfs/resolve.py) and copied before it is read.
"""

# pathlib stays out of the keeper and its children:
# ruff: noqa: PTH103, PTH123

from __future__ import annotations

import os
import stat

from runtime.errors import RuntimeFault
from runtime.process import accounts
from runtime.rootfs import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_FILES = ("/etc/passwd", "/etc/group")
_LARGEST = 16 << 20  # bytes; a real one of 10,000 users has 1 MiB


def find(text: str, root: int, scratch: str) -> accounts.Account:
    """Return the account for "user[:group]" in the root directory behind the descriptor `root`.

    The files are copied to the directory `scratch`. A fault of kind usage when there is no such user, and of
    kind corrupt when a file is none that can be read.
    """
    os.makedirs(scratch, exist_ok=True)
    for path in _FILES:
        content = _read(root, path)
        with open(f"{scratch}/{path.rpartition('/')[2]}", "wb") as copy:
            copy.write(content)
    try:
        return accounts.resolve(text, scratch)
    except accounts.UnknownAccount as err:
        raise RuntimeFault(f"the container has no {err}", kind="usage", hint="give a number") from err


def groups(names: Iterable[str], scratch: str) -> list[int]:
    """Return the numbers of groups, after `find` has copied the files to `scratch`."""
    try:
        return [accounts.resolve(f"0:{name}", scratch).gid for name in names]
    except accounts.UnknownAccount as err:
        raise RuntimeFault(f"the container has no {err}", kind="usage", hint="give a number") from err


def _read(root: int, path: str) -> bytes:
    try:
        found = resolve.find(root, path)
    except OSError:  # it has none, or a link that leads nowhere
        return b""
    try:
        about = os.fstat(found)
        if not stat.S_ISREG(about.st_mode):
            raise RuntimeFault(f"{path} of the container is no file", kind="corrupt")
        if about.st_size > _LARGEST:
            raise RuntimeFault(f"{path} of the container has {about.st_size} bytes", kind="corrupt",
                               hint=f"at most {_LARGEST} are read")  # fmt: skip
        with open(f"/proc/self/fd/{found}", "rb") as file:
            return file.read(_LARGEST)
    finally:
        os.close(found)
