"""Start containers and bare processes through one small helper process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from weakref import WeakSet

from runtime.cgroups.hierarchy import detect
from runtime.container import faults
from runtime.container.request import Requests
from runtime.container.started import Started
from runtime.errors import RuntimeFault
from runtime.process.client import Channel, Refusal

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from runtime.cgroups.hierarchy import Hierarchy
    from runtime.container.request import Request
    from runtime.container.spec import ContainerSpec, NativeSpec


class Spawner:
    """A context manager around the helper process; at its end every instance is removed and the helper exits.

    `run` and `data` are the roots for records and for writable layers; `hierarchy` is the host's cgroup tree,
    found if not given. Starting needs root.
    """

    def __init__(self, run: Path, data: Path, *, hierarchy: Hierarchy | None = None) -> None:
        if os.geteuid() != 0:
            raise RuntimeFault("containers need root", kind="host", hint="run it with sudo")
        self._requests = Requests(run.absolute(), data.absolute(), hierarchy or detect())
        self._channel = Channel()
        self._started: WeakSet[Started] = WeakSet()
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
        for started in self._started:
            started.release()

    def start(self, spec: ContainerSpec, *, stdin: int, stdout: int, stderr: int) -> Started:
        """Start a container; return once its program has been executed.

        A RuntimeFault leaves nothing behind.

        The descriptors are duplicated; the caller keeps its own.
        """
        return self._launch(self._requests.of(spec), (stdin, stdout, stderr))

    def start_native(self, spec: NativeSpec, *, stdin: int, stdout: int, stderr: int) -> Started:
        """Start a bare process on the same path: no namespaces, a cgroup only on request."""
        return self._launch(self._requests.of(spec), (stdin, stdout, stderr))

    def _launch(self, wanted: Request, stdio: tuple[int, int, int]) -> Started:
        message = wanted.message
        try:
            first, pidfd = self._channel.start(message, stdio)
        except Refusal as err:
            raise faults.translate(err, wanted) from err
        state = {**message["state"], "init": first}
        started = Started(self._channel, state, message["run"], wanted.cgroup, pidfd)
        self._started.add(started)
        return started
