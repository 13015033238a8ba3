"""Cleans up after processes that were killed: guests without an owner, and all that was made for them.

What has a living owner is never touched, and nothing that has no record of ours. The owner is known by
number and start time, and QEMU by the guest's own directory in its command line. Where the record is damaged
the owner is whoever holds the guest's channel.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from vmdriver import process
from vmdriver.errors import MachineFault, from_os
from vmdriver.files import abandoned, discard
from vmdriver.record import directories, owner_in, read
from vmdriver.slot import forget_guests

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmdriver.record import Record

# Below the data directory, where things are built under a temporary name first.
_BUILT = ("vm", "vm/kernels", "vm/initramfs", "vm/disks")
_REMOVAL = 1.0  # seconds in which an owner that has begun to remove a guest's directory is done


def _silent(_line: str) -> None:
    """Drop what nobody wants to hear."""


def prune(run: Path, data: Path | None = None, say: Callable[[str], None] = _silent) -> list[str]:
    """Remove what dead owners left below `run`, and below `data` if given; returns what it was, in words.

    `say` hears one line about each guest that stays although its record is damaged, with the remedy.
    Raises MachineFault if something of theirs can't be ended or removed.
    """
    found = [_prune_one(directory, say) for directory in directories(run.absolute())]
    removed = [words for words in found if words]
    # A guest without a record doesn't tell which of libvirt's directories has notes on it.
    for root in (data / "vm/libvirt").glob("slot-*") if data else ():
        _forget(root)
    places = [run / "guests", *(data / place for place in _BUILT)] if data else [run / "guests"]
    for path in [path for place in places for path in abandoned(place)]:
        _remove(path)
        removed.append(f"unfinished {path}")
    return removed


def end(record: Record) -> str:
    """End a guest by its record, whoever started it, and remove its directory and libvirt's notes on it."""
    _end_machines(record.directory)
    if record.root:
        _forget(Path(record.root))
    _remove(record.directory)
    return f"guest {record.name} of process {record.owner.pid}"


def _prune_one(directory: Path, say: Callable[[str], None]) -> str | None:
    try:
        record = read(directory)
    except MachineFault as fault:
        if fault.kind != "corrupt":
            raise
        return _prune_damaged(directory, say)
    if record is None:
        return None if _vanishes(directory) else _end_unrecorded(directory)
    return None if record.owner.alive() else end(record)


def _prune_damaged(directory: Path, say: Callable[[str], None]) -> str | None:
    owner = owner_in(directory)
    keeper = _holder(directory) if owner is None else f"process {owner.pid}" if owner.alive() else ""
    if keeper:
        say(
            f"guest {directory.name} stays: its record {directory}/guest.json is damaged, but {keeper} "
            "still has it; end that process, then run `tare system prune`"
        )
        return None
    return _end_unrecorded(directory)


def _end_unrecorded(directory: Path) -> str:
    """End what has no record that can be read."""
    _end_machines(directory)
    _remove(directory)
    return f"guest {directory.name}, of which there was no sound record"


def _end_machines(directory: Path) -> None:
    for identity in process.running_with(f"{directory}/"):
        if not process.kill(identity):
            raise MachineFault(
                f"guest {directory.name}: QEMU, process {identity.pid}, does not end",
                hint=f"see /proc/{identity.pid}/stack for what holds it",
            )


def _vanishes(directory: Path) -> bool:
    """Tell whether the directory goes away by itself, as one does that its owner is removing."""
    deadline = time.monotonic() + _REMOVAL
    while directory.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not directory.exists()


def _holder(directory: Path) -> str:
    """Return in words which process has a guest's channel open; empty if none has.

    The owner made the channel's socket in the guest's directory, and the connection that it accepted there
    keeps that name, which proc_net(5) shows, for as long as the owner lives. QEMU's end has no name.
    """
    lines = [line.split() for line in Path("/proc/net/unix").read_text(errors="replace").splitlines()]
    tail = f"/{directory.parent.name}/{directory.name}/"
    sockets = {f"socket:[{line[6]}]" for line in lines if tail in line[-1]}
    for place in Path("/proc").glob("[0-9]*/fd") if sockets else ():
        with contextlib.suppress(OSError):  # a process may end meanwhile
            if any(str(fd.readlink()) in sockets for fd in place.iterdir()):
                return f"process {place.parent.name}"
    return "a process that can't be seen from here" if sockets else ""


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
