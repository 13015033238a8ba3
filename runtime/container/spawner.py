"""Start containers and bare processes through one small helper process."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.cgroups.hierarchy import detect
from runtime.container import request
from runtime.container.started import Started
from runtime.errors import RuntimeFault
from runtime.process.client import Channel, Refusal
from runtime.rootfs.steps import Overlay

if TYPE_CHECKING:
    from types import TracebackType

    from runtime.cgroups.hierarchy import Hierarchy
    from runtime.container.request import Request
    from runtime.container.spec import ContainerSpec, NativeSpec
    from runtime.rootfs.steps import Step


class Spawner:
    """A context manager around the helper process; at its end every instance is removed and the helper exits.

    `run` and `data` are the roots for records and for writable layers; `hierarchy` is the host's cgroup tree,
    found if not given. Starting needs root.
    """

    def __init__(self, run: Path, data: Path, *, hierarchy: Hierarchy | None = None) -> None:
        if os.geteuid() != 0:
            raise RuntimeFault("containers need root", kind="host", hint="run it with sudo")
        self._run, self._data = run.absolute(), data.absolute()
        self._hierarchy = hierarchy or detect()
        self._channel = Channel()
        self.pid = self._channel.pid

    def __enter__(self) -> Spawner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove every instance and end the helper process."""
        self._channel.close()

    def start(self, spec: ContainerSpec, *, stdin: int, stdout: int, stderr: int) -> Started:
        """Start a container; return once its program has been executed.

        A RuntimeFault leaves nothing behind.

        The descriptors are duplicated; the caller keeps its own.
        """
        return self._start(
            request.container(spec, self._run, self._data, self._hierarchy), (stdin, stdout, stderr)
        )

    def start_native(self, spec: NativeSpec, *, stdin: int, stdout: int, stderr: int) -> Started:
        """Start a bare process on the same path: no namespaces, a cgroup only on request."""
        return self._start(request.native(spec, self._run, self._hierarchy), (stdin, stdout, stderr))

    def _start(self, wanted: Request, stdio: tuple[int, int, int]) -> Started:
        message = wanted.message
        try:
            reply, fds = self._channel.request(message, stdio)
        except Refusal as err:
            raise _translate(err, wanted) from err
        state = {**message["state"], "init": {"pid": reply["pid"], "start": reply["start"]}}
        return Started(self._channel, state, Path(message["run"]), wanted.cgroup, fds[0])


def _translate(err: Refusal, wanted: Request) -> RuntimeFault:
    name = wanted.message["state"]["id"]
    if err.stage == "exec":
        return _not_started(err)
    if err.stage == "user":
        hint = "use one from its /etc/passwd, or a number"
        return RuntimeFault(f"the image has no {err.what}", kind="usage", hint=hint)
    if err.errno == errno.EEXIST and err.what == wanted.message["run"]:
        return RuntimeFault(f"the name {name} is in use", kind="usage", hint=f"tare container rm {name}")
    if err.stage == "rootfs":
        return _not_mounted(err, name, wanted.steps[err.step])
    if err.errno:
        return RuntimeFault.from_os(err.os_error, f"start {name}{f' ({err.what})' if err.what else ''}")
    return RuntimeFault(f"cannot start {name}: {err.what}", hint="this is a defect of Tare: please report it")


def _not_mounted(err: Refusal, name: str, step: Step) -> RuntimeFault:
    doing = f"{step.describe()} for {name}"
    if err.errno == errno.EINVAL and isinstance(step, Overlay):
        hint = "put the data on ext4, xfs, btrfs or tmpfs with --root or TARE_ROOT"
        return RuntimeFault(f"cannot {doing}: its file system can't be the top", kind="host", hint=hint)
    return RuntimeFault.from_os(err.os_error, doing)


def _not_started(err: Refusal) -> RuntimeFault:
    if err.errno == errno.ENOENT:
        hint = "is it in PATH of the image, and are its interpreter and loader in the image?"
        return RuntimeFault(f"command not found: {err.what}", kind="not-found", hint=hint)
    reason = os.strerror(err.errno)
    hint = "it needs the execute bit, and to be a program for this machine or begin with #!"
    return RuntimeFault(f"cannot execute {err.what}: {reason}", kind="not-executable", hint=hint)
