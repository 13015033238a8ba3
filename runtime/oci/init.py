"""The child's side of `create` and `exec`: from its first instruction to the airlock.

It is a copy of tare-oci, so it touches only what that has imported. Two pipes join it to its parent: on one
it waits (one byte a permission), on the other it reports: a JSON object a line, or nothing more than the end
of the pipe when it has become the airlock.
"""

# pathlib stays out of the process that forks:
# ruff: noqa: PTH103, PTH109, PTH112

from __future__ import annotations

import errno
import os
import select

from runtime.cgroups import doors
from runtime.errors import RuntimeFault
from runtime.linux import capabilities, keyring, namespaces, syscalls
from runtime.oci import airlock, birth, limits
from runtime.process import accounts, lean_json
from runtime.rootfs.execute import execute
from runtime.rootfs.step_error import StepError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    Launch = dict[str, Any]

GO, LIMITED, HOOKS_RAN = b"g", b"l", b"h"
_SIGKILL = 9


class Line:
    """The child's ends of the two pipes."""

    def __init__(self, hear: int, tell: int) -> None:
        self.hear, self.tell = hear, tell

    def begin(self) -> int:
        """Wait until the parent has put this process on record; returns its number on the host."""
        self.wait(GO)
        return int(os.read(self.hear, 10))

    def settle(self) -> None:
        """Say that what follows is the exec, or the end after a report: nobody here needs to know."""

    def wait(self, permission: bytes) -> None:
        """Wait for a permission; a parent that died gives none, and then nothing goes on."""
        if os.read(self.hear, 1) != permission:
            os._exit(1)

    def still_wanted(self) -> None:
        """End if the parent has died."""
        poll = select.poll()
        poll.register(self.hear, 0)
        if poll.poll(0):
            os._exit(1)

    def report(self, message: dict[str, Any]) -> None:
        """Tell the parent."""
        os.write(self.tell, lean_json.dumps(message).encode() + b"\n")


class Stage(Exception):  # noqa: N818 - it says where, the cause says what
    """A stage failed; `name` is one of rootfs, setup, cwd, user, exec and so on."""

    def __init__(self, name: str, err: OSError, what: str = "", step: int = -1) -> None:
        super().__init__(name)
        self.name, self.err, self.what, self.step = name, err, what or str(err.filename or ""), step


def run(launch: Launch, line: Line) -> NoReturn:
    """Become the program of `launch`; never returns."""
    report: dict[str, Any]
    try:
        _become(launch, line)
        report = {"stage": "internal", "errno": 0, "what": "exec returned"}
    except Stage as err:
        report = {"stage": err.name, "errno": err.err.errno or 0, "what": err.what, "step": err.step}
    except RuntimeFault as err:
        report = {"stage": "fault", "errno": 0, "what": str(err)}
    except OSError as err:
        report = {"stage": "setup", "errno": err.errno or 0, "what": str(err.filename or "")}
    except BaseException as err:  # noqa: BLE001 - a child must never return into the parent's code
        report = {"stage": "internal", "errno": 0, "what": repr(err)}
    try:
        line.report({"error": report})
        line.settle()
    finally:
        os._exit(1)


def _become(launch: Launch, line: Line) -> None:
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, _SIGKILL)
    for fd in launch["close"]:  # first: only so does the wait end if the parent has died before that
        os.close(fd)
    launch["state"]["pid"] = line.begin()
    os.setsid()
    _isolate(launch, line)
    _assemble(launch, line)
    _finish(launch, line)


def _isolate(launch: Launch, line: Line) -> None:
    """Enter cgroups, then enter and make namespaces: what the kernel keeps for those is the container's."""
    if launch["hide"]:
        # Among processes of others: those may not trace it, nor reach the interpreter by /proc/PID/exe.
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    doors.enter(launch["doors"])
    if launch["confinement"]:
        launch["confinement"].open()
    for fd, flag in launch["join"]:
        syscalls.setns(fd, flag)
    if launch.get("inner_offsets") is not None:
        # While /proc/self still belongs to this very user: a change of ids makes it root's.
        birth.enter_time(launch["inner_offsets"])
    if launch["mapped"]:
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
    if launch["unshare"]:
        syscalls.unshare(launch["unshare"])
    if launch["lo"]:
        namespaces.raise_loopback()
    line.wait(LIMITED)
    if launch["unshare_late"]:
        syscalls.unshare(launch["unshare_late"])


def _assemble(launch: Launch, line: Line) -> None:
    """Build the root file system, with the hooks where the specification has them."""
    if launch["keyring"]:
        keyring.join(launch["keyring"])
    if launch["hostname"]:
        syscalls.sethostname(launch["hostname"])
    if launch["domainname"]:
        syscalls.setdomainname(launch["domainname"])
    if launch["await_hooks"]:
        line.report({"hooks": True})
        line.wait(HOOKS_RAN)
    if launch["sysctl"]:
        _parameters(launch)
    pauses = {"mounted": lambda: _hooks(launch, "createContainer"), "entered": lambda: _terminal(launch)}
    try:
        execute(launch["steps"], pauses)
    except StepError as err:
        raise Stage("rootfs", err, step=err.index) from err


def _parameters(launch: Launch) -> None:
    try:
        launch["write_sysctl"](launch["sysctl"])
    except OSError as err:
        raise Stage("sysctl", err) from err


