"""The process that makes the children of a spawner: it is told so by the client, and can be spared.

It is a fork of the spawner and makes each child as the spawner's, not its own (CLONE_PARENT). Child and
starter share their memory until the exec (`runtime.linux.vfork`), so when a child is killed before, the
starter ends too; the spawner sees it, still has the child, and forks another starter when it is asked.

Requests are plain values (`runtime.process.wire`) on one SOCK_SEQPACKET socket:
  {"op": "start", "seq", "run", "state", "kind", "names", "place", "hostname", "born_in"}
   + stdin, stdout, stderr
      -> {"seq", "pid", "start"} + pidfd, after the exec
       | {"seq", "error": {"stage", "errno", "what"}, "held"}: `held` when there is something to remove
On another one the spawner hears of each instance, before it holds anything and when it runs:
  the request; {"id", "init": {"pid", "start"}, or null when it holds nothing after all, and then "ended":
  the pid of a child that has to be reaped, or null}
"""

from __future__ import annotations

import _thread
import os
import sys

from runtime.linux import syscalls, vfork
from runtime.process import init, wire
from runtime.process.work import Work

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    import socket
    from typing import Any, NoReturn

    Message = dict[str, Any]
else:
    import _signal as signal

_STACK = 1 << 20  # bytes: half for a thread, half for the child that it makes
_CLONE_PARENT = 0x8000


class Starter:
    """Serves until the client or the spawner is gone; each child is made by a thread that ends with it."""

    def __init__(self, client: socket.socket, notes: socket.socket, owner: Message) -> None:
        self._client, self._notes, self._owner = client, notes, owner
        self._requests = wire.Inbox(client, fds=3)
        self._inherited = init.Inherited(notes.fileno())
        self._current: list[
            Work
        ] = []  # by this the child finds its work, and leaves no reference to it behind

    def serve(self) -> NoReturn:
        """Never returns; the process ends here."""
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        vfork.end_at_a_fault()
        _thread.stack_size(_STACK)
        _thread.start_new_thread(self._turn, ())
        forever = _thread.allocate_lock()
        forever.acquire()
        forever.acquire()
        os._exit(1)

    def _turn(self) -> None:
        try:
            # Whatever can be ready before a request is, which would wait for it. No handler of ours may run
            # in the child, and the thread misses no signal: they are for the one that waits in `serve`.
            signal.pthread_sigmask(signal.SIG_BLOCK, self._inherited.all)
            stack = vfork.Stack()
            stack.touch()
            if not self._request(stack, *os.pipe2(os.O_CLOEXEC)):
                os._exit(0)
            _thread.start_new_thread(self._turn, ())
        except BaseException:  # noqa: BLE001 - or nobody would answer any more, and nobody know
            sys.excepthook(*sys.exc_info())
            os._exit(1)

    def _request(self, stack: vfork.Stack, reader: int, sync: int) -> bool:
        try:
            data, fds = self._requests.receive()
        except ConnectionResetError:  # it died with a reply unread (unix(7))
            return False
        if not data:
            return False
        wire.send(self._notes, data)
        message: Message = wire.loads(data)
        work = Work(message, self._owner, fds, sync)
        self._current.append(work)
        try:
            outcome, passed = self._start(work, stack, reader)
        except OSError as err:
            report = {"stage": "start", "errno": err.errno or 0, "what": str(err.filename or "")}
            outcome, passed = {"error": report, "held": work.held}, []
        finally:
            self._current.clear()
            for fd in fds:
                os.close(fd)
        self._tell(message["state"]["id"], outcome)
        self._reply(message["seq"], outcome, passed)
        return True

    def _tell(self, name: str, outcome: Message) -> None:
        """Before the reply, so that the spawner knows what the client may ask for next."""
        if "pid" in outcome:
            self._note({"id": name, "init": outcome})
        elif not outcome["held"]:
            self._note({"id": name, "init": None, "ended": outcome.get("ended")})

    def _note(self, note: Message) -> None:
        wire.send(self._notes, wire.dumps(note))

    def _start(self, work: Work, stack: vfork.Stack, reader: int) -> tuple[Message, list[int]]:
        try:
            try:
                born_in = work.message["born_in"]
                if born_in:
                    work.prepare()
                pid, pidfd = self._spawn(work, stack, born_in, reader)
            finally:
                os.close(work.sync)
            return self._outcome(work, pid, pidfd, os.read(reader, wire.LARGEST))
        finally:
            os.close(reader)

    def _spawn(self, work: Work, stack: vfork.Stack, born_in: str | None, reader: int) -> tuple[int, int]:
        self._inherited.reader = reader
        group = os.open(born_in, os.O_PATH | os.O_CLOEXEC) if born_in else None
        flags = work.kind.launch["clone"] | _CLONE_PARENT
        try:
            return vfork.spawn(stack, flags, self._child, lambda: work.settled, cgroup=group)
        finally:
            if group is not None:
                os.close(group)

    def _child(self) -> None:
        init.run(self._current, self._inherited)

    def _outcome(self, work: Work, pid: int, pidfd: int, report: bytes) -> tuple[Message, list[int]]:
        if report:
            os.close(pidfd)
            told: Message = wire.loads(report)
            return {**told, "ended": pid}, []
        return work.first(pid), [pidfd]

    def _reply(self, seq: int, fields: Message, fds: list[int]) -> None:
        try:
            wire.send(self._client, wire.dumps({"seq": seq, **fields}), fds)
        except (BrokenPipeError, ConnectionResetError):
            return  # the client died; the next turn sees it
        finally:
            for fd in fds:
                os.close(fd)
