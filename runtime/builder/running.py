"""Who runs a RUN's command: the spawner of the host's root, or `tare-oci` in a user's own namespace."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from runtime.errors import RuntimeFault
from runtime.linux import userns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from runtime.container.spawner import Spawner
    from runtime.container.spec import ContainerSpec


class Runner(Protocol):
    """Runs commands in containers, several at once."""

    def changes(self, spec: ContainerSpec, output: int) -> AbstractContextManager[Path]:
        """Run a command whose output goes to that descriptor.

        Yields the directory with what it changed, an overlay's upper one, which is gone afterwards.
        CommandFailedError tells the exit code.
        """

    def close(self) -> None:
        """End every command; nothing of them stays."""


class Deferred:
    """A runner that is made when the first command is run: a build that finds all in its cache needs none.

    `run` and `data` are the roots for records and files. As a context manager it closes what was made.
    """

    def __init__(self, run: Path, data: Path) -> None:
        self._run, self._data = run, data
        self._lock = threading.Lock()
        self._made: Runner | None = None
        self._closed = False

    def __enter__(self) -> Deferred:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @contextmanager
    def changes(self, spec: ContainerSpec, output: int) -> Iterator[Path]:
        """As `Runner.changes`."""
        with self._runner().changes(spec, output) as upper:
            yield upper

    def close(self) -> None:
        """As `Runner.close`; from then on nothing is run."""
        with self._lock:
            made, self._made, self._closed = self._made, None, True
        if made:
            made.close()

    def _runner(self) -> Runner:
        with self._lock:
            if self._closed:
                raise RuntimeFault("the build has been ended")
            if self._made is None:
                self._made = _made(self._run, self._data)
            return self._made


def _made(run: Path, data: Path) -> Runner:
    if userns.privileged():
        from runtime.container.spawner import Spawner  # noqa: PLC0415 - where all is cached nothing is run

        return _Privileged(Spawner(run, data))
    from runtime.builder.unprivileged import Unprivileged  # noqa: PLC0415 - as above

    return Unprivileged(run, data)


class _Privileged:
    def __init__(self, spawner: Spawner) -> None:
        self._spawner = spawner

    @contextmanager
    def changes(self, spec: ContainerSpec, output: int) -> Iterator[Path]:
        stdin = os.open(os.devnull, os.O_RDONLY)
        try:
            started = self._spawner.start(spec, stdin=stdin, stdout=output, stderr=output)
        finally:
            os.close(stdin)
        with started:
            status = started.wait()
            if status.shell_code:
                from runtime.builder.command import CommandFailedError  # noqa: PLC0415 - it imports containers

                raise CommandFailedError(status.shell_code)
            if started.upper is None:
                raise RuntimeFault(f"container {started.id} has no layer of its own")
            yield started.upper

    def close(self) -> None:
        self._spawner.close()
