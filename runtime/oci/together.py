"""A child that works in this process's memory until it is in the airlock, for the container that most are.

A copy of an interpreter costs a page fault for each page that either side touches: of a start's 20 ms that
is two. `runtime.linux.vfork` says what sharing asks: the child does the parent's part of the conversation
itself, since the parent is suspended; and a child that is killed midway may leave this memory in the midst
of anything, a lock of the C library included. So then this process becomes another one, which removes what
is on record: by a handler of SIGCHLD that takes nothing but two system calls.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import sys

from runtime.linux import vfork
from runtime.linux.processes import myself
from runtime.oci import init, limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any

    from runtime.oci.record import Record
    from runtime.oci.spaces import Spaces
else:
    import _signal as signal

_STACK = 1 << 20  # bytes: half for a thread, half for the child that it makes
_ENOUGH = 32 << 20  # bytes; the kernel kills all who share the memory of one that has too little
_MESSAGE = "the first process was killed before it could start"
_SCRIPT = f'"$@" >/dev/null; echo "tare-oci: {_MESSAGE}" >&2; exit 1'


def possible(spaces: Spaces, config: dict[str, Any], launched: dict[str, Any]) -> bool:
    """Whether nobody else can see the child's memory, and it needs nothing of its parent meanwhile."""
    memory = (((config.get("linux") or {}).get("resources") or {}).get("memory") or {}).get("limit")
    return (
        "pid" in spaces.new
        and not spaces.joined
        and not spaces.new & {"user", "time"}
        and not launched["hooks"]
        and not launched["handover"]
        and not launched["terminal"]
        and (memory is None or memory < 0 or memory >= _ENOUGH)
        and os.uname().machine == "x86_64"
    )


class Alone(init.Line):
    """The child's ends of the pipes where it gives itself what it else waits for."""

    def __init__(self, hear: int, tell: int, held: Record, planned: dict[str, Any]) -> None:
        super().__init__(hear, tell)
        self.held, self._limits = held, planned
        self.mark = ctypes.create_string_buffer(1)

    def begin(self) -> int:
        """Go on record; returns the number on the host."""
        self.held.state["init"] = me = myself()
        self.held.save()
        return me["pid"]

    def wait(self, permission: bytes) -> None:
        """Do what the parent does before it gives this permission."""
        if permission == init.LIMITED:
            limits.impose(0, self._limits)

    def settle(self) -> None:
        """Note that what follows is the exec, or the end after a report."""
        self.mark[0] = b"\1"


class Birth:
    """One birth, on a thread that ends with it: an exec leaves frames of the child on the thread's state."""

    def __init__(self, launched: dict[str, Any], line: Alone, flags: int, cgroup: int | None) -> None:
        self._launched, self._line, self._flags, self._cgroup = launched, line, flags, cgroup
        self._done = _thread.allocate_lock()
        self._outcome: tuple[int, int] | BaseException
        self._removal = _Removal(line)

    def give(self) -> tuple[int, int]:
        """Make the child; returns its pid and a pidfd when it is in the airlock or has ended."""
        vfork.end_at_a_fault(self._removal.address)
        vfork.handle(signal.SIGCHLD, self._removal.address)
        self._done.acquire()
        _thread.stack_size(_STACK)
        _thread.start_new_thread(self._turn, ())
        self._done.acquire()
        vfork.handle(signal.SIGCHLD, None)
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome

    def _turn(self) -> None:
        try:
            # No handler of ours may run in the child. The thread ends soon, so it misses no signal.
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - vfork.FAULTS)
            self._outcome = vfork.spawn(
                vfork.Stack(), self._flags, self._run, lambda: self._line.mark[0] == b"\1",
                cgroup=self._cgroup, torn=self._removal,
            )  # fmt: skip
        except BaseException as err:  # noqa: BLE001 - it is raised where somebody waits
            self._outcome = err
        finally:
            self._done.release()

    def _run(self) -> None:
        init.run(self._launched, self._line)


class _Removal:
    """The exec of a command that removes the container, says why, and fails; made ready before."""

    def __init__(self, line: Alone) -> None:
        held = line.held
        given = len(sys.argv) - 1
        common = sys.orig_argv[: len(sys.orig_argv) - given]
        root = held.directory.rpartition("/")[0]
        command = ["sh", "-c", _SCRIPT, "sh", *common, "--root", root, "delete", "--force", held.id]
        self._argv = _strings(command)
        self._envp = _strings([f"{key}={value}" for key, value in os.environ.items()])
        self._shell = ctypes.create_string_buffer(b"/bin/sh")
        places = map(ctypes.addressof, (self._shell, self._argv, self._envp, line.mark))
        self.address = vfork.leap(*places)

    def __call__(self) -> None:
        """Become it."""
        ctypes.CFUNCTYPE(None)(self.address)()


def _strings(texts: list[str]) -> Any:  # noqa: ANN401 - an array of C strings
    return (ctypes.c_char_p * (len(texts) + 1))(*map(os.fsencode, texts), None)
