"""One container in the keeper's care: its start, its end, and what its restart policy makes of that."""

# pathlib stays out of the keeper:

from __future__ import annotations

import os
import signal
import socket
import sys
import time

from runtime.cgroups import events
from runtime.engine import documents, worker
from runtime.engine.restarts import Restarts
from runtime.engine.stdio import Stdio
from runtime.errors import RuntimeFault
from runtime.linux.processes import start_time
from runtime.oci import console, record
from runtime.process import lean_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.engine.documents import Document
    from runtime.engine.keeper import Keeper

_LARGEST = 1 << 16
_UNKNOWN: Document = {"AutoRemove": False, "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}}


class Ward:
    """A container that runs, is about to, or waits for its next start; it is forgotten after that.

    One that idles is to cost the keeper next to nothing: its plan stays on disk, its state is kept as text.
    """

    __slots__ = (
        "_state", "after", "began", "child", "id", "keeper", "phase", "pid", "pidfd", "remove",
        "removing", "restarts", "starting", "stdio", "unasked", "waiting",
    )  # fmt: skip

    def __init__(self, keeper: Keeper, container: str) -> None:
        self.id, self.keeper = container, keeper
        self._state = lean_json.dumps(documents.state(keeper.places, container))
        self.pidfd = -1
        self.pid = 0
        self.phase = "idle"
        self.stdio = Stdio(documents.plan(keeper.places, container), keeper.poll)
        self.restarts = Restarts()
        self.child = 0
        self.began = 0.0
        self.remove = self.removing = False
        self.unasked = False  # whether its policy began this start
        self.after: Callable[[], None] | None = None
        self.waiting: list[tuple[socket.socket, Document | None]] = []
        self.starting: list[Callable[[Document], None]] = []

    @property
    def state(self) -> Document:
        """What is known of its life, as state.json has it: a copy."""
        found: Document = lean_json.loads(self._state)
        return found

    def save(self, **changes: object) -> None:
        """Put changes of its state on disk."""
        self._state = lean_json.dumps({**self.state, **changes})
        documents.write_state(self.keeper.places, self.id, self._state)

    def await_end(self, client: socket.socket, answer: Document | None = None) -> None:
        """Have a client told `answer`, or how this run has ended, when everything has been taken down."""
        self.waiting.append((client, answer))

    def disregard(self, client: socket.socket) -> None:
        """Tell a client nothing any more: it has gone."""
        self.waiting[:] = [one for one in self.waiting if one[0] is not client]

    def start(self, sinks: list[int], given: int = -1, size: list[int] | None = None) -> None:
        """Begin a start: `sinks` are where output goes too, `given` is a descriptor to be its stdin.

        `size` is the height and width that a terminal has from its first moment.
        """
        self.phase, self.unasked = "starting", False
        me = os.getpid()
        self.save(
            Status="created", Stopped=False, Error="",
            Keeper={"pid": me, "start": start_time(me)},
        )  # fmt: skip
        stdio = self.stdio.begin(sinks, given)
        line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.child = self.keeper.child(
            lambda: worker.start(self.keeper.places, self.id, stdio, theirs), keep=(*stdio, theirs.fileno())
        )
        theirs.close()
        for fd in set(stdio):
            os.close(fd)
        self.keeper.watch(line.fileno(), lambda: self._hear(line, size))

    def _hear(self, line: socket.socket, size: list[int] | None) -> None:
        """Take a message of the child that starts the container."""
        data, fds, _, _ = socket.recv_fds(line, _LARGEST, 1, socket.MSG_CMSG_CLOEXEC)
        message = lean_json.loads(data) if data else {"error": {"message": "the starting child died"}}
        if "created" in message:
            self._created(message["created"], fds)
            if fds and size:
                console.resize(fds[0], *size)
            line.send(b"g")
            return
        self.keeper.unwatch(line.fileno())
        line.close()
        if "error" in message:
            self._failed(message["error"])
        else:
            self._answer({"started": {"pid": self.pid}})

    def _created(self, found: Document, fds: list[int]) -> None:
        self.pid, self.pidfd = found["pid"], os.pidfd_open(found["pid"])
        if fds:
            self.stdio.terminal(fds[0])
        self.phase, self.began = "running", time.monotonic()
        self.save(
            Status="running", Running=True, Restarting=False, Pid=self.pid,
            Start=found["start"], StartedAt=documents.now(), ExitCode=0, OOMKilled=False,
            Network=found["network"],
        )  # fmt: skip

    def _failed(self, error: Document) -> None:
        code = {"not-executable": 126, "not-found": 127}.get(error.get("kind", ""), 128)
        self.stdio.drain()
        # A start that nobody asked for is tried again: what is in its way may be what a killed keeper left.
        self.save(Status="exited" if self.unasked else "created", Running=False, Restarting=False, Pid=0,
                  ExitCode=code, Error=error["message"])  # fmt: skip
        self._answer({"error": {"kind": "failed", "hint": "", **error}})
        self.take_down(remove=self._settings()["AutoRemove"])

    def ended(self, pid: int, status: int) -> bool:
        """Take note of a child's end; whether it was this container's."""
        if pid == self.child:
            self.child = 0
            if self.phase == "finishing":
                self._finished()
            return True
        if pid != self.pid or self.phase not in {"running", "starting"}:
            return False
        code = os.waitstatus_to_exitcode(status)
        self.stdio.drain()
        self.save(
            Status="exited", Running=False, Pid=0, ExitCode=128 - code if code < 0 else code,
            OOMKilled=self._out_of_memory(), FinishedAt=documents.now(),
        )  # fmt: skip
        self.take_down(remove=self.remove or (self._settings()["AutoRemove"] and not self._again()))
        return True

    def _out_of_memory(self) -> bool:
        try:
            return events.oom_kills(record.find(self.keeper.places.oci, self.id).group) > 0
        except (RuntimeFault, OSError):
            return False

    def take_down(self, *, remove: bool) -> None:
        """Give back what a run has taken, and with `remove` the container itself."""
        self.phase, self.pid = "finishing", 0
        self.stdio.release()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1
        places, container = self.keeper.places, self.id
        self.removing = remove
        self.child = self.keeper.child(lambda: worker.finish(places, container, remove=remove))

    def _finished(self) -> None:
        self._tell({"exit": self.state})
        if self.remove and not self.removing:
            self.take_down(remove=True)
        elif self.after:
            after, self.after = self.after, None
            self.phase = "idle"
            after()
        elif not self.removing and self.state["StartedAt"] != documents.NEVER and self._again():
            self._later()
        else:
            self.forget()

    def _settings(self) -> Document:
        """Return what its plan's HostConfig says now: `update` may have changed it since the start."""
        try:
            found: Document = documents.plan(self.keeper.places, self.id)["HostConfig"]
        except (RuntimeFault, OSError) as err:
            print(f"{self.id[:12]}: {err}", file=sys.stderr)  # noqa: T201
            return _UNKNOWN
        return found

    def _again(self) -> bool:
        return self.restarts.again(self._settings()["RestartPolicy"], self.state)

    def _later(self) -> None:
        self.phase = "restarting"
        self.save(Status="restarting", Restarting=True)
        self.keeper.at(self.restarts.pause(time.monotonic() - self.began), self._restart)

    def _restart(self) -> None:
        if self.phase == "restarting":
            self.save(RestartCount=self.state["RestartCount"] + 1)
            self.start([])
            self.unasked = True

    def stop(self, number: int, grace: float | None) -> None:
        """Send a signal and, when `grace` seconds have not been enough, SIGKILL; no policy restarts it."""
        self.save(Stopped=True)
        if self.phase == "restarting":
            self.save(Status="exited", Restarting=False)
            self._tell({"exit": self.state})
            self.forget()
            return
        self.signal(number)
        if grace is not None:
            began = self.began
            self.keeper.at(grace, lambda: self.signal(signal.SIGKILL) if self.began == began else None)

    def signal(self, number: int) -> None:
        """Send a signal to process 1, if there is one; one that is killed is thawed, too."""
        if self.pidfd < 0:
            return
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            return
        if number == signal.SIGKILL:
            self._thaw()

    def _thaw(self) -> None:
        from runtime.cgroups import tree  # noqa: PLC0415

        try:
            for directory in record.find(self.keeper.places.oci, self.id).state["cgroups"]:
                tree.thaw(directory)
        except (RuntimeFault, OSError) as err:
            print(f"{self.id[:12]}: {err}", file=sys.stderr)  # noqa: T201

    def hands(self) -> list[int]:
        """Return the descriptors for a client: the pidfd, then the terminal or the pipe that is its stdin."""
        return [fd for fd in (self.pidfd, self.stdio.input) if fd >= 0]

    def adopt(self) -> None:
        """Take down what a keeper left that was killed, and start it again if its policy says so."""
        status, ran = self.state["Status"], self.state["StartedAt"] != documents.NEVER
        self.save(Status="exited" if ran else "created", Running=False, Restarting=False, Pid=0)
        if status not in {"exited", "restarting"}:  # else its own end is on record
            self.save(ExitCode=137, Error="the keeper was killed", FinishedAt=documents.now())
        self.take_down(remove=self._settings()["AutoRemove"] and not self._again())

    def forget(self) -> None:
        """Leave the keeper's care."""
        self.save(Keeper=None)
        self.stdio.log.close()
        self.phase = "idle"
        self.keeper.wards.pop(self.id, None)

    def _answer(self, message: Document) -> None:
        told, self.starting = self.starting, []
        for listener in told:
            listener(message)

    def _tell(self, message: Document) -> None:
        told, self.waiting = self.waiting, []
        for client, answer in told:
            self.keeper.send(client, answer or message)
