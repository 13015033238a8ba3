"""The keeper's loop: descriptors, timers, children; one thread, and nothing that waits but the poll."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import traceback

from runtime.linux import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PDEATHSIG = 1


class Loop:
    """What is waited for, and what is done then."""

    def __init__(self) -> None:
        self.poll = select.poll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._timers: list[tuple[float, Callable[[], None]]] = []
        self._woken, self._waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        self.watch(self._woken, self._wake)

    def watch(self, fd: int, callback: Callable[[], None]) -> None:
        """Call back whenever there is something to read."""
        self._callbacks[fd] = callback
        self.poll.register(fd, select.POLLIN)

    def unwatch(self, fd: int) -> None:
        """Forget a descriptor that is about to be closed."""
        del self._callbacks[fd]
        self.poll.unregister(fd)

    def at(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back after so many seconds."""
        self._timers.append((time.monotonic() + seconds, callback))

    def wait(self) -> Iterator[tuple[int, int]]:
        """Wait for something; yields events at descriptors that were registered without a callback."""
        for fd, events in self.poll.poll(self._patience()):
            if fd in self._callbacks:
                self._callbacks[fd]()
            else:
                yield fd, events

    def ring(self) -> None:
        """Do what is due by time."""
        now = time.monotonic()
        due = [timer for timer in self._timers if timer[0] <= now]
        self._timers = [timer for timer in self._timers if timer[0] > now]
        for _, callback in due:
            callback()

    def _patience(self) -> int | None:
        if not self._timers:
            return None
        soonest = min(when for when, _ in self._timers)
        return max(0, int((soonest - time.monotonic()) * 1000) + 1)

    def _wake(self) -> None:
        os.read(self._woken, 4096)

    def fork(self, task: Callable[[], int], closing: set[int]) -> int:
        """Do a task in a child, without the descriptors `closing`; returns its number. It dies with us."""
        me = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            syscalls.prctl(_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != me:  # killed before: no signal comes, and the lock would be held
                os._exit(1)
            for fd in {self._woken, self._waker} | closing:
                os.close(fd)
            code = task()
        except BaseException:  # noqa: BLE001 - it must never return into the loop
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)


def ended_children() -> Iterator[tuple[int, int]]:
    """Yield the number and the status of each child that has ended; a subreaper has others' children too."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, status
