"""Give back what an instance holds: for its owner, or for a prune after that died. Any step may be repeated.

Works from the recorded state alone:
  {"id", "kind", "owner": {"pid", "start"}, "init": {"pid", "start"} or null, "cgroups": [dir],
   "parents": [dir], "directories": [dir], …}
"""

# pathlib stays out of the process that forks:
# ruff: noqa: PTH102, PTH103, PTH104, PTH120

from __future__ import annotations

import errno
import os
import select

from runtime.cgroups import tree
from runtime.linux.processes import alive, session_members, start_time
from runtime.process import lean_json, thaw
from runtime.process.removal import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable
    from typing import Any
else:
    # The C half of `signal`: the other makes enumerations of all its numbers, for 3 ms of each start.
    import _signal as signal

_EMPTY = ("root", "work/work", "work")  # of a container's directory, once its overlay is gone
_SOON = 0.1  # seconds in which a killed process ends, unless something holds it
DRAFT = ".new-"  # followed by PID-START-NAME: a record that its owner has not finished


def claim(directory: str, state: dict[str, Any]) -> None:
    """Create the record's directory with state.json in it, in one step; EEXIST when the name is taken."""
    draft = _draft(directory, state["owner"])
    try:
        os.mkdir(draft, 0o700)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(draft), mode=0o711, exist_ok=True)
        os.mkdir(draft, 0o700)
    except FileExistsError:  # of a child that was killed right here; an owner makes one at a time
        remove_tree(draft)
        os.mkdir(draft, 0o700)
    try:
        record(draft, state)  # in two steps: a prune reads drafts too
        os.rename(draft, directory)
    except OSError as err:
        remove_tree(draft)
        if err.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            raise OSError(errno.EEXIST, "the name is taken", directory) from err
        raise


def disclaim(directory: str, owner: dict[str, int]) -> None:
    """Remove what a claim that did not come to its end has left."""
    remove_tree(_draft(directory, owner))


def _draft(directory: str, owner: dict[str, int]) -> str:
    parent, _, name = directory.rpartition("/")
    return f"{parent}/{DRAFT}{owner['pid']}-{owner['start']}-{name}"


def record(directory: str, state: dict[str, Any]) -> None:
    """Write state.json so that a reader sees the old or the new one, never half of it."""
    path = f"{directory}/state.json"
    fd = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        data = lean_json.dumps(state).encode()
        while data:  # a full disk may take a part before it refuses the rest
            data = data[os.write(fd, data) :]
    finally:
        os.close(fd)
    os.rename(f"{path}.new", path)


def reclaim(directory: str, state: dict[str, Any]) -> None:
    """End the instance's processes, then remove its cgroups, its directories and, last, its record."""
    if state.get("init"):
        kill(state["init"]["pid"], state["init"]["start"], state["cgroups"])
        if state["kind"] == "native":
            thaw.release((), state["cgroups"])
            if not state["cgroups"]:
                _kill_session(state["init"]["pid"], state["init"]["start"])
    tree.remove(state["cgroups"])
    for path in state["directories"]:
        _remove_place(path)
    _try(os.unlink, f"{directory}/state.json")
    remove_tree(directory)


def _remove_place(path: str) -> None:
    """Remove a container's directory: first what is there as a rule, by its name, then what is left."""
    for name in _EMPTY:
        _try(os.rmdir, f"{path}/{name}")
    remove_tree(f"{path}/upper")
    remove_tree(path)


def _try(remove: Callable[[str], None], path: str) -> None:
    try:
        remove(path)
    except OSError:  # for whoever looks at what is there
        return


def kill(pid: int, started: int, groups: Iterable[str] = ()) -> None:
    """SIGKILL this very process and wait for its end; with the first of a pid namespace go all others.

    `groups` are cgroup directories that those may be in.
    """
    if not alive(pid, started):
        return
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if alive(pid, started):  # the descriptor is of the process that we mean, not of a later one
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            await_death(fd, pid, groups)
    finally:
        os.close(fd)


def await_death(pidfd: int, pid: int, groups: Iterable[str]) -> None:
    """Wait for a process that was sent SIGKILL, and thaw what keeps it; TimeoutError after ten seconds."""
    try:
        await_exit(pidfd, f"process {pid}", _SOON)
    except TimeoutError:
        # It, or one that it has to wait for as the first of its pid namespace, may be in a frozen cgroup.
        thaw.release([pid], groups)
        await_exit(pidfd, f"process {pid}")


def await_exit(pidfd: int, name: str, seconds: float = 10) -> None:
    """Wait until the process behind `pidfd` has ended; TimeoutError after `seconds`."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if not poll.poll(int(seconds * 1000)):
        raise OSError(errno.ETIMEDOUT, "it does not end", name)


def _kill_session(leader: int, started: int) -> None:
    # A bare process has no pid namespace. Its descendants keep its session unless they leave it on purpose.
    if start_time(leader) not in {0, started}:
        return
    for pid in session_members(leader):
        kill(pid, start_time(pid))