def _hooks(launch: Launch, where: str) -> None:
    if launch["hooks"].get(where):
        status = "created" if where == "startContainer" else "creating"
        launch["run_hooks"](launch["hooks"][where], {**launch["state"], "status": status}, where=where)


def _terminal(launch: Launch) -> None:
    """Make the terminal; it is bound while nothing is read-only yet, and adopted when all is done."""
    if launch["terminal"]:
        console = launch["console"]
        master, terminal = console.make(launch["size"], launch["uid"])
        if launch["steps"]:
            console.bind(terminal)
        console.send(launch["connection"], master)
        console.adopt(terminal)


def _finish(launch: Launch, line: Line) -> None:
    """From a finished root to the airlock: what remains is about this one process."""
    if not launch["steps"]:
        _terminal(launch)
    syscalls.default_signals(launch["signals"])
    env = dict(item.split("=", 1) for item in launch["env"])
    if not env.get("HOME"):
        env["HOME"] = accounts.home(launch["uid"])
    _directory(launch["cwd"], first=True, make=bool(launch["steps"]))
    syscalls.cloexec_from(3 + launch["keep"])
    os.umask(0o022)
    _confine(launch, line, env)


def _confine(launch: Launch, line: Line, env: dict[str, str]) -> None:
    sets, filtered = launch["caps"], launch["filter"]
    capabilities.prepare(launch["last"], sets)
    limits.settle(launch["limits"])
    _change_user(launch)
    _directory(launch["cwd"])
    path = _look_up(launch["args"][0], env)
    door = _door(launch, line)
    if filtered and not launch["no_new_privileges"]:
        capabilities.regain()
        _load(launch, line)
    capabilities.settle(sets)
    if launch["no_new_privileges"]:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        if filtered:
            _load(launch, line)
    line.settle()
    try:
        airlock.enter(door, path, launch["args"], env)
    except OSError as err:  # E2BIG, before anything has gone
        raise Stage("exec", err, launch["args"][0]) from err


def _door(launch: Launch, line: Line) -> int:
    """Make the airlock and let the parent go; with hooks that follow `start`, they are over by then."""
    fifo = launch["fifo"]
    if launch["outcome"] is not None:
        _start_here(launch, line, fifo)
        return airlock.build(None, launch["confinement"])
    door = airlock.build(fifo, launch["confinement"])
    if fifo is not None:
        os.set_inheritable(fifo, True)  # noqa: FBT003 - the airlock closes it
    _let_go(line)
    return door


def _load(launch: Launch, line: Line) -> None:
    """Load the filter; what follows has to be as little as can be."""
    if launch["handover"]:
        line.report({"listener": True})
        launch["handover"].load(launch["filter"])
    else:
        launch["load_filter"](launch["filter"])


def _start_here(launch: Launch, line: Line, fifo: int) -> None:
    """Wait for `start` without the airlock, since hooks follow it, in the container (config.md, Hooks)."""
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    line.report({"ready": True})
    _let_go(line)
    os.read(fifo, 1)
    os.close(fifo)
    try:
        _hooks(launch, "startContainer")
    except RuntimeFault as err:
        os.write(launch["outcome"], str(err).encode())
        os._exit(1)
    os.write(launch["outcome"], b"0")
    os.close(launch["outcome"])


def _change_user(launch: Launch) -> None:
    try:
        syscalls.setgroups(launch["groups"])
    except PermissionError as err:
        # Who maps a group of his own without newgidmap keeps those he has (user_namespaces(7), setgroups).
        if launch["groups"] or not launch["groups_kept"]:
            raise Stage("user", err, "process.user.additionalGids") from err
    syscalls.setids(launch["uid"], launch["gid"])


def _directory(path: str, *, first: bool = False, make: bool = False) -> None:
    """Go to the working directory, which has to be inside the root; `first` is before the change of user.

    A path such as /proc/self/fd/7 leads out of the container if a descriptor of the host is open; getcwd(2)
    then finds no way to the root (CVE-2024-21626).
    """
    try:
        if make:
            os.makedirs(path, exist_ok=True)
        os.chdir(path)
        where = os.getcwd()
    except OSError as err:
        if first and err.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            return  # the user may go where this process may not, on a network file system
        raise Stage("cwd", err, path) from err
    if not where.startswith("/"):
        raise Stage("cwd", OSError(errno.ENOENT, os.strerror(errno.ENOENT)), path)


def _look_up(name: str, env: dict[str, str]) -> str:
    """Find the program as execvp(3) does; EACCES outlives ENOENT, since it means that something was found."""
    failure = errno.ENOENT
    places = [""] if "/" in name else [f"{d or '.'}/" for d in env.get("PATH", "").split(":")]
    for place in places:
        try:
            fd = os.open(place + name, os.O_PATH | os.O_CLOEXEC)
        except OSError as err:
            if err.errno not in {errno.ENOENT, errno.ENOTDIR}:
                failure = err.errno or failure
            continue
        os.close(fd)
        if os.access(place + name, os.X_OK, effective_ids=True) and not os.path.isdir(place + name):
            return place + name
        failure = errno.EACCES
    raise Stage("exec", OSError(failure, os.strerror(failure)), name)


def _let_go(line: Line) -> None:
    """Outlive the parent from here on: the container is whole, and on record."""
    # A change of user clears the death signal (prctl(2)): so look whether the parent has died before.
    line.still_wanted()
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, 0)
