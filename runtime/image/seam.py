"""The one place where the kernel's and the codecs' errors become faults of ours."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import RuntimeFault

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FEW = 20  # a twentieth
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def storage(doing: str, where: Path) -> Iterator[None]:
    """Translate an `OSError` met while `doing` something at `where` into a `RuntimeFault`."""
    try:
        yield
    except OSError as err:
        raise _translate(err, doing, where) from err


def _translate(err: OSError, doing: str, where: Path) -> RuntimeFault:
    reason = (err.strerror or str(err)).lower()
    if err.errno == errno.ENOSPC and _lacks_inodes(where):
        return RuntimeFault(
            f"cannot {doing}: the file system of {where} has no inodes left",
            kind="host",
            hint="remove files there (`tare image prune`; `df -i` shows the inodes), or use another disk",
        )
    if err.errno in _FULL:
        return RuntimeFault(
            f"cannot {doing}: the file system of {where} is full",
            kind="host",
            hint="free some space (`tare image prune`), or point --root or TARE_ROOT at a larger disk",
        )
    if err.errno in _DENIED:
        return RuntimeFault(
            f"cannot {doing}: no permission at {err.filename or where} ({reason})",
            kind="host",
            hint="run as root, or point --root or TARE_ROOT at a directory that you may write",
        )
    if err.errno == errno.ENOSYS:
        return RuntimeFault(
            f"cannot {doing}: {err.filename or 'a system call'} is not available here",
            kind="host",
            hint="Linux 5.6 or newer is needed, without a sandbox that filters system calls",
        )
    return RuntimeFault(
        f"cannot {doing}: {err.filename or where}: {reason}",
        kind="failed",
        hint="see whether the disk is sound (`dmesg`) and the store too (`tare image verify`)",
    )


def _lacks_inodes(where: Path) -> bool:
    """Say whether it is rather files than bytes that there is no room for; ext4 and xfs count both.

    What was half done has been removed by now, so neither may be quite used up.
    """
    try:
        room = os.statvfs(where)
    except OSError:
        return False
    return room.f_favail * _FEW < room.f_files and room.f_bavail * _FEW > room.f_blocks


_REMAKE = (
    "`tare image verify` lists every damaged blob; remove the image that owns it with `tare image rm`, "
    "run `tare image prune`, and make the image again"
)


def corrupt(what: str, *, hint: str = _REMAKE) -> RuntimeFault:
    """Return the fault for damaged content in the store."""
    return RuntimeFault(what, kind="corrupt", hint=hint)
