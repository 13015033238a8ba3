"""One process that the spawner is the parent of, and what is on record for it."""

from __future__ import annotations

import os

from runtime.process import lean_json
from runtime.process.reclaim import await_death, disclaim, reclaim

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any

    Message = dict[str, Any]
else:
    import _signal as signal


class Instance:
    """From the moment at which the starter is about to make it; `state["init"]` is null until it runs."""

    def __init__(self, run: str, state: Message) -> None:
        self.run, self.state = run, {**state, "init": None}
        self.status: int | None = None

    def reap(self, *, wait: bool = False) -> int | None:
        """Wait status when the process has ended, else None."""
        if self.status is None and self.state["init"]:
            try:
                pid, status = os.waitpid(self.state["init"]["pid"], 0 if wait else os.WNOHANG)
            except ChildProcessError:  # by its record only, and it was reaped under another instance's name
                pid, status = -1, 0
            self.status = status if pid else None
        return self.status

    def find(self) -> bool:
        """Whether it has a process: told by the starter, or, where that died before, by the record."""
        if not self.state["init"]:
            found = self._recorded()
            self.state["init"] = found.get("init") if self._is_own(found) else None
        return bool(self.state["init"])

    def end(self) -> int:
        """SIGKILL, reap, and return a pidfd."""
        pid = self.state["init"]["pid"]
        pidfd = os.pidfd_open(pid)  # a child that is not reaped keeps its number
        try:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            await_death(pidfd, pid, self.state["cgroups"])
        except BaseException:
            os.close(pidfd)
            raise
        self.reap(wait=True)
        return pidfd

    def remove(self) -> None:
        """Kill, reap, and give everything back; nothing when the name turned out to be somebody else's."""
        if not self.state["init"] and not self._is_own(self._recorded()):
            disclaim(self.run, self.state["owner"])
            return
        if self.find() and self.reap() is None:
            os.close(self.end())
        reclaim(self.run, self.state)

    def _is_own(self, found: Message) -> bool:
        return all(found.get(key) == self.state[key] for key in ("owner", "created"))

    def _recorded(self) -> Message:
        try:
            with open(f"{self.run}/state.json", "rb") as file:  # noqa: PTH123
                found: Message = lean_json.loads(file.read())
        except FileNotFoundError:
            return {}
        return found
