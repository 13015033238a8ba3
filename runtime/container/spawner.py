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

if TYPE_CHECKING:
    from types import TracebackType

    from runtime.container.request import Request
    from runtime.container.spec import ContainerSpec, NativeSpec


class Spawner:
    """A context manager around the helper process; at its end every instance is removed and the helper exits.

    `run` and `data` are the roots for records and for writable layers. Starting needs root.
    """

    def __init__(self, run: Path, data: Path) -> None:
        if os.geteuid() != 0:
            raise RuntimeFault("containers need root", kind="host", hint="run it with sudo")
        self._run, self._data = run.absolute(), data.absolute()
        self._hierarchy = detect()
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
        """Start a container; returns once its program has been executed, or raises a RuntimeFault and leaves nothing.

        The descriptors are duplicated; the caller keeps its own.
        """
        return self._start(
            request.container(spec, self._run, self._data, self._hierarchy), (stdin, stdout, stderr)
        )

    def start_native(self, spec: NativeSpec, *, stdin: int, stdout: int, stderr: int) -> Started:
        """Start a bare process on the same path: no namespaces, a cgroup only if the specification asks for one."""
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
    name, host_error = wanted.message["state"]["id"], OSError(err.errno, os.strerror(err.errno))
    if err.stage == "exec":
        return _not_started(err)
    if err.stage == "user":
        return RuntimeFault(
            f"the image has no {err.what}", kind="usage", hint="use one from its /etc/passwd, or a number"
        )
    if err.errno == errno.EEXIST and err.what == wanted.message["run"]:
        return RuntimeFault(
            f"the name {name} is in use", kind="usage", hint=f"remove it: tare container rm {name}"
        )
    if err.stage == "rootfs":
        doing = f"{wanted.steps[err.step].describe()} for {name}"
        if err.errno == errno.EINVAL and wanted.steps[err.step].wire()[0] == "overlay":
            hint = "an overlay can't be the top of another: put the data on ext4, xfs, btrfs or tmpfs with --root"
            return RuntimeFault(f"cannot {doing}: the file system refuses it", kind="host", hint=hint)
        return RuntimeFault.from_os(host_error, doing)
    if err.errno:
        return RuntimeFault.from_os(host_error, f"start {name}: {err.what}")
    return RuntimeFault(f"cannot start {name}: {err.what}", hint="this is a defect of Tare: please report it")


def _not_started(err: Refusal) -> RuntimeFault:
    if err.errno == errno.ENOENT:
        hint = "is it in the image, and its interpreter or loader too? commands are looked up in PATH of the image"
        return RuntimeFault(f"command not found: {err.what}", kind="not-found", hint=hint)
    reason = os.strerror(err.errno)
    hint = "it needs the execute bit, and to be a program for this machine or begin with #!"
    return RuntimeFault(f"cannot execute {err.what}: {reason}", kind="not-executable", hint=hint)
