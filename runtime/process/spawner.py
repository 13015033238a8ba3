"""The small process that is the parent of all instances, and dies with its client.

It forks a starter (`runtime.process.starter`), which makes the children, as the spawner's; the spawner reaps
and removes. Requests and replies are values, marshalled, on one SOCK_SEQPACKET socket, descriptors as
SCM_RIGHTS:
  {"op": "starter", "seq"}       -> {"seq"} + a socket to a new starter
  {"op": "wait", "seq", "id"}    -> {"seq", "status"}: its wait status, once it has ended; others are served
                                    meanwhile
  {"op": "remove", "seq", "id"}  -> {"seq"}
  {"op": "forget", "id", "pid"}  no reply: the client has removed what had ended
  {"op": "recover", "seq", "id", "created"} -> {"seq", "pid", "start"} + pidfd, of the process, now killed,
                                    that a starter had in hand when it died; or an error: ESRCH when it
                                    had not heard of it
       | {"seq", "error": {"stage", "errno", "what"}}
A starter that will not go on (`runtime.process.watch`) is killed, and is then like any other that died.
When the client closes its end, or dies, everything is removed and the spawner exits. When the spawner is
killed, its children get SIGKILL (PR_SET_PDEATHSIG), and what else they held is on record for a prune.
"""

from __future__ import annotations

import errno
import gc
import os
import select
import signal
import socket
import sys

from runtime.cgroups import tree
from runtime.linux.processes import children, start_time
from runtime.process import wire
from runtime.process.forked import Forked
from runtime.process.instance import Instance
from runtime.process.reclaim import await_death
from runtime.process.watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Message = dict[str, Any]

_TRACED = 20  # milliseconds between two looks at what has ended under a tracer


