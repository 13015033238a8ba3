"""The one error that this package raises."""

from __future__ import annotations

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Kind = Literal["usage", "host", "corrupt", "missing", "failed", "not-executable", "not-found"]

_HINTS = {
    errno.ENOSPC: ("host", "the disk is full: free some space, or move the data with --root or TARE_ROOT"),
    errno.EDQUOT: ("host", "the disk quota is used up: free some space, or move the data with --root"),
    errno.EROFS: ("host", "the file system is read-only: choose another place with --root or TARE_ROOT"),
    errno.EACCES: ("host", "run it as root, for example with sudo"),
    errno.EPERM: ("host", "run it as root with all capabilities, for example with sudo"),
}


class RuntimeFault(Exception):  # noqa: N818 - the name says whose fault it is; "RuntimeError" is taken
    """What failed, on which object, in one line; `hint` says what to do about it.

    `kind` is one of: usage (the request is wrong), host (this machine lacks something), corrupt (stored data
    is damaged), missing (a named thing does not exist), failed (the rest), not-executable and not-found (the
    command of a container; shells call these 126 and 127).
    """

    def __init__(self, message: str, *, kind: Kind = "failed", hint: str = "") -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.hint = hint

    @classmethod
    def from_os(cls, err: OSError, doing: str) -> RuntimeFault:
        """Translate an OSError: `doing` is a phrase such as "create cgroup /sys/fs/cgroup/tare/x"."""
        kind, hint = _HINTS.get(err.errno or 0, ("failed", ""))
        reason = err.strerror or str(err)
        return cls(f"cannot {doing}: {reason}", kind=kind, hint=hint)  # type: ignore[arg-type]
