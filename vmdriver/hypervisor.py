"""Starts guests: the one object that a program needs to hold."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vmdriver import process
from vmdriver.channel import Listener, peer
from vmdriver.connection import Connection
from vmdriver.disk import full_clone, linked_clone
from vmdriver.domain_xml import Wiring, domain_xml
from vmdriver.errors import MachineFault
from vmdriver.files import discard
from vmdriver.guest import Guest, log_tail
from vmdriver.prune import prune
from vmdriver.record import Record, own
from vmdriver.tools import lacking

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from vmdriver.snapshot import Snapshot
    from vmdriver.spec import Disk, GuestSpec

_CONNECT = 5.0  # QEMU connects before libvirt's call returns, so this only guards against a broken one


class Hypervisor:
    """A connection to libvirt that starts guests below `run`; a context manager that ends them all.

    `data` and `run` are Tare's data and run directories; `uri` is a libvirt URI, or None for the
    embedded driver.
    """

    def __init__(self, data: Path, run: Path, uri: str | None = None) -> None:
        self._emulator = emulator()
        self._run = run.absolute()
        prune(self._run)
        self.connection = Connection(data, uri)
        self._guests: list[Guest] = []

    def __enter__(self) -> Hypervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Destroy the guests that are left and close the connection."""
        with contextlib.closing(self.connection), contextlib.ExitStack() as stack:
            for guest in self._guests:
                stack.callback(guest.destroy)
        self._guests.clear()

    def start(self, spec: GuestSpec) -> Guest:
        """Start a guest; returns as soon as libvirt's call has, while the guest still boots.

        Raises MachineFault; nothing of the guest is left then.
        """
        return self._started(spec, lambda wiring: self.connection.create(domain_xml(spec, wiring), spec.name))

    def restore(self, snapshot: Snapshot) -> Guest:
        """Let a guest go on from where it was saved, under the same name, which has to be free.

        Its channels say nothing of their own accord: what it said before it was saved was heard then.
        Raises MachineFault; nothing of the guest is left then.
        """
        return self._started(
            snapshot.spec, lambda _wiring: self.connection.restore(snapshot.file, snapshot.spec.name)
        )

    def _started(self, spec: GuestSpec, begin: Callable[[Wiring], None]) -> Guest:
        self._guests = [guest for guest in self._guests if guest.directory.exists()]
        record = own(spec.name, spec.flavour, self._run, self.connection.uri, self.connection.root)
        record.write()
        try:
            guest = self._launch(spec, record, begin)
        except BaseException:
            self._undo(record)
            raise
        self._guests.append(guest)
        return guest

    def _launch(self, spec: GuestSpec, record: Record, begin: Callable[[Wiring], None]) -> Guest:
        home = record.directory
        with contextlib.ExitStack() as listeners:
            agent = listeners.enter_context(Listener(home / "agent.sock"))
            console = None
            if spec.apart:
                console = listeners.enter_context(Listener(home / "console.sock"))
            disks = tuple(_own_disk(disk, home / f"disk-{n}.qcow2") for n, disk in enumerate(spec.disks))
            wiring = Wiring(self._emulator, agent.path, console.path if console else None, disks)
            try:
                begin(wiring)
            except MachineFault as err:
                raise _explained(err, record) from err
            return self._connected(spec, record, agent, console)

    def _connected(self, spec: GuestSpec, record: Record, agent: Listener, console: Listener | None) -> Guest:
        with contextlib.ExitStack() as opened:
            channel = opened.enter_context(agent.accept(_CONNECT))
            other: socket.socket | None = None
            if console:
                other = opened.enter_context(console.accept(_CONNECT))
            identity = process.identify(peer(channel))
            if identity is None:
                raise MachineFault(f"guest {spec.name} ended at once", hint=log_tail(record))
            opened.pop_all()
        return Guest(
            connection=self.connection,
            spec=spec,
            record=record,
            identity=identity,
            agent=channel,
            console=other,
        )

    def _undo(self, record: Record) -> None:
        with contextlib.suppress(MachineFault):
            self.connection.destroy(record.name)
        for identity in process.running_with(f"{record.directory}/"):
            process.kill(identity)
        discard(record.directory)


def emulator() -> Path:
    """Return the path of QEMU's x86 system emulator. Raises MachineFault, kind `host`, without one."""
    found = shutil.which("qemu-system-x86_64")
    if not found:
        raise lacking("qemu-system-x86_64")
    return Path(found)


def _own_disk(disk: Disk, clone: Path) -> Disk:
    if disk.private == "no":
        return disk
    if disk.private == "linked":
        linked_clone(disk.path, clone, base_format=disk.format)
    else:
        full_clone(disk.path, clone, source_format=disk.format)
    return replace(disk, path=clone, format="qcow2", private="no")


def _explained(error: MachineFault, record: Record) -> MachineFault:
    said = [line for line in log_tail(record).splitlines() if "qemu-system-x86_64: " in line]
    return MachineFault(str(error), kind=error.kind, hint=error.hint or (said[-1] if said else ""))
