"""Hooks: programs that run at points of a container's life (config.md, POSIX-platform Hooks).

They run one after the other, each with the container's state as its standard input. This code also runs in
the child, for createContainer and startContainer, so it touches little.
"""

from __future__ import annotations

import os
import select
import signal

from runtime.errors import RuntimeFault
from runtime.process import lean_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STAGES = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
# runtime.md, Lifecycle, 9 and 13: a failure is a warning, and the remaining hooks run. The other stages end
# the container at the first failure.
FORGIVING = ("poststart", "poststop")
_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
_TAIL = 2000  # bytes of a failed hook's output that are worth repeating


def check(hooks: dict[str, Any]) -> None:
    """Check the `hooks` of a config.json; RuntimeFault names what is wrong."""
    for stage in STAGES:
        for index, hook in enumerate(hooks.get(stage) or ()):
            where = f"config.json: hooks.{stage}[{index}]"
            if not str(hook.get("path", "")).startswith("/"):
                raise RuntimeFault(f"{where}.path must be an absolute path", kind="usage")
            timeout = hook.get("timeout")
            if timeout is not None and timeout <= 0:
                raise RuntimeFault(f"{where}.timeout must be greater than zero", kind="usage")
            for entry in hook.get("env") or ():
                if "=" not in entry:
                    raise RuntimeFault(f"{where}.env holds {entry!r}, which lacks a =", kind="usage")


def run(hooks: list[dict[str, Any]], state: dict[str, Any], *, where: str) -> list[str]:
    """Run the hooks of the stage `where` in order; returns warnings, which only forgiving stages have.

    RuntimeFault at the first failure of another stage: a hook that can't start, does not exit with 0, or
    takes longer than its `timeout` seconds, after which it and its process group are killed.
    """
    warnings = []
    for index, hook in enumerate(hooks):
        problem = _run(hook, lean_json.dumps(state).encode())
        if problem:
            text = f"{where} hook {index} ({hook['path']}) {problem}"
            if where not in FORGIVING:
                raise RuntimeFault(text)
            warnings.append(text)
    return warnings


def _run(hook: dict[str, Any], state: bytes) -> str:
    """Run one hook; returns what went wrong with it."""
    # Files, not pipes: a hook that does not read its state, or leaves a daemon behind, blocks nobody.
    stdin, output = os.memfd_create("state"), os.memfd_create("output")
    try:
        with open(stdin, "wb", closefd=False) as file:
            file.write(state)
        os.lseek(stdin, 0, os.SEEK_SET)
        pid = _spawn(hook, stdin, output)
        status = _wait(pid, hook.get("timeout"))
        problem = f"took longer than {hook['timeout']} s" if status is None else _ending(status)
        return problem and problem + _said(output)
    except OSError as err:
        return f"could not be started: {err.strerror}"
    finally:
        os.close(stdin)
        os.close(output)


def _spawn(hook: dict[str, Any], stdin: int, output: int) -> int:
    path = hook["path"]
    env = dict(entry.split("=", 1) for entry in hook.get("env") or ())
    actions = [(os.POSIX_SPAWN_DUP2, fd, target) for fd, target in ((stdin, 0), (output, 1), (output, 2))]
    return os.posix_spawn(
        path, hook.get("args") or [path], env,
        file_actions=actions, setpgroup=0, setsigmask=(), setsigdef=_SIGNALS,
    )  # fmt: skip


def _wait(pid: int, timeout: int | None) -> int | None:
    """Return the wait status; None after killing what took longer than `timeout` seconds."""
    pidfd, ended = os.pidfd_open(pid), False
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        ended = bool(poll.poll(None if timeout is None else timeout * 1000))
    finally:
        # Also when interrupted, say by Ctrl-C: a hook of a container that won't be must not go on.
        if not ended:
            os.killpg(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        os.close(pidfd)
    return status if ended else None


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"exited with {code}" if code else ""


def _said(output: int) -> str:
    size = os.fstat(output).st_size
    text = os.pread(output, _TAIL, max(0, size - _TAIL)).decode(errors="replace").strip()
    return f": {text}" if text else ""
