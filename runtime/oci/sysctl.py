"""`linux.sysctl`: kernel parameters that a namespace has for itself (config-linux.md, Sysctl).

A parameter of the whole host is refused: setting it would change the host, and every other container.
"""

from __future__ import annotations

import errno
import os

from runtime.errors import RuntimeFault
from runtime.linux import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_PROC_MAGIC = 0x9FA0
# ipc/ipc_sysctl.c and ipc/mq_sysctl.c: what each IPC namespace has
_IPC = (
    "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem", "kernel/shmall", "kernel/shmmax",
    "kernel/shmmni", "kernel/shm_rmid_forced", "kernel/msg_next_id", "kernel/sem_next_id",
    "kernel/shm_next_id", "kernel/auto_msgmni",
)  # fmt: skip
_TREES = (("net/", "network"), ("fs/mqueue/", "ipc"), ("user/", "user"))


def plan(parameters: dict[str, str], owned: set[str]) -> list[list[str]]:
    """Return pairs of a path below /proc/sys and a value; RuntimeFault names what isn't the container's own.

    `owned` are the types of namespace that the container has apart from the host's, be they new or joined.
    """
    found = []
    for name, value in parameters.items():
        if not isinstance(value, str):
            _refuse(name, "must be a string")
        path = _path(name)
        needed = _namespace(path)
        if path == "kernel/hostname":
            _refuse(name, "would contradict hostname", hint="set hostname instead")
        if needed is None:
            _refuse(name, "belongs to the whole host, not to a namespace")
        if needed not in owned:
            _refuse(name, "would change the host's", hint=f"give the container a namespace of type {needed}")
        found.append([path, value])
    return found


def write(planned: list[list[str]]) -> None:
    """In the child, in its namespaces, before the change of root: /proc/sys shows the caller's namespaces.

    The host's /proc is used for it, and looked at: a /proc of the image may be anything. OSError names the
    path.
    """
    for path, value in planned:
        _write(f"/proc/sys/{path}", value.encode())


def _write(path: str, value: bytes) -> None:
    fd = _open(path)
    try:
        os.write(fd, value)
    except OSError as err:
        raise OSError(err.errno or 0, err.strerror or "", path) from err
    finally:
        os.close(fd)


def _open(path: str) -> int:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    if syscalls.filesystem_magic(fd) == _PROC_MAGIC:
        return fd
    os.close(fd)
    raise OSError(errno.EINVAL, "is in no file system of type proc", path)


def _path(name: str) -> str:
    """Return the path of a parameter: its first separator is the one that parts it (sysctl.d(5))."""
    first = next((letter for letter in name if letter in "./"), "")
    path = name if first == "/" else name.translate(str.maketrans("./", "/."))
    if not all(part not in {"", ".", ".."} for part in path.split("/")) or "\0" in path:
        _refuse(name, "is no name of a parameter")
    return path


def _namespace(path: str) -> str | None:
    if path in _IPC:
        return "ipc"
    if path in {"kernel/domainname", "kernel/hostname"}:
        return "uts"
    return next((kind for tree, kind in _TREES if path.startswith(tree)), None)


def _refuse(name: str, why: str, *, hint: str = "") -> NoReturn:
    raise RuntimeFault(f"config.json: linux.sysctl {name} {why}", kind="usage", hint=hint)
