"""Text of the three files by which a container finds names: /etc/hosts, /etc/hostname, /etc/resolv.conf."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The second is where systemd-resolved names the servers behind its own on 127.0.0.53.
RESOLVERS = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")


def hosts(name: str, address: str | None, extra: Mapping[str, str] | None = None) -> str:
    """Name loopback, the container (127.0.1.1 where it has no address), and `extra` (name: address)."""
    lines = ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
    lines += [f"{_address(where, 'add the host')}\t{other}" for other, where in (extra or {}).items()]
    return "\n".join([*lines, f"{address or '127.0.1.1'}\t{name}"]) + "\n"


def hostname(name: str) -> str:
    """Give the container's name in a line of its own (hostname(5))."""
    return f"{name}\n"


def resolv_conf(servers: Sequence[str] = (), *, sources: Sequence[str] = RESOLVERS) -> str:
    """Configure the resolver of a container on the bridge: as the host's, or with `servers` in their place.

    A server on the host's loopback cannot be reached from another network namespace, so the first source
    that names another one is taken (resolv.conf(5)). Without any there is no `nameserver` line: a server of
    our choice would learn what the user looks up.
    """
    texts = [_read(path) for path in sources]
    if servers:
        chosen = [_address(server, "use the name server") for server in servers]
        return _joined(chosen, texts[0] if texts else "")
    text = next((text for text in texts if _reachable(text)), texts[0] if texts else "")
    return _joined(_reachable(text), text)


def _joined(servers: Sequence[str], text: str) -> str:
    lines = [line.strip() for line in text.splitlines()]
    kept = [line for line in lines if line.split()[:1] and line.split()[0] in {"search", "domain", "options"}]
    return "".join(f"{line}\n" for line in (*kept, *(f"nameserver {server}" for server in servers)))


def _reachable(text: str) -> list[str]:
    found = [
        line.split()[1]
        for line in text.splitlines()
        if line.split()[:1] == ["nameserver"] and line.split()[1:]
    ]
    return [server for server in found if not _is_loopback(server)]


def _is_loopback(server: str) -> bool:
    try:
        return ip_address(server).is_loopback
    except ValueError:
        return True  # no address at all: of no use either


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _address(text: str, doing: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError as err:
        raise RuntimeFault(f"cannot {doing} {text}: it is not an address", kind="usage") from err
