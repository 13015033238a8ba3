"""What bounds or colours one process: rlimits, its OOM score, scheduling, personality (config.md, Process).

`plan` checks in the parent. Then `impose` acts from the parent on the child that waits, with the parent's
privileges, and `settle` in the child at the very end, since a low limit would hinder what comes before.
"""

# pathlib stays out of the start path:
# ruff: noqa: PTH123

from __future__ import annotations

import os
import resource

from runtime.errors import RuntimeFault
from runtime.oci import scheduling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

RLIMITS = {
    f"RLIMIT_{name}": getattr(resource, f"RLIMIT_{name}")
    for name in (
        "AS",
        "CORE",
        "CPU",
        "DATA",
        "FSIZE",
        "MEMLOCK",
        "MSGQUEUE",
        "NICE",
        "NOFILE",
        "NPROC",
        "RSS",
        "RTPRIO",
        "RTTIME",
        "SIGPENDING",
        "STACK",
    )
    if hasattr(resource, f"RLIMIT_{name}")
} | {"RLIMIT_LOCKS": 10, "RLIMIT_RTTIME": 15}  # fmt: skip - Python has no names for these two
DOMAINS = {"LINUX": 0x0000, "LINUX32": 0x0008}
_PERSONALITY = {"x86_64": 135, "aarch64": 92, "riscv64": 92}
_INFINITY = (1 << 64) - 1


def plan(process: dict[str, Any], linux: dict[str, Any]) -> dict[str, Any]:
    """Return what is to be done, in plain values; RuntimeFault names what can't be.

    Keys: rlimits (number, soft, hard), oom, personality, umask, scheduler, io; absent where not configured.
    """
    found: dict[str, Any] = {"rlimits": _rlimits(process.get("rlimits") or ())}
    if process.get("oomScoreAdj") is not None:
        found["oom"] = _within("process.oomScoreAdj", process["oomScoreAdj"], -1000, 1000)
    umask = (process.get("user") or {}).get("umask")
    if umask is not None:
        found["umask"] = _within("process.user.umask", umask, 0, 0o7777)
    if linux.get("personality") is not None:
        found["personality"] = _personality(linux["personality"])
    return found | scheduling.plan(process)


def impose(pid: int, planned: dict[str, Any]) -> None:
    """On the child that waits in its cgroup, by its parent or, as process 0, itself: what takes privileges.

    RuntimeFault names the value that the kernel refuses.
    """
    if "oom" in planned:
        _oom_score(pid, planned["oom"])
    for number, _soft, hard in planned["rlimits"]:
        _make_room(pid, number, hard)
    scheduling.impose(pid, planned)


def settle(planned: dict[str, Any]) -> None:
    """In the child, last but for capabilities and the filter; lowering takes no privileges."""
    if "personality" in planned:
        from runtime.linux import syscalls  # noqa: PLC0415 - loaded long ago

        syscalls.numbered("personality", _PERSONALITY, planned["personality"])
    if "umask" in planned:
        os.umask(planned["umask"])
    for number, soft, hard in planned["rlimits"]:
        resource.setrlimit(number, (_signed(soft), _signed(hard)))


def _rlimits(entries: Sequence[dict[str, Any]]) -> list[list[int]]:
    found: dict[int, list[int]] = {}
    for index, entry in enumerate(entries):
        path = f"process.rlimits[{index}]"
        name = entry.get("type")
        if name not in RLIMITS:
            _refuse(f"{path}.type", f"does not know {name!r}", hint=f"known are {', '.join(sorted(RLIMITS))}")
        if RLIMITS[name] in found:
            _refuse(f"{path}.type", f"is {name} a second time")
        soft, hard = (_limit(f"{path}.{key}", entry.get(key)) for key in ("soft", "hard"))
        if soft > hard:
            _refuse(f"{path}.soft", f"is {soft}, more than hard, which is {hard}")
        found[RLIMITS[name]] = [RLIMITS[name], soft, hard]
    return list(found.values())


def _limit(path: str, value: object) -> int:
    if value == -1:
        return _INFINITY
    if not isinstance(value, int) or not 0 <= value <= _INFINITY:
        _refuse(path, f"must be a number of 64 bits, not {value!r}")
    return value


def _make_room(pid: int, number: int, hard: int) -> None:
    """Raise a hard limit that is below what the process will set, which takes CAP_SYS_RESOURCE."""
    soft, signed = resource.prlimit(pid, number)
    now = signed & _INFINITY
    if hard <= now:
        return
    try:
        resource.prlimit(pid, number, (soft, _signed(hard)))
    except (OSError, ValueError) as err:
        name = next(name for name, value in RLIMITS.items() if value == number)
        hint = f"the hard limit here is {now}, and raising it takes CAP_SYS_RESOURCE"
        raise RuntimeFault(f"process.rlimits: cannot set {name} to {hard}", kind="host", hint=hint) from err


def _signed(value: int) -> int:
    # Python reads and takes these unsigned numbers as if they were signed.
    return value - (1 << 64) if value >> 63 else value


def _oom_score(pid: int, value: int) -> None:
    try:
        with open(f"/proc/{pid or 'self'}/oom_score_adj", "rb+", buffering=0) as file:
            if int(file.read()) != value:
                file.seek(0)
                file.write(str(value).encode())
    except OSError as err:
        hint = "lowering it takes CAP_SYS_RESOURCE" if isinstance(err, PermissionError) else ""
        text = f"process.oomScoreAdj: cannot set {value}: {err.strerror}"
        raise RuntimeFault(text, kind="host", hint=hint) from err


def _personality(block: dict[str, Any]) -> int:
    if block.get("flags"):
        _refuse("linux.personality.flags", "is not empty, and the specification knows no flags")
    domain = block.get("domain")
    if domain not in DOMAINS:
        _refuse("linux.personality.domain", f"does not know {domain!r}", hint="known are LINUX and LINUX32")
    return DOMAINS[domain]


def _within(path: str, value: object, least: int, most: int) -> int:
    if not isinstance(value, int) or not least <= value <= most:
        _refuse(path, f"must be a number from {least} to {most}, not {value!r}")
    return value


def _refuse(path: str, why: str, *, hint: str = "") -> NoReturn:
    raise RuntimeFault(f"config.json: {path} {why}", kind="usage", hint=hint)
