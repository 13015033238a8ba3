"""What the keeper has done by a child of its own: make and start a container, and take one down.

The child is a fork, so that nothing has to be loaded, and short-lived, so that what the network needs to be
imported costs no memory for long. It has a mount namespace of its own, where it mounts the container's root;
the container inherits that. So the host never sees a mount of ours, and none can be left behind.
"""

# pathlib stays out of the keeper and its children:
# ruff: noqa: PTH103, PTH123, PTH208

from __future__ import annotations

import os
import socket
import stat

from runtime.engine import account, documents, reaper
from runtime.errors import RuntimeFault
from runtime.linux import mounts, syscalls, userns
from runtime.linux.processes import start_time
from runtime.oci import console, create, lifecycle, record
from runtime.oci.options import Arguments
from runtime.oci.report import Log
from runtime.oci.terminal import Terminal
from runtime.process import lean_json
from runtime.process.removal import remove_tree
from runtime.rootfs import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.engine.documents import Document
    from runtime.engine.places import Places
    from runtime.oci.child import Child
    from runtime.oci.record import Record

_NEWNS = 0x20000
_LARGEST = 1 << 16


class _Console(Terminal):
    """The terminal's master comes to us over a socket pair, and goes on to the keeper."""

    def __init__(self) -> None:
        super().__init__(Arguments({}, {}, []), detached=True)
        self.ours: socket.socket | None = None

    def prepare(self, launch: dict[str, Any]) -> None:
        if launch["terminal"]:
            self.ours, launch["connection"] = socket.socketpair()
            launch["console"] = console

    def master(self) -> list[int]:
        return [console.receive(self.ours)] if self.ours else []


def start(places: Places, container: str, stdio: tuple[int, int, int], line: socket.socket) -> int:
    """In the child: create, report, wait for the keeper's word, start. Returns the exit code."""
    try:
        for target, fd in enumerate(stdio):
            os.dup2(fd, target)
        _start(places, container, line)
    except RuntimeFault as err:
        return _report(line, {"error": {"message": str(err), "kind": err.kind, "hint": err.hint}})
    except OSError as err:
        fault = RuntimeFault.from_os(err, f"start {container[:12]} ({err.filename})")
        return _report(line, {"error": {"message": str(fault), "kind": fault.kind, "hint": fault.hint}})
    return 0


def _report(line: socket.socket, message: dict[str, Any], fds: list[int] | None = None) -> int:
    socket.send_fds(line, [lean_json.dumps(message).encode()], fds or [])
    return 1


def _start(places: Places, container: str, line: socket.socket) -> None:
    plan = documents.plan(places, container)
    directory = places.of(container)
    mount_root(plan, directory)
    _complete(plan, directory)
    held, child, terminal = _create(places, container)
    with child:
        try:
            network = _plug(places, plan, held)
            start = {"pid": child.pid, "start": child.start, "network": network}
            _report(line, {"created": start}, terminal.master())
            _await_leave(line, container)
            held.release()
        except BaseException:
            take_down(places, plan, container)
            raise
    _report(line, {"started": True})


def _await_leave(line: socket.socket, container: str) -> None:
    """Wait until the keeper has the container on record."""
    if line.recv(1) != b"g":
        raise RuntimeFault(f"the keeper of {container[:12]} has died")


def _create(places: Places, container: str) -> tuple[Record, Child, _Console]:
    arguments = Arguments({"root": places.oci}, {"bundle": places.of(container)}, [container])
    log, terminal = Log(), _Console()
    leftover(places, container)
    held, child = create.create(arguments, log, terminal)
    return held, child, terminal


def leftover(places: Places, container: str) -> None:
    """Remove the runtime's record of an earlier run, if a keeper was killed before it could."""
    try:
        held = record.find(places.oci, container)
    except RuntimeFault as err:
        if err.kind == "missing":
            return
        raise
    lifecycle.delete(held, Log())


def mount_root(plan: Document, directory: str) -> None:
    """Mount the image's layers, under the container's own, in a mount namespace that ends with us."""
    syscalls.unshare(_NEWNS)
    syscalls.mount("none", "/", "", mounts.REC | mounts.PRIVATE)
    parts = [f"{directory}/{name}" for name in ("upper", "work", "rootfs")]
    for path in parts:
        os.makedirs(path, mode=0o755, exist_ok=True)
    mounts.overlay(plan["Layers"], *parts)


