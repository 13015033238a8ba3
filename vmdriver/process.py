"""Which process is which: a number alone names nobody for long."""

from __future__ import annotations

import os
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from vmdriver.errors import MachineFault


@dataclass(frozen=True)
class Identity:
    """A process for all time: its number, and its start in clock ticks since boot (proc(5), field 22)."""

    pid: int
    start: int

    def alive(self) -> bool:
        """Tell whether this very process still runs; a zombie does not."""
        now = identify(self.pid)
        return now == self

    def __str__(self) -> str:
        return f"{self.pid}-{self.start}"


def myself() -> Identity:
    """Return the identity of this process. Raises MachineFault, kind `host`, where /proc is not mounted."""
    own = identify(os.getpid())
    if own is None:
        raise MachineFault("/proc is not mounted", kind="host", hint="mount -t proc proc /proc")
    return own


def identify(pid: int) -> Identity | None:
    """Return the identity of the running process `pid`, or None if there is none or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else Identity(pid, int(fields[19]))


def command_line(pid: int) -> str:
    """Return the command line of `pid`, blanks between the words; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def running_with(text: str) -> tuple[Identity, ...]:
    """Return the QEMU processes that have `text` in their command line, such as a guest's own directory."""
    found = []
    for entry in os.listdir("/proc"):  # noqa: PTH208  (thousands of entries, names are enough)
        if entry.isdigit() and text in (line := command_line(int(entry))) and "qemu" in line.split(" ", 1)[0]:
            identity = identify(int(entry))
            if identity:
                found.append(identity)
    return tuple(found)


def wait_gone(identity: Identity, timeout: float) -> bool:
    """Wait at most `timeout` seconds for a process to end; True if it has. Blocks on a pidfd, no polling."""
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return True
    try:
        # Opened first, compared after: now the number can't pass to another process unnoticed.
        if not identity.alive():
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(timeout * 1000))
    finally:
        os.close(descriptor)


def kill(identity: Identity, timeout: float = 10) -> bool:
    """End exactly this process with SIGKILL and wait until it is gone; True if it is."""
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return True
    try:
        if identity.alive():
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except ProcessLookupError:
        return True
    finally:
        os.close(descriptor)
    deadline = time.monotonic() + timeout
    return wait_gone(identity, deadline - time.monotonic())
