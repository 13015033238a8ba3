"""Open descriptors, each with what it is open on, so that a test can say which came and stayed."""

import os
from pathlib import Path


def of(pid: int | str = "self") -> set[str]:
    """What a process has open: "number target" of each descriptor (proc_pid_fd(5)).

    A test asks for what is new since it began, not for the same number: a server's thread of an earlier test
    closes its sockets when it gets to it, in the middle of this one.
    """
    found = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(f"{path.name} {os.readlink(path)}")  # noqa: PTH115 - a socket is no path
        except FileNotFoundError:
            continue  # the one that this very listing had, or another thread's
    return found


def since(before: set[str]) -> set[str]:
    """What this process has open that it had not then."""
    return of() - before
