"""`run -t` in the foreground: the user's terminal, raw, joined to the container's (cfmakeraw(3))."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import termios
import tty

from runtime.oci import console

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 65536


@contextlib.contextmanager
def raw(fd: int) -> Iterator[None]:
    """Put a terminal into raw mode and back on every way out; other files are left alone."""
    if not os.isatty(fd):
        yield
        return
    before = termios.tcgetattr(fd)
    try:
        tty.setraw(fd, termios.TCSANOW)
        yield
    finally:
        # Without the signal blocked, a runtime in the background would stop here rather than restore.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@contextlib.contextmanager
def sized(outer: int, master: int) -> Iterator[None]:
    """Keep the container's terminal as large as the user's."""
    if not os.isatty(outer):
        yield
        return

    def follow(*_: object) -> None:
        with contextlib.suppress(OSError):
            console.resize(master, *console.size_of(outer))

    before = signal.signal(signal.SIGWINCH, follow)
    try:
        follow()
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


def relay(master: int, ended: int, stdin: int = 0, stdout: int = 1) -> None:
    """Copy both ways until the container's terminal hangs up or its process ended (a pidfd), output drained.

    The master may be written to only as far as it takes: a program that does not read must not keep its own
    output from being shown.
    """
    os.set_blocking(master, False)
    with raw(stdin), sized(stdin, master):
        _copy(master, ended, stdin, stdout)


def _copy(master: int, ended: int, stdin: int, stdout: int) -> None:
    poll, pending, listening = select.poll(), b"", True
    poll.register(ended, select.POLLIN)
    while True:
        poll.register(master, select.POLLIN | (select.POLLOUT if pending else 0))
        if listening and not pending:
            poll.register(stdin, select.POLLIN)
        ready = dict(poll.poll())
        if ready.get(master, 0) & (select.POLLIN | select.POLLHUP | select.POLLERR):
            if not _show(master, stdout):
                return
        elif ended in ready:
            return
        if pending and ready.get(master, 0) & select.POLLOUT:
            pending = pending[_offer(master, pending) :]
        if stdin in ready:
            pending = os.read(stdin, _CHUNK)
            listening = bool(pending)
            poll.unregister(stdin)


def _show(master: int, stdout: int) -> bool:
    """Copy what the container wrote; False once its terminal has hung up (EIO)."""
    try:
        text = os.read(master, _CHUNK)
    except BlockingIOError:
        return True
    except OSError as err:
        if err.errno == errno.EIO:
            return False
        raise
    while text:
        text = text[os.write(stdout, text) :]
    return True


def _offer(master: int, text: bytes) -> int:
    try:
        return os.write(master, text)
    except BlockingIOError:
        return 0
    except OSError as err:
        if err.errno == errno.EIO:
            return len(text)
        raise
