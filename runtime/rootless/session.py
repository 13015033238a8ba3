"""Become root in a user namespace of one's own: to unpack layers with their owners, and to mount overlays.

The ids of a namespace are written from outside of it, by newuidmap, which looks at who runs it. So a helper
that is forked before stays outside, and writes them for this process (user_namespaces(7), "Defining user and
group ID mappings").
"""

from __future__ import annotations

import errno
import os
import subprocess
from typing import TYPE_CHECKING, NoReturn

from runtime.errors import RuntimeFault
from runtime.linux import mounts, namespaces, syscalls

if TYPE_CHECKING:
    from runtime.rootless.ids import Ids, Range

_DONE = b"+"
_REASONS = {
    errno.EINVAL: "a process with threads can't: do it first of all",
    errno.ENOSPC: "raise /proc/sys/user/max_user_namespaces, or run it as root",
    errno.EPERM: "the host forbids it to users: kernel.unprivileged_userns_clone, AppArmor, or a sandbox",
}


def enter(ids: Ids) -> None:
    """Move this process into new user and mount namespaces, as root of them; there is no way back.

    It must have but one thread. Files that it makes as user N belong to the user whom `ids` map to N, mounts
    that it makes are seen by it and its children alone. Root has all of this already: for him nothing is
    done. RuntimeFault of kind host says what the host refuses.
    """
    if os.geteuid() == 0:
        return
    helper, tell, hear = _fork_helper(os.getpid(), ids)
    try:
        _unshare()
        os.write(tell, _DONE)
        said = _read(hear)
    finally:
        os.close(tell)
        os.close(hear)
        os.waitpid(helper, 0)
    if said != _DONE:
        raise RuntimeFault(said.decode(errors="replace") or "the helper that maps ids died", kind="host")
    # Inside, the user is root already; but the kernel clears nothing of what he was before.
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    if not ids.single:
        os.setgroups([])
    # What is mounted here stays here; what the host mounts later still comes in.
    syscalls.mount("none", "/", "", mounts.REC | mounts.SLAVE)


def _unshare() -> None:
    try:
        syscalls.unshare(namespaces.flags("user", "mount"))
    except OSError as err:
        hint = _REASONS.get(err.errno or 0, "run it as root")
        text = f"cannot make a user namespace: {err.strerror}"
        raise RuntimeFault(text, kind="host", hint=hint) from err


def _fork_helper(pid: int, ids: Ids) -> tuple[int, int, int]:
    go, tell = os.pipe2(os.O_CLOEXEC)
    hear, say = os.pipe2(os.O_CLOEXEC)
    helper = os.fork()
    if helper == 0:
        os.close(tell)  # or the end of the parent would never be seen
        os.close(hear)
        _help(pid, ids, go, say)
    os.close(go)
    os.close(say)
    return helper, tell, hear


def _help(pid: int, ids: Ids, go: int, say: int) -> NoReturn:
    try:
        if os.read(go, 1) == _DONE:
            _write(pid, ids)
            os.write(say, _DONE)
    except RuntimeFault as err:
        os.write(say, str(err).encode())
    except OSError as err:
        os.write(say, f"cannot map ids: {err.strerror}".encode())
    finally:
        os._exit(0)


def _write(pid: int, ids: Ids) -> None:
    if ids.single:
        for name, text in (("setgroups", "deny"), ("uid_map", _line(ids.uids)), ("gid_map", _line(ids.gids))):
            fd = os.open(f"/proc/{pid}/{name}", os.O_WRONLY | os.O_CLOEXEC)
            os.write(fd, text.encode())
            os.close(fd)
        return
    for program, ranges in (("newuidmap", ids.uids), ("newgidmap", ids.gids)):
        words = [str(n) for entry in ranges for n in (entry.inside, entry.outside, entry.size)]
        done = subprocess.run([program, str(pid), *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeFault(f"{program} refused: {done.stderr.strip()}")


def _line(ranges: tuple[Range, ...]) -> str:
    return "".join(f"{entry.inside} {entry.outside} {entry.size}\n" for entry in ranges)


def _read(fd: int) -> bytes:
    text = b""
    while chunk := os.read(fd, 4096):
        text += chunk
    return text
