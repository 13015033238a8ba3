"""Switches below /proc/sys/net that a bridge needs: forwarding, local routes, IPv6."""

from __future__ import annotations

from pathlib import Path

_IPV4, _IPV6 = Path("/proc/sys/net/ipv4"), Path("/proc/sys/net/ipv6/conf")


def forwards(device: str) -> bool:
    """Whether packets that come in by `device` may leave by another."""
    return (_IPV4 / "conf" / device / "forwarding").read_text().strip() == "1"


def host_forwards() -> bool:
    """Whether somebody has made this host a router as a whole (ip_forward)."""
    return (_IPV4 / "ip_forward").read_text().strip() == "1"


def set_forwarding(device: str, *, on: bool) -> None:
    """Set it for one device, which leaves the others and the host's ip_forward as they are."""
    (_IPV4 / "conf" / device / "forwarding").write_text("1" if on else "0")


def route_loopback(device: str) -> None:
    """Let packets from 127.0.0.1 leave by `device` and their answers return (route_localnet).

    The kernel then also takes packets *to* 127.0.0.0/8 from that device (CVE-2020-8558): the firewall must
    drop these before.
    """
    (_IPV4 / "conf" / device / "route_localnet").write_text("1")


def forbid_ipv6(device: str) -> None:
    """Keep IPv6 off a device, so that no router advertisement from a container is heard (CVE-2020-13401)."""
    switch = _IPV6 / device / "disable_ipv6"
    if switch.exists():  # a kernel without IPv6 has nothing to switch off
        switch.write_text("1")
