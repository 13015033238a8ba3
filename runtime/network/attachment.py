"""Plug a container into the bridge and out again: for its owner, or for a prune after that died."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from runtime.errors import RuntimeFault
from runtime.linux.namespaces import raise_loopback
from runtime.network import bridge as bridges
from runtime.network import firewall, links, ports, sysctls
from runtime.network.netlink import Netlink
from runtime.network.netns import entered
from runtime.network.records import Lease, Records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from runtime.network.ports import Port
    from runtime.network.records import Bridge

INSIDE = "eth0"
_MAC_PREFIX = "02:54"


@dataclass(frozen=True)
class Attachment:
    """A container on the bridge. As a context manager it is detached at the end of the block."""

    run: str
    container: str
    bridge: str
    address: str
    prefix: int
    gateway: str
    mac: str
    ports: tuple[Port, ...]
    interface: str = INSIDE

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        detach(self.run, self.container)

    def settings(self) -> dict[str, object]:
        """Return what `docker inspect` shows as NetworkSettings."""
        shown: dict[str, list[dict[str, str]]] = {}
        for port in self.ports:
            place = shown.setdefault(f"{port.container}/{port.protocol}", [])
            place.append({"HostIp": port.address, "HostPort": str(port.number)})
        return {
            "Bridge": self.bridge,
            "Ports": shown,
            "Gateway": self.gateway,
            "IPAddress": self.address,
            "IPPrefixLen": self.prefix,
            "MacAddress": self.mac,
        }


def attach(
    run: str | os.PathLike[str],
    container: str,
    netns: int,
    *,
    owner: tuple[int, int],
    published: Sequence[Port] = (),
    subnet: str | None = None,
) -> Attachment:
    """Give the network namespace behind `netns` a link to the bridge, an address and published ports.

    `owner` is the process (pid, start in clock ticks) that the attachment lives by: once it is gone, the
    next attach or prune takes the attachment down. RuntimeFault: usage (the container is attached already,
    the bridge has another subnet), host (a port is in use, no address is free, nft is missing, no right).
    """
    firewall.require()
    records = Records(run)
    with _translated(f"attach {container} to the bridge"), records.locked() as lock, Netlink() as route:
        records.sweep()
        _reclaim(records, route, lock)
        _check(records, container, published)
        try:
            bridge = bridges.ensure(records, route, subnet)
            with ports.held(published) as held:
                lease = _lease(records, bridge, container, owner, held)
                _plug(route, bridge, lease, netns)
                _publish(records, bridge, lock)
        except BaseException:
            with suppress(OSError, RuntimeFault):  # what cannot be undone now is on record for a prune
                _release(records, route, lock, container)
            raise
        return _attachment(os.fspath(run), bridge, lease)


def detach(run: str | os.PathLike[str], container: str) -> None:
    """Take down what a container has on the bridge, from the record alone; may be repeated."""
    records = Records(run)
    if not records.exist():
        return
    with _translated(f"detach {container}"), records.locked() as lock, Netlink() as route:
        _release(records, route, lock, container)


def prune(run: str | os.PathLike[str]) -> list[str]:
    """Detach the containers whose process is gone; give their names. The last one takes the bridge along."""
    records = Records(run)
    if not records.exist():
        return []
    with _translated("prune the network"), records.locked() as lock, Netlink() as route:
        records.sweep()
        gone = _reclaim(records, route, lock)
        _close_if_empty(records, route, lock)
        return gone


def attachments(run: str | os.PathLike[str]) -> list[Attachment]:
    """All of this run directory, by address."""
    records = Records(run)
    bridge = records.bridge()
    return [_attachment(os.fspath(run), bridge, lease) for lease in records.leases()] if bridge else []


def _check(records: Records, container: str, published: Sequence[Port]) -> None:
    if met := ports.clash(published, ()):
        raise RuntimeFault(f"cannot publish {met}: it is asked for twice", kind="usage")
    for lease in records.leases():
        if lease.container == container:
            raise RuntimeFault(f"{container} is attached already, as {lease.address}", kind="usage")
        if met := ports.clash(published, lease.ports):
            raise ports.in_use(met, f"the container {lease.container}")


def _lease(
    records: Records, bridge: Bridge, container: str, owner: tuple[int, int], held: tuple[Port, ...]
) -> Lease:
    """Record the next free address after the youngest one, so that one just given back rests for a while."""
    taken = {int(IPv4Address(lease.address)) for lease in records.leases()} | {int(bridge.gateway)}
    first, last = int(bridge.network[1]), int(bridge.network[-2])
    start = int(IPv4Address(bridge.last)) + 1 if bridge.last else first
    free = next((n for n in (*range(start, last + 1), *range(first, start)) if n not in taken), None)
    if free is None:
        hint = "remove some containers"
        raise RuntimeFault(f"all addresses of {bridge.subnet} are in use", kind="host", hint=hint)
    lease = Lease(str(IPv4Address(free)), container, *owner, f"tare-{records.mark(container)[:10]}", held)
    records.write_lease(lease)
    records.write_bridge(replace(bridge, last=lease.address))
    return lease


def _plug(route: Netlink, bridge: Bridge, lease: Lease, netns: int) -> None:
    links.delete(route, lease.link)  # of a container of this name that ended without being detached
    links.create_veth(
        route, lease.link, mtu=bridge.mtu, peer=INSIDE, peer_mac=_mac(lease.address), netns=netns
    )
    sysctls.forbid_ipv6(lease.link)
    links.enslave(route, lease.link, links.get(route, bridge.name))
    with entered(netns), Netlink() as inside:
        _configure(inside, bridge, lease)


def _configure(inside: Netlink, bridge: Bridge, lease: Lease) -> None:
    sysctls.forbid_ipv6(INSIDE)
    raise_loopback()
    links.add_address(inside, links.get(inside, INSIDE), lease.within(bridge))
    links.raise_(inside, INSIDE)
    links.add_default_route(inside, bridge.gateway)


def _publish(records: Records, bridge: Bridge, lock: int) -> None:
    """Replace the table, then look whether the kernel has what the records say."""
    leases = records.leases()
    firewall.apply(bridge, leases, lock)
    wanted = firewall.expected(leases)
    if wanted and (missing := wanted - firewall.published(bridge, lock)):
        port, address = min(missing, key=str)
        raise RuntimeFault(f"nftables did not keep the port {port} of {address}", kind="host")


def _reclaim(records: Records, route: Netlink, lock: int) -> list[str]:
    gone = [lease for lease in records.leases() if not lease.alive]
    _drop(records, route, lock, gone)
    return [lease.container for lease in gone]


def _release(records: Records, route: Netlink, lock: int, container: str) -> None:
    _drop(records, route, lock, [lease for lease in records.leases() if lease.container == container])
    _close_if_empty(records, route, lock)


def _drop(records: Records, route: Netlink, lock: int, gone: list[Lease]) -> None:
    """Links first, then the rules, then the records: whoever is killed in between is followed by a prune."""
    for lease in gone:
        links.delete(route, lease.link)
    bridge = records.bridge()
    if bridge and any(lease.ports for lease in gone) and not bridges.foreign(route, bridge):
        firewall.apply(bridge, [lease for lease in records.leases() if lease not in gone], lock)
    for lease in gone:
        records.forget_lease(lease)


def _close_if_empty(records: Records, route: Netlink, lock: int) -> None:
    bridge = records.bridge()
    if bridge and not records.leases():
        bridges.dismantle(records, route, bridge, lock)


def _attachment(run: str, bridge: Bridge, lease: Lease) -> Attachment:
    return Attachment(
        run, lease.container, bridge.name, lease.address, bridge.network.prefixlen, str(bridge.gateway),
        _mac(lease.address), lease.ports,
    )  # fmt: skip


def _mac(address: str) -> str:
    # Made from the address: when that is given to another container, nobody's ARP entry becomes wrong.
    return f"{_MAC_PREFIX}:{IPv4Address(address).packed.hex(':')}"


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        at = f" ({err.filename})" if err.filename else ""
        raise RuntimeFault.from_os(err, f"{doing}{at}") from err
