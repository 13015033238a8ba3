"""One start: what is asked, and how far it has come."""

# pathlib stays out of the process that forks:
# ruff: noqa: PTH102, PTH103

from __future__ import annotations

import os

from runtime.cgroups import tree
from runtime.linux.processes import start_time
from runtime.process.reclaim import claim
from runtime.rootfs.assemble import ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.process.program import Program


class Work:
    """A request, its record, and the marks that its child leaves in the memory that it shares.

    `held`: the record is made, so there is something to remove. `settled`: the child has come to its exec, or
    to a report of why it can't.
    """

    __slots__ = ("held", "message", "program", "sequences", "settled", "state", "stdio", "sync")

    def __init__(
        self, message: dict[str, Any], owner: dict[str, int], stdio: list[int], sync: int = -1
    ) -> None:
        self.message, self.stdio = message, stdio
        self.sequences = [ready(one) for one in message["launch"]["mounts"]]
        self.state: dict[str, Any] = {**message["state"], "owner": owner, "init": None}
        self.held = self.settled = False
        self.sync = sync
        self.program: Program

    def prepare(self) -> None:
        """Make the record, then what it tells of: directories and cgroups."""
        claim(self.message["run"], self.state)
        self.held = True
        for directory in self.message["make"]:
            _make(directory)
        tree.make(self.message["cgroup"]["steps"])

    def first(self, pid: int) -> dict[str, int]:
        """Pid and start time of the child, seen from the host."""
        found: dict[str, int] = self.state["init"] or {"pid": pid, "start": start_time(pid)}
        return found


def _make(directory: str) -> None:
    try:
        os.mkdir(directory, 0o755)
    except FileExistsError:
        return
    except FileNotFoundError:
        os.makedirs(directory, mode=0o755, exist_ok=True)
