"""What a child does once its root is there and no file of ours is needed: descriptors, signals, umask."""

from __future__ import annotations

import ctypes
import os

from runtime.linux import batch, syscalls

_DUP2, _SIGACTION, _SIGPROCMASK, _UMASK, _CLOSE_RANGE = 33, 13, 14, 95, 436  # x86_64, that has tables
_SIG_SETMASK, _CLOEXEC, _MOST = 2, 4, 0xFFFFFFFF
_SET = 8  # bytes of a set of signals
_UMASK_OF_ALL = 0o022


class Last:
    """Done by a table where there are tables; `signals` are those that have not their default action."""

    __slots__ = ("_signals", "_table")

    def __init__(self, signals: list[int]) -> None:
        self._signals = signals
        self._table = self._made() if batch.possible() else None

    def do(self, stdio: list[int]) -> None:
        """Put three descriptors in their place, mark the others close-on-exec, undo what an exec keeps."""
        # The received descriptors are all above 2: the spawner keeps 0 to 2 open.
        if self._table is None:
            self._step_by_step(stdio)
            return
        for target, fd in enumerate(stdio):
            self._table.give(target, 0, fd)
        stopped = self._table.run()
        if stopped != len(self._table) - 1:
            number = self._table.error(stopped)
            raise OSError(number, os.strerror(number), "standard streams and signals")

    def _step_by_step(self, stdio: list[int]) -> None:
        for target, fd in enumerate(stdio):
            os.dup2(fd, target)
        syscalls.cloexec_from(3)
        syscalls.default_signals(self._signals)
        os.umask(_UMASK_OF_ALL)

    def _made(self) -> batch.Batch:
        found = batch.Batch()
        for target in range(3):
            found.call(_DUP2, -1, target)
        found.call(_CLOSE_RANGE, 3, _MOST, _CLOEXEC)
        default = (ctypes.c_uint64 * 4)()  # struct sigaction of the kernel: SIG_DFL, and nothing else
        for number in self._signals:
            found.call(_SIGACTION, number, default, 0, _SET)
        found.call(_SIGPROCMASK, _SIG_SETMASK, (ctypes.c_uint64 * 1)(), 0, _SET)
        found.call(_UMASK, _UMASK_OF_ALL)
        found.ready()
        return found
