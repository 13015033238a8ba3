"""Cleans up after processes that were killed: guests without an owner, and all that was made for them.

What has a living owner is never touched, and nothing that has no record of ours. The owner is known by
number and start time, and QEMU by the guest's own directory in its command line.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

from vmdriver import process
from vmdriver.errors import MachineFault, from_os
from vmdriver.files import abandoned, discard
from vmdriver.record import records
from vmdriver.slot import forget_guests

if TYPE_CHECKING:
    from vmdriver.record import Record

# Below the data directory, where things are built under a temporary name first.
_BUILT = ("vm", "vm/kernels", "vm/initramfs", "vm/disks")


def prune(run: Path, data: Path | None = None) -> list[str]:
    """Remove what dead owners left below `run`, and below `data` if given; returns what it was, in words.

    Raises MachineFault if something of theirs can't be ended or removed.
    """
    removed = [end(record) for record in records(run.absolute()) if not record.owner.alive()]
    places = [run / "guests", *(data / place for place in _BUILT)] if data else [run / "guests"]
    for path in [path for place in places for path in abandoned(place)]:
        _remove(path)
        removed.append(f"unfinished {path}")
    return removed


def end(record: Record) -> str:
    """End a guest by its record, whoever started it, and remove its directory and libvirt's notes on it."""
    for identity in process.running_with(f"{record.directory}/"):
        if not process.kill(identity):
            raise MachineFault(
                f"guest {record.name}: QEMU, process {identity.pid}, does not end",
                hint=f"see /proc/{identity.pid}/stack for what holds it",
            )
    if record.root:
        _forget(Path(record.root))
    _remove(record.directory)
    return f"guest {record.name} of process {record.owner.pid}"


def _remove(path: Path) -> None:
    try:
        discard(path)
    except FileNotFoundError:
        return  # somebody else prunes, too
    except OSError as err:
        raise from_os(err, f"removing {path}") from err


def _forget(root: Path) -> None:
    """Remove libvirt's notes, unless a living process uses the directory: it removed them when it came."""
    try:
        descriptor = os.open(root / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        forget_guests(root)
    except BlockingIOError:
        return
    finally:
        os.close(descriptor)
