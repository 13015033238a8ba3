"""Which namespaces a container gets: new ones, or those of others by path (config-linux.md, Namespaces)."""

from __future__ import annotations

import fcntl
import os

from runtime.errors import RuntimeFault
from runtime.linux import namespaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TIME = 0x80
FLAGS = {**namespaces.FLAGS, "time": TIME}
_NS_GET_NSTYPE = 0xB703  # ioctl_ns(2)
# A user namespace comes first: it owns what is made or entered after it. The mount namespace comes last,
# since it takes the paths away.
ORDER = ("user", "ipc", "uts", "network", "cgroup", "time", "pid", "mount")
_FILES = {"user": "user", "ipc": "ipc", "uts": "uts", "network": "net", "cgroup": "cgroup", "time": "time",
          "pid": "pid", "mount": "mnt"}  # fmt: skip


class Spaces:
    """`new` names the kinds that are made, `joined` maps kinds to the paths of those that are entered."""

    def __init__(self, new: frozenset[str], joined: dict[str, str]) -> None:
        self.new, self.joined = new, joined

    def own(self, kind: str) -> bool:
        """Whether the container is not in the runtime's namespace of this kind."""
        return kind in self.new or kind in self.joined

    def flags(self, *kinds: str) -> int:
        """Bit mask of those of `kinds` that are made."""
        return sum(FLAGS[kind] for kind in kinds if kind in self.new)


def plan(config: dict[str, Any]) -> Spaces:
    """Read linux.namespaces; faults name the entry."""
    new: set[str] = set()
    joined: dict[str, str] = {}
    for index, entry in enumerate((config.get("linux") or {}).get("namespaces") or ()):
        kind, path, where = entry.get("type"), entry.get("path"), f"linux.namespaces[{index}]"
        if kind not in FLAGS:
            raise RuntimeFault(f"{where}.type {kind!r} is unknown", kind="usage", hint=", ".join(FLAGS))
        if kind in new or kind in joined:
            raise RuntimeFault(f"{where}: there is a second namespace of type {kind}", kind="usage")
        if path and not path.startswith("/"):
            raise RuntimeFault(f"{where}.path must be absolute", kind="usage")
        if path:
            joined[kind] = path
        else:
            new.add(kind)
    found = Spaces(frozenset(new), joined)
    _consistent(config, found)
    return found


def _consistent(config: dict[str, Any], spaces: Spaces) -> None:
    linux = config.get("linux") or {}
    for field in ("hostname", "domainname"):
        if config.get(field) and not spaces.own("uts"):
            raise RuntimeFault(f"{field} needs a uts namespace", kind="usage", hint="add one")
    if not spaces.own("mount"):
        hint = "add a mount namespace to linux.namespaces"
        raise RuntimeFault("linux.namespaces has no mount namespace", kind="usage", hint=hint)
    maps = linux.get("uidMappings"), linux.get("gidMappings")
    if "user" in spaces.new and not all(maps):
        hint = "give linux.uidMappings and linux.gidMappings"
        raise RuntimeFault("a new user namespace has no mappings", kind="usage", hint=hint)
    if any(maps) and not spaces.own("user"):
        raise RuntimeFault("linux.uidMappings needs a user namespace", kind="usage", hint="add one")
    if "time" in spaces.new and "user" in spaces.joined:
        hint = "leave one of the two out"
        raise RuntimeFault("a new time namespace in a joined user namespace", kind="usage", hint=hint)
    if linux.get("timeOffsets") and "time" not in spaces.new:
        raise RuntimeFault("linux.timeOffsets needs a new time namespace", kind="usage", hint="add one")


def open_joined(spaces: Spaces) -> dict[str, int]:
    """Open the namespaces to enter, in the order to enter them; one of another type is a fault."""
    return open_all(spaces.joined)


def open_all(paths: dict[str, str]) -> dict[str, int]:
    """Open namespaces by kind, in the order to enter them."""
    found: dict[str, int] = {}
    try:
        for kind in ORDER:
            if kind in paths:
                found[kind] = _open(kind, paths[kind])
    except BaseException:
        close(found)
        raise
    return found


def close(fds: dict[str, int]) -> None:
    """Close the descriptors."""
    for fd in fds.values():
        os.close(fd)


def _open(kind: str, path: str) -> int:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as err:
        raise RuntimeFault.from_os(err, f"open the {kind} namespace {path}") from err
    try:
        found = fcntl.ioctl(fd, _NS_GET_NSTYPE)
    except OSError:
        found = 0
    if found != FLAGS[kind]:
        os.close(fd)
        raise RuntimeFault(f"{path} is no namespace of type {kind}", kind="usage")
    return fd


def differing(pid: int) -> list[str]:
    """Return the kinds in which the process lives apart from the caller, in the order to enter them."""
    return [kind for kind in ORDER if _identity(pid, kind) != _identity("self", kind)]


def path(pid: int, kind: str) -> str:
    """Return where the namespace of a process is."""
    return f"/proc/{pid}/ns/{_FILES[kind]}"


def _identity(pid: int | str, kind: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/{_FILES[kind]}")  # noqa: PTH115 - the start path is lean
    except FileNotFoundError:  # a kernel without this kind
        return ""