class Spawner:
    """State of the spawner: its instances, and its starter."""

    def __init__(self, control: socket.socket) -> None:
        self.control, self.inbox = control, wire.Inbox(control)
        self.owner = {"pid": os.getpid(), "start": start_time(os.getpid())}
        self.instances: dict[str, Instance] = {}
        self.parents: dict[str, None] = {}
        self.starter: Forked | None = None
        self.coming: Instance | None = None  # the last that the starter told of
        self.given_up: Instance | None = None  # the last that ended with its starter, and not of itself
        self.watch = Watch()
        self.waits: dict[int, tuple[Instance, int]] = {}  # by pidfd; the request that is to be answered
        self.traced: set[int] = set()  # pidfds of `waits` that have told, before there was a status
        self.poll = select.poll()
        self.poll.register(control, select.POLLIN)

    def serve(self) -> None:
        """Answer until the client is gone."""
        while True:
            ready = {fd for fd, _ in self.poll.poll(_TRACED if self.traced else self.watch.timeout)}
            for pidfd in (ready & self.waits.keys()) | self.traced:
                self._ended(pidfd)
            # First: what is asked may be about what they tell, and they were there before it.
            if self.starter and self.starter.notes.fileno() in ready:
                self._listen(self.starter)
            if self.starter and self.starter.pidfd in ready:
                self._outlive(self.starter)
            if self.control.fileno() in ready and not self._request():
                return
            if self.watch.due():
                self._look()

    def close(self) -> None:
        """End the starter and remove every instance; one that resists does not keep the others."""
        self._end_starter()
        for instance in list(self.instances.values()):
            try:
                instance.remove()
            except OSError as err:
                print(f"tare: cannot remove {instance.state['id']}: {err}", file=sys.stderr)  # noqa: T201
        tree.remove_empty(reversed(self.parents))

    def _request(self) -> bool:
        try:
            data, _ = self.inbox.receive()
        except ConnectionResetError:  # it died with a reply unread (unix(7))
            return False
        if not data:
            return False
        message: Message = wire.loads(data)
        if message["op"] == "forget":
            self._forget(message)
            return True
        try:
            found = _OPERATIONS[message["op"]](self, message)
        except OSError as err:
            report = {"stage": message["op"], "errno": err.errno or 0, "what": str(err.filename or "")}
            found = {"error": report}, []
        if found:
            self._reply(message["seq"], *found)
        return True

    def _look(self) -> None:
        if self.watch.stuck(self._strays().values()) and self.starter:
            self.watch.end()
            os.kill(self.starter.pid, signal.SIGKILL)  # its socket wakes the client, which asks for another

    def _strays(self) -> dict[int, str]:
        """Children that are no instance's yet: at most one, the starter's in hand; their states by pid."""
        running = [one for one in self.instances.values() if one.state["init"] and one.status is None]
        known = {one.state["init"]["pid"] for one in running}
        if self.starter:
            known.add(self.starter.pid)
        return {pid: state for pid, state in children(os.getpid()).items() if pid not in known}

    def _listen(self, starter: Forked) -> None:
        for note in starter.told():
            if note is None:
                self._end_starter()
            else:
                self._note(note)

    def _outlive(self, starter: Forked) -> None:
        """Go on without it, and without what it had in hand.

        That child holds the other ends of its sockets too, so they hang up only with it; and it may wait for
        a lock that a thread of the starter has taken along.
        """
        self._listen(starter)
        if self.starter is starter:
            self._end_starter()

    def _note(self, note: Message) -> None:
        coming = self.coming
        if coming is None or "init" not in note:
            self._expect(note)
            return
        self.watch.end()
        if note["init"]:  # the name was free, whatever stood here
            coming.state["init"] = note["init"]
            self.instances[coming.state["id"]] = coming
        elif self.instances.get(coming.state["id"]) is coming:
            del self.instances[coming.state["id"]]
        if not note["init"] and note["ended"]:
            os.waitpid(note["ended"], 0)

    def _expect(self, request: Message) -> None:
        """Know of it before it holds anything; a name that is in use stays with the one that has it."""
        state = request["state"]
        self.parents.update(dict.fromkeys(state["parents"]))
        self.coming = Instance(request["run"], {**state, "owner": self.owner})
        self.instances.setdefault(state["id"], self.coming)
        self.watch.begin()

    def _starter(self, _: Message) -> tuple[Message, list[int]]:
        if self.starter:
            self._listen(self.starter)
        self._end_starter()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.fork_starter(theirs, ours)
        return {}, [ours.detach()]

    def fork_starter(self, client: socket.socket, *strange: socket.socket) -> None:
        """Fork a starter that serves `client` and does not keep `strange` open."""
        self.starter = Forked(client, self.owner, (self.control, *strange), self.waits)
        for one in (self.starter.notes, self.starter.pidfd):
            self.poll.register(one, select.POLLIN)

    def _end_starter(self) -> None:
        if self.starter:
            for one in (self.starter.notes, self.starter.pidfd):
                self.poll.unregister(one)
            self.starter.end()
            self.starter = None
            if self.watch.on:
                self._end_in_hand()

    def _end_in_hand(self) -> None:
        """Kill what the starter had in hand when it died; `_recover` reaps it."""
        self.watch.end()
        for pid, state in self._strays().items():
            if state not in "ZX":
                self.given_up = self.coming
            pidfd = os.pidfd_open(pid)  # a child that is not reaped keeps its number
            try:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                await_death(pidfd, pid, self.coming.state["cgroups"] if self.coming else ())
            finally:
                os.close(pidfd)

    def _wait(self, message: Message) -> tuple[Message, list[int]] | None:
        """Answer when it has ended: asked for only then, the status would cost the client a wake-up more."""
        instance = self._known(message["id"])
        status = instance.reap()
        if status is not None:
            return {"status": status}, []
        pidfd = os.pidfd_open(instance.state["init"]["pid"])  # a child that is not reaped keeps its number
        self.waits[pidfd] = instance, message["seq"]
        self.poll.register(pidfd, select.POLLIN)
        return None

    def _ended(self, pidfd: int) -> None:
        instance, seq = self.waits[pidfd]
        status = instance.reap()
        if pidfd not in self.traced:
            self.poll.unregister(pidfd)
        if status is None:  # whoever traces it hears of its end first (ptrace(2))
            self.traced.add(pidfd)
            return
        self.traced.discard(pidfd)
        del self.waits[pidfd]
        os.close(pidfd)
        self._reply(seq, {"status": status}, [])

    def _remove(self, message: Message) -> tuple[Message, list[int]]:
        instance = self.instances.pop(message["id"], None)
        if instance and instance is self.coming:  # it failed, which the starter tells the client alone
            self.watch.end()
        if instance:
            instance.remove()
        return {}, []

    def _forget(self, message: Message) -> None:
        instance = self.instances.get(message["id"])
        # Another one of the name may have been started since.
        if instance and instance.state["init"] and instance.state["init"]["pid"] == message["pid"]:
            del self.instances[message["id"]]

    def _recover(self, message: Message) -> tuple[Message, list[int]]:
        """Count what was killed as started: an end for want of memory is told in one way, however early."""
        try:
            return self._recovered(message)
        finally:
            for pid in self._strays():  # what died before it was on record
                os.waitpid(pid, 0)

    def _recovered(self, message: Message) -> tuple[Message, list[int]]:
        instance = self.coming
        if instance is None or instance.state["created"] != message["created"]:
            raise OSError(errno.ESRCH, os.strerror(errno.ESRCH), message["id"])
        pidfd = instance.end() if instance.find() else -1
        if pidfd >= 0 and os.WIFSIGNALED(instance.status or 0) and instance is not self.given_up:
            self.instances[message["id"]] = instance
            return instance.state["init"], [pidfd]
        if pidfd >= 0:
            os.close(pidfd)
        if self.instances.get(message["id"]) is instance:
            del self.instances[message["id"]]
        instance.remove()
        raise OSError(errno.ECHILD, os.strerror(errno.ECHILD), message["id"])

    def _known(self, name: str) -> Instance:
        instance = self.instances.get(name)
        if instance is None or not instance.state["init"]:
            raise OSError(errno.ESRCH, os.strerror(errno.ESRCH), name)
        return instance

    def _reply(self, seq: int, fields: Message, fds: list[int]) -> None:
        try:
            wire.send(self.control, wire.dumps({"seq": seq, **fields}), fds)
        except (BrokenPipeError, ConnectionResetError):
            return  # the client died; the next turn of the loop sees it
        finally:
            for fd in fds:
                os.close(fd)


_OPERATIONS = {
    "starter": Spawner._starter,  # noqa: SLF001
    "wait": Spawner._wait,  # noqa: SLF001
    "remove": Spawner._remove,  # noqa: SLF001
    "recover": Spawner._recover,  # noqa: SLF001
}


def main(control_fd: int, starter_fd: int) -> None:
    """Serve on the inherited sockets, the second of them through the first starter."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the client's to handle
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with socket.socket(fileno=control_fd) as control, socket.socket(fileno=starter_fd) as client:
        spawner = Spawner(control)
        gc.collect()
        gc.freeze()  # no later collection touches what the starter shares
        try:
            spawner.fork_starter(client)
            client.close()
            spawner.serve()
        finally:
            spawner.close()
