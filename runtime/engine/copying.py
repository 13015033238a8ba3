"""Copying between a container and the host, by docker's rules, as a tar between two processes.

What is in a container may be hostile, and changes while one looks: so the process on its side does nothing
but enter the container's root for good (chroot(2)) and read or write a tar there, with what it had loaded.
Nothing is looked up in its passwd, nothing is loaded from it (CVE-2019-14271), and no link leads out
(CVE-2018-15664).
"""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from runtime.engine import documents, worker
from runtime.errors import RuntimeFault
from runtime.image.layer.pack import pack_as
from runtime.image.layer.unpack import unpack
from runtime.linux import syscalls
from runtime.linux.processes import alive
from runtime.rootfs import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.engine.places import Places

    Task = Callable[[socket.socket, int], None]

_BIND, _REC = 4096, 16384
_LARGEST = 1 << 16


@dataclass(frozen=True)
class Source:
    """What is copied: its path, its last name, whether it is a directory, and whether only its content."""

    path: str
    name: str
    directory: bool
    content: bool


def source(path: str, *, follow: bool) -> Source:
    """Look at a source on this side; OSError when it is not there."""
    real = os.path.realpath(path) if follow else path.rstrip("/") or "/"
    directory = stat.S_ISDIR(Path(real).lstat().st_mode)
    content = path.endswith("/.") or real == "/"
    return Source(real, os.path.basename(os.path.normpath(path)), directory, content)  # noqa: PTH119


def target(path: str, given: Source) -> tuple[str, str]:
    """Return the directory on this side, and the name in it ("" for what is in the source, beside others)."""
    if os.path.isdir(path):  # noqa: PTH112 - links are followed
        return path, "" if given.content else given.name
    parent, name = os.path.split(path.rstrip("/"))
    if os.path.lexists(path) and given.directory:
        raise RuntimeFault(f"{path} is no directory, but {given.path} is one", kind="usage")
    if not os.path.isdir(parent or ".") or (path.endswith("/") and not given.directory):  # noqa: PTH112
        hint = "make the directory first"
        raise RuntimeFault(f"there is no directory {parent or path}", kind="missing", hint=hint)
    return parent or ".", name


def copy_out(places: Places, container: str, path: str, to: str, *, follow: bool, owners: bool) -> None:
    """Copy `path` of a container to `to` here, or as a tar to standard output for "-"."""
    inner = f"/{path.lstrip('/')}"

    def inside(line: socket.socket, tar: int) -> None:
        given = source(inner, follow=follow)
        line.send(json.dumps({"source": vars(given)}).encode())
        name = line.recv(_LARGEST).decode()
        with os.fdopen(tar, "wb") as sink:
            pack_as(Path(given.path), name.removeprefix(":"), sink)

    with _Inside(places, container, inside, writes=True) as side:
        given = Source(**side.hear()["source"])
        directory, name = ("", given.name) if to == "-" else target(to, given)
        side.tell(f":{name}")
        if to == "-":
            _pump(side.tar, sys.stdout.fileno())
        else:
            with os.fdopen(side.take(), "rb") as tar:
                unpack(tar, Path(directory), owners=owners)
        side.hear()


def copy_in(places: Places, container: str, path: str, to: str, *, follow: bool, owners: bool) -> None:
    """Copy `path` of here, or for "-" the tar on standard input, to `to` in a container."""
    inner = f"/{to.lstrip('/')}"
    given = Source("-", "", directory=True, content=True) if path == "-" else source(path, follow=follow)
    owners = owners or path == "-"

    def inside(line: socket.socket, tar: int) -> None:
        directory, name = target(inner, given)
        if path == "-" and not os.path.isdir(inner):  # noqa: PTH112
            raise RuntimeFault(f"there is no directory {inner}", kind="missing", hint="make it first")
        line.send(json.dumps({"name": name}).encode())
        with os.fdopen(tar, "rb") as content:
            unpack(content, Path(directory), owners=owners)

    with _Inside(places, container, inside, writes=False) as side:
        name = side.hear()["name"]
        try:
            if path == "-":
                _pump(sys.stdin.fileno(), side.tar)
                os.close(side.take())
            else:
                with os.fdopen(side.take(), "wb") as sink:
                    pack_as(Path(given.path), name, sink)
        except BrokenPipeError:
            pass  # it says why
        side.hear()


class _Inside:
    """A process in a container's root that does one task, and the two ways to it."""

    def __init__(self, places: Places, container: str, task: Task, *, writes: bool) -> None:
        read, write = os.pipe2(os.O_CLOEXEC)
        self.tar, theirs = (read, write) if writes else (write, read)
        self._line, line = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self.tar)
            self._line.close()
            _work(places, container, task, line, theirs)
        os.close(theirs)
        line.close()

    def __enter__(self) -> _Inside:
        return self

    def __exit__(self, *_: object) -> None:
        if self.tar >= 0:
            os.close(self.tar)
        self._line.close()
        os.waitpid(self._pid, 0)

    def take(self) -> int:
        """Return the tar's descriptor, which is the caller's from now on."""
        taken, self.tar = self.tar, -1
        return taken

    def tell(self, text: str) -> None:
        """Send it a word."""
        self._line.send(text.encode())

    def hear(self) -> dict[str, Any]:
        """Wait for what it says; its fault is raised."""
        data = self._line.recv(_LARGEST)
        if not data:
            raise RuntimeFault("the process that copies in the container has died")
        message: dict[str, Any] = json.loads(data)
        if "fault" in message:
            raise RuntimeFault(message["fault"], kind=message["kind"], hint=message["hint"])
        return message


def _work(places: Places, container: str, task: Task, line: socket.socket, tar: int) -> NoReturn:
    said: dict[str, Any] = {}
    try:
        _enter(places, container)
        task(line, tar)
    except RuntimeFault as err:
        said = {"fault": str(err), "kind": err.kind, "hint": err.hint}
    except OSError as err:
        text = f"{err.filename or 'the container'}: {err.strerror or err}"
        said = {"fault": text, "kind": "missing" if err.errno == errno.ENOENT else "host", "hint": ""}
    except BaseException as err:  # noqa: BLE001 - it must never return into the command line
        said = {"fault": repr(err), "kind": "failed", "hint": "this is a defect of tare"}
    finally:
        line.send(json.dumps(said).encode())
        os._exit(0)


def _enter(places: Places, container: str) -> None:
    """Make the container's root ours: that of its process 1, or of one that does not run, mounted here."""
    state = documents.state(places, container)
    if state["Pid"] and alive(state["Pid"], state["Start"]):
        root = os.open(f"/proc/{state['Pid']}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    else:
        plan, directory = documents.plan(places, container), places.of(container)
        worker.mount_root(plan, directory)
        root = os.open(f"{directory}/rootfs", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        for volume in plan["Mounts"]:
            _mount(root, volume)
    os.fchdir(root)
    os.chroot(".")


def _mount(root: int, volume: dict[str, Any]) -> None:
    directory = os.path.isdir(volume["Source"])  # noqa: PTH112
    point = resolve.make(root, volume["Destination"], directory=directory)
    syscalls.mount(volume["Source"], f"/proc/self/fd/{point}", "", _BIND | _REC)
    os.close(point)


def _pump(source: int, sink: int) -> None:
    while data := os.read(source, 1 << 16):
        while data:
            data = data[os.write(sink, data) :]
