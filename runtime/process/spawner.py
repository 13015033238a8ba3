"""The small process that forks: it holds few modules, is the parent of all instances, dies with its client.

Requests and replies are JSON on one SOCK_SEQPACKET socket, descriptors as SCM_RIGHTS:
  {"op": "start", "seq", "run", "state", "make", "cgroup", "launch"} + stdin, stdout, stderr
      -> {"seq", "pid", "start"} + pidfd, after the exec; or {"seq", "error": {"stage", "errno", "what"}}
  {"op": "reap", "seq", "id"}    -> {"seq", "status"}: a wait status, or null while it runs
  {"op": "remove", "seq", "id"}  -> {"seq"}
When the client closes its end, or dies, everything is removed and the spawner exits. When the spawner is
killed, its children get SIGKILL (PR_SET_PDEATHSIG), and what else they held is on record for a prune.
"""

# pathlib stays out of the process that forks:
# ruff: noqa: PTH103

from __future__ import annotations

import errno
import gc
import os
import select
import signal
import socket
import sys

from runtime.cgroups import tree
from runtime.linux import syscalls
from runtime.linux.processes import start_time
from runtime.process import init, lean_json
from runtime.process.reclaim import await_death, claim, reclaim, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Message = dict[str, Any]

LARGEST = 1 << 20  # bytes of one request
_ERRORS = select.POLLERR | select.POLLHUP


class Instance:
    """One process that was started, and what is on record for it."""

    def __init__(self, run: str, state: Message) -> None:
        self.run, self.state = run, state
        self.pidfd = -1
        self.status: int | None = None

    def reap(self, *, wait: bool = False) -> int | None:
        """Wait status when the process has ended, else None."""
        if self.status is None and self.pidfd >= 0:
            pid, status = os.waitpid(self.state["init"]["pid"], 0 if wait else os.WNOHANG)
            self.status = status if pid else None
        return self.status

    def remove(self) -> None:
        """Kill, reap, and give everything back."""
        if self.pidfd >= 0:
            if self.reap() is None:
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
                await_death(self.pidfd, self.state["init"]["pid"], self.state["cgroups"])
                self.reap(wait=True)
            os.close(self.pidfd)
            self.pidfd = -1
        reclaim(self.run, self.state)


class Spawner:
    """State of the spawner: its instances, and those of them that are between clone and exec."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.inherited = init.Inherited()
        self.owner = {"pid": os.getpid(), "start": start_time(os.getpid())}
        self.instances: dict[str, Instance] = {}
        self.starting: dict[int, tuple[socket.socket, Instance, int]] = {}
        self.parents: dict[str, None] = {}
        self.poll = select.poll()
        self.poll.register(control, select.POLLIN)

    def serve(self) -> None:
        """Answer until the client is gone."""
        while True:
            ready = [fd for fd, _ in self.poll.poll()]
            asked = self.control.fileno() in ready
            for fd in ready:
                if fd in self.starting:
                    self._started(fd)
                elif fd != self.control.fileno():
                    self._ended(fd)
            # Last, since a request may close descriptors that this very poll has reported, or reuse them.
            if asked and not self._request():
                return

    def close(self) -> None:
        """Remove every instance; one that resists does not keep the others."""
        for instance in list(self.instances.values()):
            try:
                instance.remove()
            except OSError as err:
                print(f"tare: cannot remove {instance.state['id']}: {err}", file=sys.stderr)  # noqa: T201
        tree.remove_empty(reversed(self.parents))

    def _request(self) -> bool:
        try:
            data, fds, _, _ = socket.recv_fds(self.control, LARGEST, 3, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:  # it died with a reply unread (unix(7))
            return False
        if not data:
            return False
        message: Message = lean_json.loads(data)
        try:
            if message["op"] == "start":
                self._start(message, fds)
            elif message["op"] == "reap":
                self._reply(message["seq"], status=self._known(message["id"]).reap())
            else:
                self._remove(message["id"])
                self._reply(message["seq"])
        except OSError as err:
            report = {"stage": message["op"], "errno": err.errno or 0, "what": str(err.filename or "")}
            self._reply(message["seq"], error=report)
        finally:
            for fd in fds:
                os.close(fd)
        return True

    def _start(self, message: Message, fds: list[int]) -> None:
        run, state = message["run"], dict(message["state"], owner=self.owner, init=None)
        claim(run, state)
        instance = self.instances[state["id"]] = Instance(run, state)
        try:
            for directory in message["make"]:
                os.makedirs(directory, mode=0o755, exist_ok=True)
            sync = self._fork(instance, message, fds)
        except OSError:
            self._remove(state["id"])
            raise
        self.starting[sync.fileno()] = (sync, instance, message["seq"])
        self.poll.register(sync, select.POLLIN)

    def _fork(self, instance: Instance, message: Message, fds: list[int]) -> socket.socket:
        cgroup, launch = message["cgroup"], message["launch"]
        self.parents.update(dict.fromkeys(instance.state["parents"]))
        tree.make(cgroup["steps"])
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        born_in = os.open(cgroup["born_in"], os.O_PATH | os.O_CLOEXEC) if cgroup["born_in"] else None
        try:
            pid, instance.pidfd = syscalls.clone3(launch["clone"], cgroup=born_in)
            if pid == 0:
                ours.close()  # or the child would never see that the spawner has died
                init.run(launch, fds, theirs, self.inherited)
            self._admit(instance, pid, cgroup["joined"], ours)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            if born_in is not None:
                os.close(born_in)
        return ours

    def _admit(self, instance: Instance, pid: int, joined: list[str], sync: socket.socket) -> None:
        """Let the child go on, once it is on record and in its cgroups; before, it acquires nothing."""
        instance.state["init"] = {"pid": pid, "start": start_time(pid)}
        record(instance.run, instance.state)
        tree.enter(joined, pid)
        sync.send(b"g")

    def _started(self, fd: int) -> None:
        sync, instance, seq = self.starting.pop(fd)
        self.poll.unregister(fd)
        with sync:
            report = sync.recv(LARGEST)
        if report:
            self._remove(instance.state["id"])
            self._reply(seq, error=lean_json.loads(report))
            return
        self.poll.register(instance.pidfd, select.POLLIN)
        self._reply(seq, [instance.pidfd], **instance.state["init"])

    def _known(self, name: str) -> Instance:
        if name not in self.instances:
            raise OSError(errno.ESRCH, os.strerror(errno.ESRCH), name)
        return self.instances[name]

    def _ended(self, pidfd: int) -> None:
        self.poll.unregister(pidfd)
        for instance in self.instances.values():
            if instance.pidfd == pidfd:
                instance.reap()

    def _remove(self, name: str) -> None:
        instance = self.instances.pop(name, None)
        if instance:
            if instance.pidfd >= 0:
                self._forget(instance.pidfd)
            instance.remove()

    def _forget(self, pidfd: int) -> None:
        try:
            self.poll.unregister(pidfd)
        except KeyError:  # it ended before, or never came as far as its exec
            return

    def _reply(self, seq: int, fds: list[int] | None = None, **fields: object) -> None:
        data = lean_json.dumps({"seq": seq, **fields}).encode()
        try:
            socket.send_fds(self.control, [data], fds or [])
        except (BrokenPipeError, ConnectionResetError):
            return  # the client died; the next turn of the loop sees it


def main(fd: int) -> None:
    """Serve on the inherited socket `fd`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the client's to handle
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with socket.socket(fileno=fd) as control:
        spawner = Spawner(control)
        gc.collect()
        gc.freeze()  # no later collection touches what all children share
        try:
            spawner.serve()
        finally:
            spawner.close()
