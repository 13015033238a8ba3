"""What the network holds, on disk: one file for the bridge, one per address, all behind one lock.

RUN/network/lock; RUN/network/bridge.json; RUN/network/leases/ADDRESS. A lease is the whole record of one
container's attachment: whoever finds it can take everything down again.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from runtime.errors import RuntimeFault
from runtime.linux.processes import alive
from runtime.network.ports import Port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


@dataclass(frozen=True)
class Bridge:
    """The bridge; `opened` are the interfaces whose forwarding we turned on, `last` the newest address."""

    name: str
    subnet: str
    mac: str
    mtu: int
    opened: tuple[str, ...] = ()
    last: str = ""

    @property
    def network(self) -> IPv4Network:
        """Its subnet."""
        return IPv4Network(self.subnet)

    @property
    def gateway(self) -> IPv4Address:
        """The host's address on it: the first of the subnet."""
        return self.network[1]


@dataclass(frozen=True)
class Lease:
    """An address and whose it is: the container, and the process (pid, start in ticks) that it lives by."""

    address: str
    container: str
    pid: int
    start: int
    link: str
    ports: tuple[Port, ...] = ()

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return alive(self.pid, self.start)

    def within(self, bridge: Bridge) -> IPv4Interface:
        """Address with the bridge's prefix length."""
        return IPv4Interface(f"{self.address}/{bridge.network.prefixlen}")


class Records:
    """Reads and writes of one run directory. Writers hold `locked()`."""

    def __init__(self, run: str | os.PathLike[str]) -> None:
        self.directory = Path(os.path.realpath(run)) / "network"
        self._bridge = self.directory / "bridge.json"
        self._leases = self.directory / "leases"

    def exist(self) -> bool:
        """Whether this run directory has ever had a network."""
        return self.directory.exists()

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the lock; yields its descriptor, which a child may inherit to keep it a moment longer."""
        self._leases.mkdir(mode=0o711, parents=True, exist_ok=True)
        fd = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield fd
        finally:
            os.close(fd)

    def mark(self, *words: str) -> str:
        """Give twelve hexadecimal digits of this run directory and `words`, always the same ones."""
        return sha256("\0".join((str(self.directory), *words)).encode()).hexdigest()[:12]

    def bridge(self) -> Bridge | None:
        """Read the record of the bridge, if there is one."""
        found = _read(self._bridge)
        return None if found is None else _parsed(self._bridge, lambda: Bridge(**_tuples(found, "opened")))

    def write_bridge(self, bridge: Bridge) -> None:
        """Record it in place of what was recorded."""
        _write(self._bridge, asdict(bridge))

    def forget_bridge(self) -> None:
        """Remove the record of the bridge."""
        self._bridge.unlink(missing_ok=True)

    def leases(self) -> list[Lease]:
        """All leases, by address."""
        found = []
        for path in self._leases.iterdir() if self._leases.exists() else ():
            values = _read(path) if not path.name.endswith(".new") else None
            if values is not None:
                found.append(_parsed(path, lambda values=values: _lease(values)))
        return sorted(found, key=lambda lease: int(IPv4Address(lease.address)))

    def write_lease(self, lease: Lease) -> None:
        """Record it in place of what was recorded."""
        _write(self._leases / lease.address, asdict(lease))

    def forget_lease(self, lease: Lease) -> None:
        """Remove the record: the address is free."""
        (self._leases / lease.address).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove drafts that a writer did not live to rename. Under the lock every draft is such a one."""
        for path in (*self._leases.glob("*.new"), *self.directory.glob("*.new")):
            path.unlink(missing_ok=True)


def _lease(values: dict[str, Any]) -> Lease:
    return Lease(**{**values, "ports": tuple(Port(**port) for port in values["ports"])})


def _tuples(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {**values, name: tuple(values[name])}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    found: dict[str, Any] = _parsed(path, lambda: dict(json.loads(text)))
    return found


def _parsed(path: Path, read: Any) -> Any:  # noqa: ANN401 - what a reader gives is what comes out
    try:
        return read()
    except (ValueError, TypeError, KeyError) as err:
        hint = "delete the file, and then the network devices that it stood for"
        raise RuntimeFault(f"the record {path} is damaged", kind="corrupt", hint=hint) from err


def _write(path: Path, values: dict[str, Any]) -> None:
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(json.dumps(values), encoding="utf-8")
    draft.rename(path)
