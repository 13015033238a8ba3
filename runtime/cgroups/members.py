"""The processes of a container's cgroup: list them, signal or kill all of them, let one more in."""

from __future__ import annotations

import os
import signal

from runtime.cgroups import freezer, tree
from runtime.cgroups.mounts import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.oci import Group


def pids(group: Group) -> list[int]:
    """Pids in the cgroup and those below it, as this pid namespace numbers them, in order; none when gone."""
    found = {pid for path in group.paths for below in tree.descendants(path) for pid in tree.processes(below)}
    return sorted(found)


def send(group: Group, number: int) -> int:
    """Send a signal to all of them, stopped meanwhile so that none escapes by forking; return to how many."""
    if number == signal.SIGKILL:
        return kill(group)
    was_frozen = freezer.frozen(group)
    _stop(group)
    try:
        return _signal(pids(group), number)
    finally:
        if not was_frozen:
            _go_on(group)


def kill(group: Group) -> int:
    """SIGKILL all of them, frozen or not, and return to how many; they are about to end, not yet gone.

    The group is thawed afterwards, whoever froze it.
    """
    members = pids(group)
    if not group.born_in or not _kill_v2(group.born_in):
        _stop(group)
        _signal(pids(group), signal.SIGKILL)
    _go_on(group)
    return len(members)


def entrances(group: Group, init: int) -> tuple[str | None, list[str]]:
    """Return where one more process goes: the v2 directory to be born in, the v1 ones to be moved to.

    A container that divides its v2 cgroup (systemd does) must have left it; then it goes beside process 1.
    """
    born_in = group.born_in
    if born_in is None or not _divided(born_in):
        return born_in, group.joined
    unified, path = find().unified, _v2_path(init)
    return (f"{unified}{path}" if unified and path else born_in), group.joined


def _signal(members: list[int], number: int) -> int:
    sent = 0
    for pid in members:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
        sent += 1
    return sent


def _kill_v2(directory: str) -> bool:
    try:
        tree.write(f"{directory}/cgroup.kill", "1")  # Linux 5.14, with all below
    except FileNotFoundError:
        return False
    return True


def _stop(group: Group) -> None:
    try:
        freezer.freeze(group)
    except OSError:  # better signals that miss a fork than none
        return


def _go_on(group: Group) -> None:
    for path in group.paths:
        tree.thaw(path)


def _divided(directory: str) -> bool:
    return bool(_text(f"{directory}/cgroup.subtree_control").strip())


def _v2_path(pid: int) -> str:
    lines = _text(f"/proc/{pid}/cgroup").splitlines()
    return next((line[3:] for line in lines if line.startswith("0::")), "")


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return ""
