"""The bridge of one run directory: made on first use, mended on each, gone with the last container."""

from __future__ import annotations

import errno
from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network
from itertools import count

from runtime.errors import RuntimeFault
from runtime.network import firewall, links, subnet, sysctls
from runtime.network.records import Bridge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.network.netlink import Netlink
    from runtime.network.records import Records

_PREFIX, _MOST = "tare", 100
_LOCAL_MAC = "02"  # the bit for locally administered addresses, IEEE 802
_MTU = 1500


def ensure(records: Records, route: Netlink, wanted: str | None) -> Bridge:
    """Bridge of this run directory, up, with the first address of its subnet, and forwarding open."""
    bridge = records.bridge()
    if bridge and wanted not in {None, bridge.subnet}:
        hint = "leave the subnet out, or remove all containers on the bridge first"
        raise RuntimeFault(f"the bridge {bridge.name} has {bridge.subnet} already", kind="usage", hint=hint)
    if bridge is None:
        bridge = _draft(records, route, wanted)
        _delete_unrecorded(route, bridge)
    bridge = _made(records, route, bridge)
    link = links.get(route, bridge.name)
    sysctls.forbid_ipv6(bridge.name)
    sysctls.route_loopback(bridge.name)
    links.add_address(route, link, IPv4Interface(f"{bridge.gateway}/{bridge.network.prefixlen}"))
    links.raise_(route, bridge.name)
    return _forwarding(records, route, bridge)


def dismantle(records: Records, route: Netlink, bridge: Bridge, lock: int) -> None:
    """Undo `ensure`, the record last. A bridge of that name that is not ours stays."""
    if not sysctls.host_forwards():  # else somebody made this host a router meanwhile, and wants it so
        present = {link.name for link in links.every(route)}
        for device in present.intersection(bridge.opened):
            sysctls.set_forwarding(device, on=False)
    if not foreign(route, bridge):
        firewall.remove(bridge, lock)
        links.delete(route, bridge.name)
    records.forget_bridge()


def _draft(records: Records, route: Netlink, wanted: str | None) -> Bridge:
    present = {link.index: link for link in links.every(route)}
    routed = links.routes(route)
    networks = [IPv4Network((one.network, one.prefix), strict=False) for one in routed]
    mtus = [present[one.device].mtu for one in routed if not one.prefix and one.device in present]
    # Its own address keeps a bridge from taking over that of each new port, and says whose the bridge is.
    mac = f"{_LOCAL_MAC}{records.mark('bridge')[:10]}"
    mac = ":".join(mac[at : at + 2] for at in range(0, 12, 2))
    return Bridge(f"{_PREFIX}0", str(subnet.choose(networks, wanted)), mac, min(mtus, default=_MTU))


def _delete_unrecorded(route: Netlink, bridge: Bridge) -> None:
    """Delete a bridge of ours whose record was lost: its subnet is not known any more."""
    for link in links.every(route):
        if link.mac == bridge.mac:
            links.delete(route, link.name)


def _made(records: Records, route: Netlink, bridge: Bridge) -> Bridge:
    """Create it under the first name that no foreign link has, or take over our own of before a crash."""
    names = (f"{_PREFIX}{number}" for number in count())
    for name in (bridge.name, *(next(names) for _ in range(_MOST))):
        named = replace(bridge, name=name)
        if _ours(route, named):
            return _noted(records, named)
        if links.find(route, name):
            continue
        _noted(records, named)
        try:
            links.create_bridge(route, name, mac=bridge.mac, mtu=bridge.mtu)
        except OSError as err:
            if err.errno != errno.EEXIST:  # of another run directory, that had the same idea
                raise
        else:
            return named
    raise RuntimeFault(f"the names {_PREFIX}0 to {_PREFIX}{_MOST - 1} are all taken", kind="host")


def _noted(records: Records, bridge: Bridge) -> Bridge:
    if records.bridge() != bridge:
        records.write_bridge(bridge)
    return bridge


def foreign(route: Netlink, bridge: Bridge) -> bool:
    """Whether the bridge's name belongs to a link that we did not make; then its table is not ours either."""
    link = links.find(route, bridge.name)
    return link is not None and link.mac != bridge.mac


def _ours(route: Netlink, bridge: Bridge) -> bool:
    link = links.find(route, bridge.name)
    return link is not None and link.mac == bridge.mac


def _forwarding(records: Records, route: Netlink, bridge: Bridge) -> Bridge:
    """Open the bridge and the interfaces that have routes, on record first; no other becomes a router."""
    if not sysctls.forwards(bridge.name):
        sysctls.set_forwarding(bridge.name, on=True)
    if sysctls.host_forwards():  # then what we opened is the business of whoever made the host a router
        return _noted(records, replace(bridge, opened=()))
    routed = {one.device for one in links.routes(route)}
    names = sorted(link.name for link in links.every(route) if link.index in routed)
    for device in names:
        if device != bridge.name and not sysctls.forwards(device):
            bridge = _noted(records, replace(bridge, opened=(*bridge.opened, device)))
            sysctls.set_forwarding(device, on=True)
    return bridge
