"""The keeper: one process for all containers of a pair of roots; it ends when there are none.

It is their subreaper, so it learns how they end and no zombie stays; it reads what they write; it starts
them again. A client opens a connection (SOCK_SEQPACKET) for one request, in JSON, with descriptors:
  {"op": "start", "id", "once", "again"} + stdout, stderr [+ stdin] to be attached, or none
      -> {"started"} + a pidfd and the input's descriptor, later {"exit": STATE}; or {"error"}
  {"op": "attach", "id"} + stdout, stderr -> {"attached"} + the same descriptors, later {"exit"}
  {"op": "wait", "id"} -> {"exit"} · {"op": "kill", "id", "signal"} -> {"done"}
  {"op": "stop", "id", "signal", "grace"} -> {"exit"} · {"op": "remove", "id", "force"} -> {"done"}
A keeper that is killed takes what its containers write with it; the next one ends them, and starts anew
those whose restart policy says so, as docker's daemon does.
"""

# pathlib stays out of the keeper:
# ruff: noqa: FBT003, PTH103, SIM105, PTH108

from __future__ import annotations

import fcntl
import gc
import os
import select
import signal
import socket
import struct
import sys

from runtime.engine import documents
from runtime.engine.loop import Loop, ended_children
from runtime.engine.places import Places
from runtime.engine.ward import Ward
from runtime.errors import RuntimeFault
from runtime.linux import syscalls
from runtime.oci import record
from runtime.process import lean_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runtime.engine.documents import Document

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_GREETING = 5.0  # seconds
_LARGEST = 1 << 16


