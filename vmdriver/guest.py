"""A running guest, and its end."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from vmdriver import process
from vmdriver.adoption import collecting
from vmdriver.errors import MachineFault
from vmdriver.files import discard
from vmdriver.snapshot import Snapshot, check

if TYPE_CHECKING:
    import socket

    from vmdriver.connection import Connection
    from vmdriver.record import Record
    from vmdriver.spec import GuestSpec


class Guest:
    """A guest that runs, or ran. A context manager that destroys it.

    `pid` is QEMU's process; `agent` is the agent's channel, `console` the kernel's, or None where both
    share `agent`. Both sockets are blocking; whoever starts a guest has to read the console too, since
    a guest stops at a full serial port.
    """

    def __init__(
        self,
        *,
        connection: Connection,
        spec: GuestSpec,
        record: Record,
        identity: process.Identity,
        agent: socket.socket,
        console: socket.socket | None,
    ) -> None:
        self.spec = spec
        self.name = spec.name
        self.agent = agent
        self.console = console
        self.identity = identity
        self._connection = connection
        self._record = record

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_: object) -> None:
        self.destroy()

    @property
    def pid(self) -> int:
        """QEMU's process number."""
        return self.identity.pid

    @property
    def directory(self) -> Path:
        """The guest's own directory: sockets and overlay disks."""
        return self._record.directory

    @property
    def log(self) -> str:
        """The last lines that QEMU wrote, for a message about a failure; empty for a daemon's guests."""
        return log_tail(self._record)

    def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for the guest to end by itself; True if it has."""
        return process.wait_gone(self.identity, timeout)

    def save(self, file: Path) -> Snapshot:
        """Write the guest to `file` and end it, as `destroy` does; `Hypervisor.restore` lets it go on.

        Raises MachineFault, kind `usage`, for one with disks; it runs on then.
        """
        check(self.spec)
        with collecting(self.pid):
            self._connection.save(self.name, file)
        self.destroy()
        return Snapshot(self.spec, file)

    def destroy(self) -> None:
        """End the guest and remove all that was made for it; returns when it is gone. May be repeated."""
        with collecting(self.pid):
            self._connection.destroy(self.name)
        if not process.wait_gone(self.identity, 15) and not process.kill(self.identity):
            raise MachineFault(
                f"guest {self.name}: QEMU, process {self.pid}, does not end",
                hint=f"see /proc/{self.pid}/stack for what holds it",
            )
        for channel in (self.agent, self.console):
            if channel:
                channel.close()
        discard(self.directory)

    def leftovers(self) -> list[str]:
        """Return what is still there of the guest, in words: nothing, after `destroy`."""
        left = []
        if self.identity.alive():
            left.append(f"process {self.pid} (QEMU)")
        if self.directory.exists():
            left.append(f"directory {self.directory}")
        if self._connection.exists(self.name):
            left.append(f"libvirt guest {self.name}")
        return left


def log_tail(record: Record, size: int = 2000) -> str:
    """Return the end of QEMU's log of a guest of the embedded driver."""
    if not record.root:
        return ""
    with contextlib.suppress(OSError):
        return (
            (Path(record.root) / "log/qemu" / f"{record.name}.log")
            .read_text(errors="replace")[-size:]
            .strip()
        )
    return ""
