"""A started container or bare process: wait for it, signal it, remove it."""

from __future__ import annotations

import math
import os
import select
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.errors import RuntimeFault
from runtime.linux.processes import alive
from runtime.process.client import Refusal
from runtime.process.reclaim import reclaim

if TYPE_CHECKING:
    from types import TracebackType

    from runtime.cgroups.manager import Cgroup
    from runtime.process.client import Channel


@dataclass(frozen=True)
class ExitStatus:
    """How process 1 ended: its exit code, or the signal that killed it (the other is None).

    `oom` tells whether the kernel killed any process of the cgroup because the memory limit was reached.
    """

    code: int | None
    signal: int | None
    oom: bool

    @property
    def shell_code(self) -> int:
        """The one number that a shell would report: 128 + n after signal n."""
        return 128 + self.signal if self.signal is not None else self.code or 0


class Started:
    """A running instance, and the way to be rid of it; as a context manager it is removed at the end.

    `pid` is the host's number of process 1, `pidfd` a descriptor of it owned by this object, `cgroup` its
    cgroup or None (bare processes without one).
    """

    def __init__(
        self, channel: Channel, state: dict[str, Any], run: str, cgroup: Cgroup | None, pidfd: int
    ) -> None:
        self.id: str = state["id"]
        self.pid: int = state["init"]["pid"]
        self.pidfd = pidfd
        self.cgroup = cgroup
        self._state, self._run, self._channel = state, run, channel
        self._status: ExitStatus | None = None
        self._asked: list[int] = []  # for its end; taken by one thread each

    def __enter__(self) -> Started:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.remove()

    def wait(self, timeout: float | None = None) -> ExitStatus:
        """Wait until process 1 ends; TimeoutError after `timeout` seconds. Later calls repeat the answer."""
        if self._status is None:
            self._ask()
            if not _readable(self.pidfd, timeout):
                raise TimeoutError(f"{self.id} still runs after {timeout} s")
            code, oom = self._reap()
            self._status = ExitStatus(None, -code, oom) if code < 0 else ExitStatus(code, None, oom)
        return self._status

    def _ask(self) -> None:
        """Have it reaped, and told of, as soon as it ends; asking only then would take a wake-up more."""
        if self.pidfd < 0:
            raise RuntimeFault("the instance has been removed", kind="usage", hint="wait before removing")
        if not self._asked:
            self._asked.append(self._channel.post({"op": "wait", "id": self.id}))

    def _reap(self) -> tuple[int, bool]:
        try:
            kills = self.cgroup.oom_kills() if self.cgroup else 0  # while the spawner reaps
        except OSError as err:
            raise RuntimeFault.from_os(err, f"read why {self.id} ended") from err
        reply = self._channel.collect(self._taken())
        return os.waitstatus_to_exitcode(reply["status"]), kills > 0

    def _taken(self) -> int:
        while True:
            self._ask()
            with suppress(IndexError):  # another thread was there first
                return self._asked.pop()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to process 1; nothing happens once it has ended."""
        if self.pidfd >= 0:
            try:
                signal.pidfd_send_signal(self.pidfd, number)
            except ProcessLookupError:
                return

    def stop(self, grace: float = 10.0) -> ExitStatus:
        """SIGTERM, then SIGKILL after `grace` seconds.

        The kernel drops a signal that the first process of a pid namespace has no handler for, so for one
        that has none waiting is useless, and it is killed at once.
        """
        if not handles(self.pid, signal.SIGTERM) and self.cgroup and self._state["kind"] == "container":
            self.kill()
        self.kill(signal.SIGTERM)
        try:
            return self.wait(grace)
        except TimeoutError:
            self.kill()
            return self.wait()

    def remove(self) -> None:
        """Kill every process; remove cgroups, writable layer and record. Returns when they are gone."""
        if self.pidfd >= 0:
            try:
                self._remove()
            except (Refusal, OSError) as err:
                failure = err.os_error if isinstance(err, Refusal) else err
                raise RuntimeFault.from_os(failure, f"remove {self.id} ({failure.filename})") from err
            self.release()

    def _remove(self) -> None:
        if self._status is None:
            self._channel.request({"op": "remove", "id": self.id})
        else:  # nothing is left that only its parent could do
            # Its pid is free again; and with the first of a pid namespace all others have ended.
            gone = {"init": None} if self._state["kind"] == "container" else {}
            reclaim(self._run, {**self._state, **gone})
            self._channel.tell({"op": "forget", "id": self.id, "pid": self.pid})

    def release(self) -> None:
        """Close the descriptor, once the instance is gone by other means."""
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1
        while self._asked:
            self._channel.abandon(self._asked.pop())

    @property
    def upper(self) -> Path | None:
        """Directory of the files that the container has written; None for a bare process."""
        return Path(self._state["directories"][0]) / "upper" if self._state["directories"] else None

    def leftovers(self) -> list[str]:
        """Return what of it still exists: process, cgroup, mount, directory; empty after `remove`."""
        found = []
        if alive(self.pid, self._state["init"]["start"]):
            found.append(f"process {self.pid}")
        found += [f"cgroup {path}" for path in self._state["cgroups"] if Path(path).exists()]
        places = [*self._state["directories"], self._run]
        found += [f"directory {path}" for path in places if Path(path).exists()]
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        return found + [f"mount {line.split()[4]}" for line in mounts if _below(line.split()[4], places)]


def handles(pid: int, number: int) -> bool:
    """Whether the process has a handler for the signal, or waits for it; False when it is gone.

    That is SigCgt of proc(5), and SigBlk: what is blocked is kept for sigwait(3), even for a process 1.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    lines = [line for line in status.splitlines() if line.startswith(("SigCgt:", "SigBlk:"))]
    return any(int(line.split()[1], 16) >> number - 1 & 1 for line in lines)


def _below(path: str, places: list[str]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)


def _readable(fd: int, timeout: float | None) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(None if timeout is None else math.ceil(timeout * 1000)))