class Keeper(Loop):
    """The loop, the containers, and the clients."""

    def __init__(self, places: Places, listener: socket.socket) -> None:
        super().__init__()
        self.places, self.listener = places, listener
        self.wards: dict[str, Ward] = {}
        self._clients: dict[int, socket.socket] = {}
        self._strays: dict[int, int] = {}
        self.watch(listener.fileno(), self._accept)

    def child(self, task: Callable[[], int], keep: tuple[int, ...] = ()) -> int:
        """Do a task in a child that has none of our sockets but those in `keep`; returns its number."""
        return self.fork(task, {self.listener.fileno(), *self._clients} - set(keep))

    def serve(self) -> None:
        """Work until there is nothing left to keep and nobody connected."""
        while self.wards or self._clients or select.select([self.listener], [], [], 0)[0]:
            for fd, events in self.wait():
                tap = self._tap(fd)
                if tap:
                    tap.event(fd, events)
            self._reap()
            self.ring()

    def _tap(self, fd: int) -> Any:  # noqa: ANN401 - a Tap, or None
        return next((tap for ward in self.wards.values() for tap in ward.stdio.taps if tap.owns(fd)), None)

    def _reap(self) -> None:
        self._strays.update(ended_children())
        for pid, status in list(self._strays.items()):
            if any(ward.ended(pid, status) for ward in list(self.wards.values())):
                del self._strays[pid]
        # One that nobody knows may be a process 1 whose starter has not been heard yet.
        if not any(ward.phase == "starting" for ward in self.wards.values()):
            self._strays.clear()

    def _accept(self) -> None:
        client, _ = self.listener.accept()
        _, uid, _ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid != os.geteuid():
            client.close()
            return
        client.setblocking(False)
        self._clients[client.fileno()] = client
        self.watch(client.fileno(), lambda: self._request(client))
        self.send(client, {"keeper": os.getpid()})

    def _drop(self, client: socket.socket) -> None:
        fd = client.fileno()
        if fd in self._clients:
            self.unwatch(fd)
            del self._clients[fd]
            for ward in self.wards.values():
                ward.disregard(client)
            client.close()

    def send(self, client: socket.socket, message: Document, fds: list[int] | None = None) -> None:
        """Answer a client; one that has gone or does not read is let go."""
        try:
            socket.send_fds(client, [lean_json.dumps(message).encode()], fds or [])
        except OSError:  # it has gone, or reads nothing
            self._drop(client)

    def _request(self, client: socket.socket) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(client, _LARGEST, 3, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            data, fds = b"", []
        if not data:
            self._drop(client)
            return
        message = lean_json.loads(data)
        try:
            getattr(self, f"_op_{message['op']}")(client, message, fds)
        except RuntimeFault as err:
            self.send(client, {"error": {"message": str(err), "kind": err.kind, "hint": err.hint}})

    def _running(self, container: str) -> Ward:
        ward = self.wards.get(container)
        if ward is None or ward.phase in {"idle", "finishing"}:
            hint = "see `tare container ps -a`"
            raise RuntimeFault(f"container {container[:12]} is not running", kind="missing", hint=hint)
        return ward

    def _op_start(self, client: socket.socket, message: Document, fds: list[int]) -> None:
        ward = self.wards.get(message["id"])
        if ward is None:
            ward = self.wards[message["id"]] = Ward(self, message["id"])
        if ward.phase == "finishing":
            ward.after = lambda: self._begin(ward, client, message, fds)
        elif ward.phase in {"idle", "restarting"}:
            self._begin(ward, client, message, fds)
        else:
            for fd in fds:
                os.close(fd)
            self.send(client, {"started": {"pid": ward.pid}}, ward.hands())

    def _begin(self, ward: Ward, client: socket.socket, message: Document, fds: list[int]) -> None:
        def started(answer: Document) -> None:
            self.send(client, answer, ward.hands() if "started" in answer else None)
            if message.get("once"):
                ward.stdio.hand_over()

        if message.get("first", True):
            ward.save(RestartCount=0)
        ward.starting.append(started)
        ward.await_end(client)
        given = fds[2] if len(fds) > 2 else -1  # noqa: PLR2004 - the third is stdin
        ward.start(fds[:2], given, message.get("size"))

    def _op_attach(self, client: socket.socket, message: Document, fds: list[int]) -> None:
        ward = self._running(message["id"])
        ward.stdio.attach(fds)
        self.send(client, {"attached": {"pid": ward.pid}}, ward.hands())
        ward.await_end(client)

    def _op_wait(self, client: socket.socket, message: Document, _fds: list[int]) -> None:
        ward = self.wards.get(message["id"])
        if ward is None or ward.phase == "idle":
            self.send(client, {"exit": documents.state(self.places, message["id"])})
        else:
            ward.await_end(client)

    def _op_kill(self, client: socket.socket, message: Document, _fds: list[int]) -> None:
        ward = self._running(message["id"])
        ward.save(Stopped=True)
        ward.signal(message["signal"])
        self.send(client, {"done": True})

    def _op_stop(self, client: socket.socket, message: Document, _fds: list[int]) -> None:
        ward = self._running(message["id"])
        ward.await_end(client)
        ward.stop(message["signal"], message["grace"])

    def _op_remove(self, client: socket.socket, message: Document, _fds: list[int]) -> None:
        ward = self.wards.get(message["id"])
        if ward is None and message["force"] and not documents.complete(self.places, message["id"]):
            documents.remove(self.places, message["id"])
            self.send(client, {"done": True})
            return
        if ward is None:
            ward = self.wards[message["id"]] = Ward(self, message["id"])
            ward.await_end(client, {"done": True})
            ward.take_down(remove=True)
            return
        if ward.phase in {"running", "starting"} and not message["force"]:
            hint = "stop it first, or use --force"
            raise RuntimeFault(f"container {ward.id[:12]} is running", kind="usage", hint=hint)
        ward.remove = True
        ward.await_end(client, {"done": True})
        if ward.phase == "restarting":
            ward.take_down(remove=True)
        elif ward.phase != "finishing":
            ward.stop(signal.SIGKILL, None)

    def recover(self) -> None:
        """End what an earlier keeper, which was killed, had in its care; start anew what wants to be."""
        record.sweep(self.places.oci)
        documents.sweep(self.places)
        for container in documents.everything(self.places):
            try:
                if documents.state(self.places, container)["Keeper"]:
                    ward = self.wards[container] = Ward(self, container)
                    ward.adopt()
            except RuntimeFault as err:  # damaged: it takes `rm --force`, and is no reason to keep no other
                print(f"{container[:12]}: {err}", file=sys.stderr)  # noqa: T201


def main(run: str, data: str) -> None:
    """Become the keeper of two roots: returns in the caller once it listens, or if there is one already."""
    places = Places(run, data)
    os.makedirs(f"{run}/engine", mode=0o711, exist_ok=True)
    lock = os.open(places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    listener = _listen(places.socket)
    if os.fork():
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.chdir("/")
    syscalls.prctl(_SUBREAPER, 1)
    keeper = Keeper(places, listener)
    keeper.recover()
    gc.collect()
    gc.freeze()
    select.select([listener], [], [], _GREETING)  # whoever started this is about to connect
    keeper.serve()
    os.unlink(places.socket)


def _listen(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    directory, name = os.path.split(path)
    here = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        umask = os.umask(0o177)
        listener.bind(f"/proc/self/fd/{here}/{name}")  # an address holds 107 bytes
        os.umask(umask)
    finally:
        os.close(here)
    listener.listen(64)
    return listener
