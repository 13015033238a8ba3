"""Capabilities by name, docker's default set, and giving up the rest (capabilities(7))."""

from __future__ import annotations

import ctypes

from runtime.linux import syscalls

NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
    "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
    "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
    "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
    "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM",
    "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip

# moby, daemon/pkg/oci/caps/defaults.go
DEFAULT = (
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP",
    "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
)  # fmt: skip

_PR_SET_KEEPCAPS, _PR_CAP_AMBIENT_RAISE = 8, 2
_CAPGET, _VERSION_3 = {"x86_64": 125, "aarch64": 90, "riscv64": 90}, 0x20080522


def mask(names: tuple[str, ...]) -> int:
    """Return the bit mask of `names`, such as "CAP_KILL", "kill" or "ALL"; KeyError for anything else."""
    bits = 0
    for name in names:
        short = name.upper().removeprefix("CAP_")
        if short == "ALL":
            bits |= (1 << len(NAMES)) - 1
        elif short in NAMES:
            bits |= 1 << NAMES.index(short)
        else:
            raise KeyError(name)
    return bits


SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")
Sets = dict[str, int]
_NOTHING: Sets = dict.fromkeys(SETS, 0)


def sets(block: dict[str, list[str]] | None, granted: int) -> tuple[Sets, list[str]]:
    """Return the five sets of `process.capabilities` as bit masks, and warnings of what can't be given.

    `granted` is what there is to give: `held()`, or all up to `last()` in a new user namespace. The
    specification (config.md, Linux Process) wants warnings rather than failures, also where an ambient one
    lacks its permitted or inheritable twin. Without a block the process has none.
    """
    found, warnings = dict(_NOTHING), []
    for name in SETS:
        for word in (block or {}).get(name) or ():
            short = word.removeprefix("CAP_")
            number = NAMES.index(short) if word.startswith("CAP_") and short in NAMES else -1
            if number < 0:
                warnings.append(f"process.capabilities.{name}: there is no capability {word!r}")
            elif not granted >> number & 1:
                warnings.append(f"process.capabilities.{name}: {word} can't be granted here")
            else:
                found[name] |= 1 << number
    return _consistent(found, warnings), warnings


def _consistent(found: Sets, warnings: list[str]) -> Sets:
    """Drop what the kernel would refuse (capabilities(7), Ambient; capset(2), ERRORS), with a warning."""
    for name, within, why in (
        ("effective", found["permitted"], "it is not permitted"),
        ("inheritable", found["bounding"], "it is not in the bounding set"),
        ("ambient", found["permitted"] & found["inheritable"], "it is not both permitted and inheritable"),
    ):
        lost = found[name] & ~within
        found[name] &= within
        for number, short in enumerate(NAMES):
            if lost >> number & 1:
                warnings.append(f"process.capabilities.{name}: CAP_{short} is dropped, {why}")
    return found


def held() -> int:
    """Return what this process can give: its permitted capabilities that its bounding set lets through."""
    with open("/proc/self/status", "rb") as file:  # noqa: PTH123 - bytes: a codec would have to be loaded
        fields = dict(line.split(b":", 1) for line in file)
    return int(fields[b"CapPrm"], 16) & int(fields[b"CapBnd"], 16)


def prepare(last: int, found: Sets) -> None:
    """First half, as root and before the change of user, which would empty the permitted set."""
    bound(last, found["bounding"])
    syscalls.prctl(_PR_SET_KEEPCAPS, 1)


def regain() -> None:
    """Between the halves: make effective again what a change of user left permitted, for a filter's sake."""
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable, for the low 32 bits and the high
    syscalls.numbered("capget", _CAPGET, ctypes.byref(header), ctypes.byref(data))
    syscalls.capset(data[1] | data[4] << 32, data[2] | data[5] << 32)


def settle(found: Sets) -> None:
    """Second half, after the change of user: the sets as they shall be when the program starts."""
    syscalls.prctl(_PR_SET_KEEPCAPS, 0)
    syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
    syscalls.capset(found["permitted"], found["inheritable"], effective=found["effective"])
    for number in range(len(NAMES)):
        if found["ambient"] >> number & 1:
            syscalls.prctl(syscalls.PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number)


def bound(last: int, kept: int) -> None:
    """Drop every capability up to number `last` that is not in `kept` from the bounding set."""
    drop, prctl = syscalls.PR_CAPBSET_DROP, syscalls.prctl
    for number in range(last + 1):
        if not kept >> number & 1:
            prctl(drop, number)


def last() -> int:
    """Return the highest capability number of the running kernel."""
    with open("/proc/sys/kernel/cap_last_cap", "rb") as file:  # noqa: PTH123
        return int(file.read())
