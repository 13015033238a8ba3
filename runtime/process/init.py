"""The child's side of a start: from its first instruction to the exec of its program.

It is a copy of the spawner, so it touches only what the spawner has imported, and reports on one socket:
nothing (closed by a successful exec) or one JSON object that says which stage failed.
"""

# pathlib stays out of the process that forks:
# ruff: noqa: PTH103

from __future__ import annotations

import errno
import gc
import os
import select
import socket

from runtime.linux import capabilities, namespaces, syscalls
from runtime.process import accounts, lean_json
from runtime.rootfs.execute import StepError, execute

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Sequence
    from typing import Any, NoReturn
else:
    # The C half of `signal`: the other turns each number into an enumeration and back, in the child's memory.
    import _signal as signal


class Inherited:
    """What every child needs to know and the parent can look up once, so that no child has to.

    The memory of a child is a copy that the kernel makes page by page as it is touched, so each thing that
    a child does costs more than it did before the fork.
    """

    __slots__ = ("last_capability", "signals")

    def __init__(self) -> None:
        self.last_capability = capabilities.last()
        numbers = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
        # Python ignores SIGPIPE, the spawner SIGINT, a shell some more for its background jobs; and an
        # ignored signal stays ignored over exec.
        self.signals = [int(one) for one in numbers if signal.getsignal(one) != signal.SIG_DFL]


def run(launch: dict[str, Any], stdio: list[int], sync: socket.socket, inherited: Inherited) -> NoReturn:
    """Become the program of `launch`; never returns."""
    gc.disable()  # a collection would touch, and so copy, every page
    report: dict[str, Any]
    try:
        _become(launch, stdio, sync, inherited)
    except StepError as err:
        report = {"stage": "rootfs", "errno": err.errno, "what": err.filename, "step": err.index}
    except OSError as err:
        report = {"stage": "setup", "errno": err.errno or 0, "what": str(err.filename or "")}
    except accounts.UnknownAccount as err:
        report = {"stage": "user", "errno": 0, "what": str(err)}
    except BaseException as err:  # noqa: BLE001 - a child must never return into the spawner's loop
        report = {"stage": "internal", "errno": 0, "what": repr(err)}
    else:
        report = {"stage": "internal", "errno": 0, "what": "exec returned"}
    try:
        sync.send(lean_json.dumps(report).encode())
    finally:
        os._exit(127)


def _become(launch: dict[str, Any], stdio: list[int], sync: socket.socket, inherited: Inherited) -> None:
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    if sync.recv(1) != b"g":  # the spawner died before it had recorded this process
        os._exit(1)
    os.setsid()
    if launch["unshare"]:
        syscalls.unshare(launch["unshare"])
    if launch["lo"]:
        namespaces.raise_loopback()
    if launch["hostname"]:
        socket.sethostname(launch["hostname"])
    execute(launch["mounts"])
    _stdio(stdio)
    _reset_signals(inherited.signals)
    os.umask(0o022)
    env = _identity(launch, inherited.last_capability)
    _still_wanted(sync)
    _exec(launch["args"], env, sync)


def _stdio(stdio: list[int]) -> None:
    # The received descriptors are all above 2: the spawner keeps 0 to 2 open.
    for target, fd in enumerate(stdio):
        os.dup2(fd, target)
    syscalls.cloexec_from(3)


def _reset_signals(numbers: Sequence[int]) -> None:
    for number in numbers:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _identity(launch: dict[str, Any], last: int) -> dict[str, str]:
    env: dict[str, str] = dict(launch["env"])
    account = accounts.resolve(launch["user"]) if launch["user"] is not None else None
    if account:
        env.setdefault("HOME", account.home)
    if launch["cwd"]:
        _enter(launch["cwd"])
    if launch["caps"] is not None:
        capabilities.bound(last, launch["caps"])
        syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
    if account:
        os.setgroups(account.groups)
        os.setresgid(account.gid, account.gid, account.gid)
        os.setresuid(account.uid, account.uid, account.uid)
    if launch["caps"] is not None and os.geteuid() == 0:
        syscalls.capset(launch["caps"])
    if launch["no_new_privileges"]:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    return env


def _enter(directory: str) -> None:
    try:
        os.chdir(directory)
    except FileNotFoundError:
        os.makedirs(directory, exist_ok=True)
        os.chdir(directory)


def _still_wanted(sync: socket.socket) -> None:
    # A change of user clears the death signal (prctl(2)): set it again, and look whether the spawner died
    # before.
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    poll = select.poll()
    poll.register(sync, 0)
    if poll.poll(0):
        os._exit(1)


def _exec(args: list[str], env: dict[str, str], sync: socket.socket) -> None:
    """Try the places that a shell would; EACCES outlives ENOENT, since it means that something was found."""
    name, failure = args[0], errno.ENOENT
    places = [""] if "/" in name else [f"{d or '.'}/" for d in env.get("PATH", "/usr/bin:/bin").split(":")]
    for place in places:
        try:
            os.execve(place + name, args, env)  # noqa: S606 - a shell is the last thing wanted here
        except OSError as err:
            if err.errno not in {errno.ENOENT, errno.ENOTDIR}:
                failure = err.errno or failure
            if err.errno not in {errno.ENOENT, errno.ENOTDIR, errno.EACCES}:
                break
    sync.send(lean_json.dumps({"stage": "exec", "errno": failure, "what": name}).encode())
    os._exit(126 if failure != errno.ENOENT else 127)
