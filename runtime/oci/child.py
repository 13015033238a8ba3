"""The parent's side of a child between its birth and its airlock: the two pipes, and what is said on them."""

from __future__ import annotations

import errno
import os

from runtime.cgroups import doors
from runtime.errors import RuntimeFault
from runtime.linux.processes import start_time
from runtime.oci import birth, init, together
from runtime.process import lean_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runtime.oci.record import Record

_STAGES = {
    "setup": "prepare",
    "user": "change to the user of",
    "rootfs": "mount",
    "sysctl": "set linux.sysctl of",
}


class Child:
    """A process between clone and airlock, and the pipes to it; as a context manager, they are closed."""

    def __init__(self, pid: int, pidfd: int, hear: int, tell: int) -> None:
        self.pid, self.pidfd = pid, pidfd
        self.start = start_time(pid)
        self._hear, self._tell, self._rest = hear, tell, b""

    @classmethod
    def fork(
        cls,
        launch: dict[str, Any],
        flags: int,
        elsewhere: dict[str, int],
        cgroups: tuple[str | None, list[str]],
        shared: Record | None = None,
    ) -> Child:
        """Make the process, in the pid and user namespaces of `elsewhere`; it waits until `go`.

        With `shared`, its record, it shares this memory instead (`oci.together`), goes on record by itself,
        and is in the airlock or at its end when this returns.

        `cgroups` are the v2 directory that it is born in, and the v1 ones that it goes into by itself.
        """
        cgroup, joined = cgroups
        launch["doors"] = doors.open_all(joined)
        hear, told = os.pipe2(os.O_CLOEXEC)
        heard, tell = os.pipe2(os.O_CLOEXEC)
        launch["close"] = [hear, tell]
        born_in = os.open(cgroup, os.O_PATH | os.O_CLOEXEC) if cgroup else None
        try:
            if shared:
                line = together.Alone(heard, told, shared, launch["limits"])
                pid, pidfd = together.Birth(launch, line, flags, born_in).give()
            else:
                pid, pidfd = birth.give(
                    lambda: init.run(launch, init.Line(heard, told)),
                    flags, elsewhere, launch["offsets"], born_in,
                )  # fmt: skip
        except BaseException:
            os.close(hear)
            os.close(tell)
            raise
        finally:
            os.close(told)
            os.close(heard)
            doors.close(launch["doors"])
            if born_in is not None:
                os.close(born_in)
        return cls(pid, pidfd, hear, tell)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in (self._hear, self._tell, self.pidfd):
            os.close(fd)

    def go(self) -> None:
        """Let it begin, once it is on record; it learns its number on the host."""
        self._send(init.GO + f"{self.pid:010d}".encode())

    def permit(self, permission: bytes) -> None:
        """Let it go on after it has stopped for `permission`."""
        self._send(permission)

    def follow(
        self, name: str, steps: list[Any], hooks: Callable[[], None], listen: Callable[[Child], None]
    ) -> None:
        """Read its reports until it is in the airlock; its failure is raised, naming the container."""
        while line := self._line():
            message = lean_json.loads(line)
            if "error" in message:
                raise fault(name, steps, **message["error"])
            if "hooks" in message:
                hooks()
                self.permit(init.HOOKS_RAN)
            if "listener" in message:
                listen(self)
            if "ready" in message:
                return

    def _send(self, data: bytes) -> None:
        try:
            os.write(self._tell, data)
        except BrokenPipeError:
            return  # it has ended; its report says why

    def _line(self) -> bytes:
        while b"\n" not in self._rest:
            more = os.read(self._hear, 1 << 16)
            if not more:
                return b""
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line


def fault(name: str, steps: list[Any], *, stage: str, errno: int, what: str, step: int = -1) -> RuntimeFault:
    """Translate a child's report."""
    if stage == "exec":
        return _exec_fault(errno, what)
    if stage == "fault":
        return RuntimeFault(what)
    if stage == "internal":
        return RuntimeFault(f"cannot start {name}: {what}", hint="this is a defect of tare-oci")
    reason = os.strerror(errno) if errno else "failed"
    if stage == "cwd":
        return RuntimeFault(
            f"process.cwd {what}: {reason}", kind="usage", hint="it has to be in the container"
        )
    if 0 <= step < len(steps):
        return RuntimeFault(f"cannot {steps[step].describe()}: {what}: {reason}")
    return RuntimeFault(f"cannot {_STAGES.get(stage, stage)} {name}: {what}: {reason}")


def _exec_fault(number: int, what: str) -> RuntimeFault:
    # podman and docker look for these very words to tell exit code 127 from 126.
    if number != errno.ENOENT:
        return RuntimeFault(f'exec: "{what}": {os.strerror(number).lower()}', kind="not-executable")
    if "/" in what:
        return RuntimeFault(f'exec: "{what}": stat {what}: no such file or directory', kind="not-found")
    return RuntimeFault(f'exec: "{what}": executable file not found in $PATH', kind="not-found")
