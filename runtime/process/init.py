"""The child's side of a start: from its first instruction to the exec of its program.

It works in the memory of the starter, which waits for it (`runtime.linux.vfork` says what that asks), and
reports on a pipe: nothing (closed by a successful exec), or one value, marshalled, that says which stage
failed.
"""

# pathlib stays out of the process that forks:
# ruff: noqa: PTH103

from __future__ import annotations

import errno
import os
import select

from runtime.cgroups import doors
from runtime.linux import syscalls, vfork
from runtime.linux.processes import myself
from runtime.process import accounts, program, wire
from runtime.process.identity import Identity
from runtime.process.isolation import Isolation
from runtime.process.last import Last
from runtime.process.reclaim import record
from runtime.rootfs.assemble import assemble
from runtime.rootfs.step_error import StepError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any, NoReturn

    from runtime.process.work import Work
else:
    # The C half of `signal`: the other turns each number into an enumeration and back.
    import _signal as signal


class Inherited:
    """What every child needs to know, looked up once, so that no child has to.

    `spawner` is a socket that hangs up when the spawner dies, `reader` the other end of the child's pipe.
    """

    __slots__ = ("accounts", "all", "identity", "isolation", "last", "reader", "spawner")

    def __init__(self, spawner: int) -> None:
        self.spawner, self.reader = spawner, -1
        self.accounts, self.identity, self.isolation = accounts.Accounts(), Identity(), Isolation()
        self.all = signal.valid_signals() - vfork.FAULTS
        # Python ignores SIGPIPE, the spawner SIGINT, a shell some more for its background jobs; and an
        # ignored signal stays ignored over exec.
        numbers = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
        self.last = Last([int(one) for one in numbers if signal.getsignal(one) != signal.SIG_DFL])


def run(current: list[Work], inherited: Inherited) -> NoReturn:
    """Become the program of the only one in `current`; never returns."""
    report: dict[str, Any]
    try:
        _become(current, inherited)
    except StepError as err:
        report = {"stage": "rootfs", "errno": err.errno, "what": err.filename, "step": err.index}
    except accounts.TooLarge as err:
        report = {"stage": "user", "errno": err.errno, "what": err.filename}
    except OSError as err:
        report = {"stage": "setup", "errno": err.errno or 0, "what": str(err.filename or "")}
    except accounts.UnknownAccount as err:
        report = {"stage": "user", "errno": 0, "what": str(err)}
    except _NotExecuted as err:
        report = {"stage": "exec", "errno": err.errno, "what": err.name}
    except BaseException as err:  # noqa: BLE001 - a child must never return into the starter's loop
        report = {"stage": "internal", "errno": 0, "what": repr(err)}
    else:
        report = {"stage": "internal", "errno": 0, "what": "exec returned"}
    work = current[0]
    try:
        os.write(work.sync, wire.dumps({"error": report, "held": work.held}))
        work.settled = True
    finally:
        os._exit(127)


def _become(current: list[Work], inherited: Inherited) -> None:
    work = current[0]
    launch, message = work.kind.launch, work.message
    os.close(inherited.reader)
    _while_wanted(work.sync, inherited.spawner)  # or a prune may have been there
    _settle_in(work)
    inherited.isolation.begin(launch["unshare"], loopback=launch["lo"], hostname=message["hostname"])
    if message["place"]:
        os.chdir(message["place"])  # what the steps name without a path lies there
    assemble(work.kind.sequences)
    inherited.last.do(work.stdio)
    if work.kind.filter:
        work.kind.filter.load()  # while it has the capability for that: docker's lets pass what comes yet
    work.program = work.kind.program(_identity(launch, inherited))
    _while_wanted(work.sync, inherited.spawner)  # a change of user clears the death signal (prctl(2))
    # What the frames of this stack refer to when the exec succeeds is never given back.
    del work, launch, message
    _exec(current)


def _settle_in(work: Work) -> None:
    """Go on record, and into the cgroups; only then is anything acquired."""
    work.state["init"] = myself()
    if work.held:
        record(work.message["run"], work.state)
        doors.pass_through(work.kind.ground.joined(work.message["names"]))
    else:
        work.settle()


def _identity(launch: dict[str, Any], inherited: Inherited) -> str | None:
    """Become the user that is wanted, in its directory; returns its home, None where none is wanted."""
    account = inherited.accounts.resolve(launch["user"]) if launch["user"] is not None else None
    if launch["cwd"]:
        _enter(launch["cwd"])
    if account is None:
        return None
    inherited.identity.take(launch["caps"], account, no_new_privileges=launch["no_new_privileges"])
    return account.home


def _enter(directory: str) -> None:
    try:
        os.chdir(directory)
    except FileNotFoundError:
        os.makedirs(directory, exist_ok=True)
        os.chdir(directory)


def _while_wanted(sync: int, spawner: int) -> None:
    """Die with the spawner from here on, and at once where that has died before.

    When the starter died, the pipe has no reader, and nobody asks for this any more.
    """
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    poll = select.poll()
    poll.register(sync, 0)
    poll.register(spawner, 0)
    if poll.poll(0):
        os._exit(1)


class _NotExecuted(Exception):  # noqa: N818
    """No place held the program, or it can't be executed."""

    def __init__(self, number: int, name: str) -> None:
        super().__init__(number, name)
        self.errno, self.name = number, name


def _exec(current: list[Work]) -> NoReturn:
    failure = errno.ENOENT
    for call in current[0].program.calls:
        current[0].settled = True
        number = syscalls.execve(*call)
        current[0].settled = False
        failure = program.worse(failure, number)
        if program.final(number):
            break
    raise _NotExecuted(failure, current[0].program.name)