def _complete(plan: Document, directory: str) -> None:
    """Write the bundle's config.json: what only the mounted root can tell is added to what was planned."""
    config = documents.read(f"{directory}/plan.json")
    process = config["process"]
    root = os.open(f"{directory}/rootfs", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        user = account.find(plan["Config"]["User"], root, f"{directory}/etc")
        added = account.groups(plan["HostConfig"]["GroupAdd"] or (), f"{directory}/etc")
        groups = sorted({user.gid, *user.groups, *added})
        process["user"] = {"uid": user.uid, "gid": user.gid, "additionalGids": groups}
        if groups == [0] and not userns.maps_many():  # who maps but his own group may not set any
            process["user"]["additionalGids"] = []
        if plan["HostConfig"]["Init"]:
            process["args"] = [reaper.PATH, _program(root, process), *process["args"]]
        if not any(entry.startswith("HOME=") for entry in process["env"]):
            process["env"].append(f"HOME={user.home}")
        os.close(resolve.make(root, process["cwd"], directory=True))
        for volume in plan["Mounts"]:
            if volume["Type"] == "volume":
                _fill(root, volume)
    finally:
        os.close(root)
    documents.write(f"{directory}/config.json", config)


def _program(root: int, process: Document) -> str:
    """Return where the command is, as execvp(3) would find it: what begins it takes no name."""
    name: str = process["args"][0]
    if "/" in name:
        return os.path.join(str(process["cwd"]), name)  # noqa: PTH118
    found = dict(item.split("=", 1) for item in process["env"]).get("PATH", "")
    for path in (f"{place}/{name}" for place in found.split(":") if place):
        try:
            fd = resolve.find(root, path)
        except OSError:
            continue
        mode = os.fstat(fd).st_mode
        os.close(fd)
        if stat.S_ISREG(mode) and mode & 0o111:
            return path
    raise RuntimeFault(f'exec: "{name}": executable file not found in $PATH', kind="not-found")


def _fill(root: int, volume: Document) -> None:
    """Give a volume that is empty what the image has at its place, as docker does."""
    if os.listdir(volume["Source"]):
        return
    try:
        place = resolve.find(root, volume["Destination"])
    except OSError:
        return
    try:
        if os.path.isdir(f"/proc/self/fd/{place}") and os.listdir(f"/proc/self/fd/{place}"):  # noqa: PTH112
            _copy_tree(place, volume["Source"])
    finally:
        os.close(place)


def _copy_tree(source: int, target: str) -> None:
    import subprocess  # noqa: PLC0415 - only a new volume over a directory that holds something

    # cp(1) keeps owners, modes, times, links and attributes; the directory is one of its own descriptors.
    done = subprocess.run(
        ["cp", "-a", f"/proc/self/fd/{source}/.", target], pass_fds=[source], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeFault(f"cannot fill the volume {target}: {done.stderr.strip()}")


def _plug(places: Places, plan: Document, held: Record) -> Document | None:
    """Give the created container its place on the bridge, and its name there; None for another network."""
    if plan["HostConfig"]["NetworkMode"] != "bridge":
        return None
    from runtime import network  # noqa: PLC0415 - most containers have no bridge
    from runtime.network import files  # noqa: PLC0415

    published = [port for text in plan["Published"] for port in network.parse(text)]
    pid = held.pid
    netns = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        owner = (pid, start_time(pid))
        place = network.attach(places.run, plan["Id"], netns, owner=owner, published=published)
    finally:
        os.close(netns)
    text = files.hosts(plan["Config"]["Hostname"], place.address, plan["ExtraHosts"])
    with open(plan["HostsPath"], "w", encoding="utf-8") as file:
        file.write(text)
    return place.settings()


def take_down(places: Places, plan: Document, container: str) -> None:
    """Give back everything that a run of the container has taken; what it wrote stays."""
    if plan["HostConfig"]["NetworkMode"] == "bridge":
        from runtime import network  # noqa: PLC0415

        network.detach(places.run, container)
    leftover(places, container)


def finish(places: Places, container: str, *, remove: bool) -> int:
    """In the child: take down a container that has ended, and remove it altogether if that was asked for."""
    try:
        plan = documents.plan(places, container)
    except RuntimeFault:
        plan = {"HostConfig": {"NetworkMode": "bridge"}, "Mounts": []}
    take_down(places, plan, container)
    if remove:
        for volume in plan["Mounts"]:
            if volume["Type"] == "volume" and volume.get("Anonymous"):
                remove_tree(os.path.dirname(volume["Source"]))  # noqa: PTH120
        documents.remove(places, container)
    return 0
