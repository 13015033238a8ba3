"""Give back what an instance holds. Used by the owner, and by a prune after the owner died; each step may be repeated.

Works from the recorded state alone:
  {"id", "kind", "owner": {"pid", "start"}, "init": {"pid", "start"} or null, "cgroups": [dir], "parents": [dir],
   "directories": [dir], …}
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal

from runtime.cgroups import tree
from runtime.linux.processes import alive, session_members, start_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PATIENCE_MS = 10_000


def record(directory: str, state: dict[str, Any]) -> None:
    """Write state.json so that a reader sees the old or the new one, never half of it."""
    path = f"{directory}/state.json"
    with open(f"{path}.new", "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(state, file)
    os.rename(f"{path}.new", path)


def reclaim(directory: str, state: dict[str, Any]) -> None:
    """End the instance's processes, then remove its cgroups, its directories and, last, its record."""
    if state.get("init"):
        kill(state["init"]["pid"], state["init"]["start"])
        if state["kind"] == "native":
            _kill_session(state["init"]["pid"], state["init"]["start"])
    tree.remove(state["cgroups"])
    for path in state["directories"]:
        remove_tree(path)
    remove_tree(directory)


def kill(pid: int, started: int) -> None:
    """SIGKILL this very process and wait until it is gone; with the first of a pid namespace go all the others."""
    if not alive(pid, started):
        return
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if alive(pid, started):  # the descriptor is of the process that we mean, not of a later one
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            await_exit(fd, f"process {pid}")
    finally:
        os.close(fd)


def await_exit(pidfd: int, name: str) -> None:
    """Wait until the process behind `pidfd` has ended; ETIMEDOUT when a killed process stays (it hangs in the kernel)."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if not poll.poll(_PATIENCE_MS):
        raise OSError(errno.ETIMEDOUT, "killed, but it does not end", name)


def _kill_session(leader: int, started: int) -> None:
    # A bare process has no pid namespace. Its descendants keep its session unless they leave it on purpose.
    if start_time(leader) not in {0, started}:
        return
    for pid in session_members(leader):
        kill(pid, start_time(pid))


def remove_tree(path: str) -> None:
    """Delete a directory and all below it, never following a symlink; nothing happens when it is gone."""
    # shutil.rmtree does the same, at the price of importing the compression modules into the process that forks.
    try:
        for _, directories, files, fd in os.fwalk(path, topdown=False, onerror=_unless_gone):
            for name in files:
                _remove(os.unlink, name, fd)
            for name in directories:
                _remove(_rmdir_or_unlink, name, fd)
        os.rmdir(path)
    except FileNotFoundError:
        return


def _rmdir_or_unlink(name: str, *, dir_fd: int) -> None:
    try:
        os.rmdir(name, dir_fd=dir_fd)
    except NotADirectoryError:  # a symlink to a directory counts as one for fwalk
        os.unlink(name, dir_fd=dir_fd)


def _remove(action: Any, name: str, fd: int) -> None:
    try:
        action(name, dir_fd=fd)
    except FileNotFoundError:
        return


def _unless_gone(err: OSError) -> None:
    if not isinstance(err, FileNotFoundError):
        raise err
