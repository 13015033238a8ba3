"""A runtime as a black box: its command line, and the containers that tests make with it."""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.conformance.bundle import Bundle
from tests.conformance.groups import Groups

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

TIMEOUT = 15.0  # seconds; a command of a runtime takes 0.1


@dataclass(frozen=True)
class Result:
    """Exit code and output of one command."""

    code: int
    out: str
    err: str

    def must_work(self) -> Result:
        """Fail with the command's own words unless it worked."""
        assert self.code == 0, f"exit {self.code}: {self.err}{self.out}"
        return self


class Runtime:
    """One executable with a state folder of its own, and every container that was made with it."""

    def __init__(self, program: str, scratch: Path) -> None:
        self.program, self.scratch = program, scratch
        self.root = scratch / "state"
        self.parent = f"conformance-{os.getpid()}"
        self.proven: set[str] = set()
        self._count = itertools.count(1)
        self._boxes: list[Box] = []

    def __call__(self, *args: str, before: Sequence[str] = (), **changes: Any) -> Result:
        """Run `program --root … before… args…`; files, since a container keeps what it inherits."""
        return self.shell([self.program, "--root", str(self.root), *before, *args], **changes)

    def shell(self, command: Sequence[str], **changes: Any) -> Result:
        """Run any command the same way."""
        number = next(self._count)
        names = [self.scratch / f"{number}.{name}" for name in ("out", "err")]
        with names[0].open("wb") as out, names[1].open("wb") as err:
            streams = {
                "stdin": subprocess.DEVNULL,
                "stdout": out,
                "stderr": err,
                "timeout": TIMEOUT,
                **changes,
            }
            code = subprocess.run(command, check=False, **streams).returncode
        result = Result(code, *(name.read_text(errors="replace") for name in names))
        for name in names:
            name.unlink()
        return result

    def box(self, script: str | None = None) -> Box:
        """A container to be, that runs `script` in a shell."""
        name = f"cf{os.getpid()}-{next(self._count)}"
        box = Box(self, name)
        self._boxes.append(box)
        if script is not None:
            box.process["args"] = ["/bin/sh", "-c", script]
        return box

    def output(self, script: str, change: Callable[[dict[str, Any]], object] | None = None) -> str:
        """What `script` prints in a container of the base configuration as changed by `change`."""
        box = self.box(script)
        if change:
            change(box.config)
        return box.output()

    def refused(
        self,
        change: Callable[[dict[str, Any]], object],
        *,
        base: Callable[[dict[str, Any]], object] | None = None,
    ) -> Result:
        """The configuration works, and once `change` was made it is an error that leaves nothing behind.

        A fault that only the program's start shows (a `create` can't know it) may come with `start`.
        """
        good, bad = self.box(), self.box()
        for box in (good, bad):
            if base:
                base(box.config)
        self._prove(good)
        change(bad.config)
        result = bad.create()
        if result.code == 0:
            result = bad.start()
            assert result.code != 0, "both create and start took it"
            bad.kill("KILL")
            bad.wait()
            bad.delete().must_work()
        assert bad.is_gone(), "the refused container is still there"
        assert result.err.strip(), "refused without a word"
        return result

    def _prove(self, box: Box) -> None:
        config = copy.deepcopy(box.config)
        config["linux"].pop("cgroupsPath", None)
        key = json.dumps(config, sort_keys=True)
        if key not in self.proven:
            box.create().must_work()
            box.start().must_work()
            box.wait()
            box.delete().must_work()
            self.proven.add(key)

    def discard(self) -> None:
        """End and remove what the last test made."""
        for box in self._boxes:
            box.discard()
        self._boxes.clear()


class Box:
    """One container of a runtime; nothing is written before its first command."""

    def __init__(self, runtime: Runtime, name: str) -> None:
        self.runtime, self.id = runtime, name
        self.cgroups_path = f"/{runtime.parent}/{name}"
        self.groups = Groups(self.cgroups_path)
        self.bundle = Bundle(runtime.scratch / f"bundle-{name}", self.cgroups_path)
        self.config = self.bundle.config
        self.process: dict[str, Any] = self.config["process"]
        self.linux: dict[str, Any] = self.config["linux"]
        self.stdout = self.bundle.path / "stdout"
        self.stderr = self.bundle.path / "stderr"

    def __call__(self, verb: str, *args: str, **changes: Any) -> Result:
        """`verb ID args…`."""
        return self.runtime(verb, self.id, *args, **changes)

    def create(self, *options: str, **changes: Any) -> Result:
        """Write the configuration and create; the container's own output goes to files of the bundle."""
        self.bundle.write()
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            streams = {"stdout": out, "stderr": err, **changes}
            args = ("create", "--bundle", str(self.bundle.path), *options, self.id)
            code = self.runtime(*args, **streams).code
        return Result(code, "", self.stderr.read_text(errors="replace"))

    def run(self, *options: str, **changes: Any) -> Result:
        """Write the configuration and run in the foreground."""
        self.bundle.write()
        return self.runtime("run", "--bundle", str(self.bundle.path), *options, self.id, **changes)

    def output(self) -> str:
        """What the program prints, which has to work."""
        return self.run().must_work().out

    def start(self) -> Result:
        return self("start")

    def launch(self) -> Box:
        """Create and start, both of which have to work."""
        self.create().must_work()
        self.start().must_work()
        return self

    def kill(self, *signal_name: str) -> Result:
        return self("kill", *signal_name)

    def delete(self, *options: str) -> Result:
        return self.runtime("delete", *options, self.id)

    def state(self) -> dict[str, Any]:
        """The state as the runtime tells it."""
        found: dict[str, Any] = json.loads(self("state").must_work().out)
        return found

    def status(self) -> str:
        return str(self.state()["status"])

    def wait(self, timeout: float = 5.0) -> None:
        """Return when the container's process has ended."""
        pid = self.state().get("pid", 0)
        if not pid:
            return
        with contextlib.suppress(ProcessLookupError):
            watch = os.pidfd_open(pid)
            try:
                assert select.select([watch], [], [], timeout)[0], "the container's process goes on"
            finally:
                os.close(watch)

    def wait_for(self, words: str, timeout: float = 5.0) -> str:
        """Return what the program printed once `words` are among it."""
        end = time.monotonic() + timeout
        while words not in (text := self.stdout.read_text()):
            assert time.monotonic() < end, f"no {words!r} in {text!r}"
            time.sleep(0.01)
        return text

    def is_gone(self) -> bool:
        """Neither known to the runtime, nor with a state folder or a cgroup."""
        return (
            self("state").code != 0 and not (self.runtime.root / self.id).exists() and not self.groups.exist()
        )

    def discard(self) -> None:
        """Whatever happened, let nothing of it be left."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.delete("--force")
        self.groups.remove()
        shutil.rmtree(self.bundle.path, ignore_errors=True)


def holder(*unshare: str) -> subprocess.Popen[bytes]:
    """A process in new namespaces; the caller ends it with `stop`."""
    script = ["sh", "-c", "echo ready; exec sleep 60"]
    process = subprocess.Popen(["unshare", *unshare, *script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()
