"""Capabilities by name, docker's default set, and giving up the rest (capabilities(7))."""

from __future__ import annotations

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


def bound(last: int, kept: int) -> None:
    """Drop every capability up to number `last` that is not in `kept` from the bounding set."""
    for number in range(last + 1):
        if not kept >> number & 1:
            syscalls.prctl(syscalls.PR_CAPBSET_DROP, number)


def last() -> int:
    """Return the highest capability number of the running kernel."""
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read())
