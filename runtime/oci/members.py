"""The processes of a container: by its cgroup or, where it has none, by its pid namespace."""

# pathlib stays out of the start path:
# ruff: noqa: PTH115, PTH208

from __future__ import annotations

import os

from runtime.cgroups import tree
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.oci.record import Record

_HINT = "run it as root, or in a delegated cgroup: systemd-run --user --scope -p Delegate=yes …"


def pids(held: Record) -> list[int]:
    """Return the host's numbers of its processes, in order; a host fault where nothing tells them apart."""
    groups = held.state["cgroups"]
    if groups:
        return sorted({pid for each in tree.descendants(groups[0]) for pid in tree.processes(each)})
    if not held.pid:  # the others of its pid namespace went with the first
        return []
    space = _space(held.pid)
    if space == _space("self"):
        what = f"{held.id} has neither a cgroup nor a pid namespace to find its processes by"
        raise RuntimeFault(what, kind="host", hint=_HINT)
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit() and _space(name) == space)


def need_cgroup(held: Record, doing: str) -> None:
    """Raise a host fault when the container has no cgroup, as those of ordinary users have none."""
    if not held.state["cgroups"]:
        raise RuntimeFault(f"cannot {doing} {held.id}: it has no cgroup", kind="host", hint=_HINT)


def _space(pid: int | str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:  # it has ended, or is another's
        return ""
