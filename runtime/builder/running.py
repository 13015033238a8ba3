"""Who runs a RUN's command: the spawner of the host's root, or `tare-oci` in a user's own namespace."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from runtime.builder.command import CommandFailedError
from runtime.builder.unprivileged import Unprivileged
from runtime.container.spawner import Spawner
from runtime.errors import RuntimeFault
from runtime.linux import userns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

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


@contextmanager
def opened(run: Path, data: Path) -> Iterator[Runner]:
    """Yield what runs commands here; `run` and `data` are the roots for records and files."""
    if not userns.privileged():
        runner = Unprivileged(run, data)
        try:
            yield runner
        finally:
            runner.close()
        return
    with Spawner(run, data) as spawner:
        yield _Privileged(spawner)


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
                raise CommandFailedError(status.shell_code)
            if started.upper is None:
                raise RuntimeFault(f"container {started.id} has no layer of its own")
            yield started.upper

    def close(self) -> None:
        self._spawner.close()
