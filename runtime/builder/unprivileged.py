"""RUN for an ordinary user: an overlay in his own namespaces, and `tare-oci` in it.

The process is root of its user namespace (`runtime.rootless.enter`), so files keep the owners that the image
gives them and a layer is the same, byte for byte, as one that the host's root makes. There is no cgroup; what
a command leaves running is ended by the end of its pid namespace.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.builder.box import config
from runtime.builder.command import CommandFailedError
from runtime.builder.tree import Tree
from runtime.container import scratch
from runtime.environment import inherited
from runtime.errors import RuntimeFault
from runtime.linux import mounts, syscalls
from runtime.linux.processes import alive, start_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.container.spec import ContainerSpec

_PROGRAM = "import sys; from runtime.oci.main import main; sys.exit(main())"
_NAME = re.compile(r"build-(\d+)-(\d+)-.+")


class Unprivileged:
    """Runs commands for a process that is root of a user namespace and may mount in it.

    Records are below `run`, files below `data`; those that a dead build left in either are removed at once.
    """

    def __init__(self, run: Path, data: Path) -> None:
        self._records, self._data = run / "builds", data
        self._records.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock, self._closed = threading.Lock(), False
        self._remove_dead()
        scratch.prune(data)

    @contextmanager
    def changes(self, spec: ContainerSpec, output: int) -> Iterator[Path]:
        """As `Runner.changes`."""
        with scratch.scratch(self._data) as place:
            upper, work, root = (place / name for name in ("upper", "work", "rootfs"))
            for path in (upper, work, root):
                path.mkdir()
            upper.chmod(0o755)
            mounts.overlay([str(layer) for layer in spec.layers], str(upper), str(work), str(root))
            try:
                document = json.dumps(config(spec, Tree(spec.layers), root="rootfs"))
                (place / "config.json").write_text(document)
                code = self._run(spec.id, place, output)
            finally:
                syscalls.umount(str(root), mounts.DETACH)
            if code:
                raise CommandFailedError(code)
            yield upper

    def close(self) -> None:
        """End every command."""
        with self._lock:
            self._closed = True
            names = list(self._running)
        for name in names:
            self._delete(_container(name))

    def _run(self, name: str, bundle: Path, output: int) -> int:
        with self._lock:
            if self._closed:
                raise CommandFailedError(128 + signal.SIGKILL)
            logged = ["--log", str(bundle / "log"), "--log-format", "json"]
            command = [*logged, "run", "--bundle", str(bundle), _container(name)]
            process = self._running[name] = self._start(command, output)
        try:
            code = process.wait()
        finally:
            with self._lock:
                del self._running[name]
        if code and (said := _own_error(bundle / "log")):
            raise RuntimeFault(said)
        return code

    def _start(self, words: list[str], output: int) -> subprocess.Popen[bytes]:
        # The environment is that of tare-oci alone; the command has its own, from config.json.
        command = [sys.executable, "-c", _PROGRAM, "--root", str(self._records), *words]
        search = os.pathsep.join(filter(None, sys.path)) or str(Path(__file__).parents[2])
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env={**inherited(), "PYTHONPATH": search},
        )  # fmt: skip

    def _delete(self, name: str) -> None:
        with Path(os.devnull).open("wb") as nowhere:
            self._start(["delete", "--force", name], nowhere.fileno()).wait()

    def _remove_dead(self) -> None:
        for path in self._records.iterdir():
            named = _NAME.fullmatch(path.name)
            if named and not alive(int(named[1]), int(named[2])):
                self._delete(path.name)


def _own_error(log: Path) -> str:
    """Return what tare-oci itself failed with, which ends it like a command that failed."""
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return next((line["msg"] for line in lines if line["level"] == "error"), "")


def _container(name: str) -> str:
    """Return the name of the record, which says whose it is."""
    return f"build-{os.getpid()}-{start_time(os.getpid())}-{name.rpartition('-')[2]}"
