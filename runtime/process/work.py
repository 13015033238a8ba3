"""One start: what is asked, and how far it has come."""

from __future__ import annotations

from runtime.linux.processes import start_time
from runtime.process import kind
from runtime.process.reclaim import claim

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.process.program import Program


class Work:
    """A request, its record, and the marks that its child leaves in the memory that it shares.

    `held`: the record is made, so there is something to remove. `settled`: the child has come to its exec, or
    to a report of why it can't.
    """

    __slots__ = ("held", "kind", "message", "program", "settled", "state", "stdio", "sync")

    def __init__(
        self, message: dict[str, Any], owner: dict[str, int], stdio: list[int], sync: int = -1
    ) -> None:
        self.message, self.stdio = message, stdio
        self.kind = kind.ready(message["kind"])
        # What it executes is in its kind already, and may be long.
        args = {"args": self.kind.launch["args"]}
        self.state: dict[str, Any] = {**message["state"], **args, "owner": owner, "init": None}
        self.held = self.settled = False
        self.sync = sync
        self.program: Program

    def prepare(self) -> None:
        """Make the record, then what it tells of: directories and cgroups."""
        claim(self.message["run"], self.state)
        self.held = True
        self.kind.ground.make(self.message["names"])

    def settle(self) -> None:
        """Make the record and what it tells of, and put the caller into its v1 cgroups."""
        claim(self.message["run"], self.state)
        self.held = True
        self.kind.ground.enter(self.message["names"])

    def first(self, pid: int) -> dict[str, int]:
        """Pid and start time of the child, seen from the host."""
        found: dict[str, int] = self.state["init"] or {"pid": pid, "start": start_time(pid)}
        return found
