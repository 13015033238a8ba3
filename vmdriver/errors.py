"""The one exception of this package, and what it tells the person who reads it."""

from __future__ import annotations

import errno
from typing import Literal

Kind = Literal["usage", "host", "corrupt", "missing", "failed", "not-executable", "not-found"]


class MachineFault(Exception):  # noqa: N818  (a fault is what it is called everywhere)
    """A virtual machine, or something that it needs, could not be had.

    `str(fault)` says in one line what failed on which object, `hint` what to do about it, and `kind`
    sorts the cause, so that a command line can choose its exit code.
    """

    def __init__(self, message: str, *, kind: Kind = "failed", hint: str = "") -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.hint = hint


def from_os(error: OSError, doing: str) -> MachineFault:
    """Translate an operating system error that came up while `doing` something to an object."""
    text = f"{doing}: {error.strerror or error}"
    hints = {
        "ENOSPC": "free some space, or move everything with --root or TARE_ROOT",
        "EACCES": "run as root",
        "EPERM": "run as root",
        "EROFS": "choose a writable directory with --root or TARE_ROOT",
    }
    name = errno.errorcode.get(error.errno or 0, "")
    return MachineFault(text, kind="host", hint=hints.get(name, ""))
