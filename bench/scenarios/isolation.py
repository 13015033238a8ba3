"""Whether two instances have resources of their own: the same numbers, ports and keys, unseen."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.channel import Channel
from bench.clock import now
from bench.ladder import climb
from bench.scenarios.repeated import OTHERS, Repeated
from bench.schedule import Slot
from bench.session import Place, Session
from bench.sizes import Mode
from bench.target import Box, Launcher, Member
from bench.value import Value

MIB = 1024 * 1024
BOX = Box(workload="bench", memory=256 * MIB, root="linked")
PATIENCE = 60.0
HELD = "held"

SLEEPER = "sleep 86347 >/dev/null 2>&1 & echo $PPID"
SEE_SLEEPER = "grep -la 'sleep.8634[7]' /proc/[0-9]*/cmdline"
"""The brackets keep the command from finding itself."""
WRITE = "echo {word} >/tmp/tare-isolation"
READ = "cat /tmp/tare-isolation"
LISTEN = (
    "perl -MSocket -e '$|=1; socket(S,PF_INET,SOCK_STREAM,0) && bind(S,pack_sockaddr_in(47111,INADDR_ANY))"
    ' && listen(S,1) && print "held\\n"; close STDOUT; close STDERR; sleep 3600 if fork == 0\''
)
"""What listens goes on in the background, as a child that still has the socket."""
SEGMENT = "perl -e 'print \"held\\n\" if defined shmget(0x74617265, 4096, 03600)'"
"""03600 is IPC_CREAT, IPC_EXCL and mode 600: it fails where there is a segment of this key."""
FORGET = "perl -e 'shmctl(shmget(0x74617265, 0, 0), 0, 0)'"
BOOT = "cat /proc/sys/kernel/random/boot_id"
ASKED_OF_THE_HOST = ("uts", "user", "cgroup")
"""A container may not change these, so the host says whether it has its own (namespaces(7), /proc/PID/ns)."""

RUNS: Mapping[Mode, Mapping[str, int]] = {
    "fast": {"vm": 1, "vm-micro": 0, "vm-full": 0, OTHERS: 2},
    "default": {"vm": 2, "vm-micro": 1, "vm-full": 0, OTHERS: 6},
    "rigorous": {"vm": 3, "vm-micro": 2, "vm-full": 1, OTHERS: 10},
}


class Isolation(Repeated):
    """Two instances of the same image at once, by kind of resource; 1 is isolated."""

    name = "isolation"
    title = "Two instances side by side: what each has for itself"
    at_once = True
    box = BOX
    runs = RUNS

    def turn(self, session: Session, slot: Slot, ready: Launcher, /) -> None:
        """Let both take the same of everything, and look whether each has its own."""
        name = f"isolation-{slot.target}-{slot.round}"
        session.sentinels.start()
        with climb(ready, f"{name}-a") as first, climb(ready, f"{name}-b") as second:
            session.listen(slot.target, ready.prepared, first.channel)
            found = _inside(first.channel, second.channel)
            if session.targets[slot.target].kind == "vm":
                found |= dict.fromkeys(ASKED_OF_THE_HOST, _own_kernels(first.channel, second.channel))
            else:
                both = first.instance.members(), second.instance.members()
                found |= {kind: apart(*both, kind) for kind in ASKED_OF_THE_HOST}
        values = [Value("isolated", "1", float(own), {"resource": kind}) for kind, own in found.items()]
        session.record(Place(self.name, slot, ready.prepared), values, session.sentinels.stop())


def _inside(first: Channel, second: Channel) -> dict[str, bool]:
    """Return what the workloads themselves see."""
    numbers = _say(first, SLEEPER), _say(second, "echo $PPID")
    seen = _say(second, SEE_SLEEPER)
    for channel, word in ((first, "first"), (second, "second")):
        _say(channel, WRITE.format(word=word))
    with _segment(first) as held:
        return {
            # The agent has the same number in both, and the other's process is not to be seen.
            "pid": numbers[0] == numbers[1] != "" and not seen,
            "mount": (_say(first, READ), _say(second, READ)) == ("first", "second"),
            "net": (_say(first, LISTEN), _say(second, LISTEN)) == (HELD, HELD),
            "ipc": (held, _say(second, SEGMENT)) == (HELD, HELD),
        }


@contextmanager
def _segment(channel: Channel) -> Iterator[str]:
    """Take a segment of shared memory, which would outlive whoever has no IPC namespace of his own."""
    try:
        yield _say(channel, SEGMENT)
    finally:
        _say(channel, FORGET)


def _own_kernels(first: Channel, second: Channel) -> bool:
    """Tell whether both run on kernels of their own, which share no namespace of any kind."""
    ours = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return len({_say(first, BOOT), _say(second, BOOT), ours} - {""}) == 3  # noqa: PLR2004 - two guests and the host


def apart(first: Sequence[Member], second: Sequence[Member], kind: str, proc: Path = Path("/proc")) -> bool:
    """Tell whether both have a namespace of `kind` that neither the other nor this process is in."""
    ours = _namespaces([Member(os.getpid(), "harness")], kind, proc)
    one, other = _namespaces(first, kind, proc) - ours, _namespaces(second, kind, proc) - ours
    return bool(one) and bool(other) and not one & other


def _namespaces(members: Sequence[Member], kind: str, proc: Path) -> set[str]:
    found = set()
    for member in members:
        with suppress(OSError):  # it may have ended
            found.add(os.readlink(proc / str(member.pid) / "ns" / kind))  # noqa: PTH115 - no path, a name
    return found


def _say(channel: Channel, command: str) -> str:
    """Return what a command prints, or nothing where it fails."""
    done = channel.execute(command, now() + PATIENCE)
    return done.output.strip() if done.status == 0 else ""
