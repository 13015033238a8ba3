"""Signals by name and number, and how the runtime itself takes them."""

from __future__ import annotations

import os

from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn
else:
    # The module behind `signal`, which spends 3 ms on making enumerations of its numbers.
    import _signal as signal

HUP, INT, QUIT, KILL, TERM, CHLD, WINCH = 1, 2, 3, 9, 15, 17, 28
_ENDING = (HUP, QUIT, TERM)
_NOT_FORWARDED = frozenset({KILL, CHLD, 19, 23, 13, 11, 8, 7, 4, 5, 20, 21, 22})
_LAST = 64


def number(text: str) -> int:
    """Return the signal that `text` means: 9, KILL, SIGKILL, RTMIN+3; a usage fault for anything else.

    0 is none, and asks whether the process is there (kill(2)).
    """
    if text.isascii() and text.isdigit():
        found = int(text)
    else:
        name = text.upper().removeprefix("SIG")
        base, sign, offset = name.partition("+") if "+" in name else name.partition("-")
        found = getattr(signal, f"SIG{base}", -1)
        if sign and base in {"RTMIN", "RTMAX"} and offset.isdigit():
            found += int(offset) if sign == "+" else -int(offset)
        elif sign:
            found = -1
    if not 0 <= found <= _LAST:
        raise RuntimeFault(f"unknown signal {text!r}", kind="usage", hint="for example TERM or 15")
    return int(found)


class Ended(KeyboardInterrupt):
    """The runtime was told to end while it made a container: what it took is given back first."""


def end_cleanly() -> None:
    """From now on the signals that ask to end raise `Ended`; a second one has no effect."""
    for one in (*_ENDING, INT):
        if signal.getsignal(one) != signal.SIG_IGN:
            signal.signal(one, _raise)


def _raise(_number: int, _frame: object) -> NoReturn:
    for one in (*_ENDING, INT):
        signal.signal(one, signal.SIG_IGN)
    raise Ended


def changed() -> list[int]:
    """Return the signals that this process does not leave to their default: a child has to give them back."""
    return [one for one in range(1, _LAST + 1) if signal.getsignal(one) != signal.SIG_DFL]


def send(pidfd: int, which: int) -> None:
    """Send a signal to the process behind the descriptor; nothing happens when it has ended."""
    try:
        signal.pidfd_send_signal(pidfd, which)
    except ProcessLookupError:
        return


def forward(pidfd: int) -> None:
    """From now on pass the signals that this process gets on to the one behind the descriptor."""

    def pass_on(which: int, _frame: object) -> None:
        send(pidfd, which)

    for one in range(1, _LAST + 1):
        if one not in _NOT_FORWARDED and not 31 < one < 34:  # noqa: PLR2004 - the C library's own
            signal.signal(one, pass_on)


def wait(pid: int) -> int:
    """Wait until the child has ended; returns its exit code, 128 + n after signal n."""
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code
