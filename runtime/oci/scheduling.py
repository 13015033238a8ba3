"""When and where a process runs: scheduler, I/O priority and CPU affinity (config.md, Linux Process)."""

from __future__ import annotations

import ctypes
import os

from runtime.errors import RuntimeFault
from runtime.linux import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

# include/uapi/linux/sched.h. SCHED_ISO, 4, was never built into a kernel: it is refused.
POLICIES = {
    "SCHED_OTHER": 0, "SCHED_FIFO": 1, "SCHED_RR": 2, "SCHED_BATCH": 3, "SCHED_IDLE": 5, "SCHED_DEADLINE": 6,
}  # fmt: skip
FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 1, "SCHED_FLAG_RECLAIM": 2, "SCHED_FLAG_DL_OVERRUN": 4,
    "SCHED_FLAG_KEEP_POLICY": 8, "SCHED_FLAG_KEEP_PARAMS": 16, "SCHED_FLAG_UTIL_CLAMP_MIN": 32,
    "SCHED_FLAG_UTIL_CLAMP_MAX": 64,
}  # fmt: skip
CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
_REAL_TIME = ("SCHED_FIFO", "SCHED_RR")
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30}
_WHO_PROCESS, _CLASS_SHIFT, _LEVELS = 1, 13, 8
_NICE = (-20, 19)


class _Attributes(ctypes.Structure):
    """struct sched_attr, include/uapi/linux/sched/types.h, version 1 (56 bytes); times in nanoseconds."""

    _fields_ = (
        ("size", ctypes.c_uint32), ("policy", ctypes.c_uint32), ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32), ("priority", ctypes.c_uint32), ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64), ("period", ctypes.c_uint64), ("util_min", ctypes.c_uint32),
        ("util_max", ctypes.c_uint32),
    )  # fmt: skip


def plan(process: dict[str, Any]) -> dict[str, Any]:
    """Check `process.scheduler` and `process.ioPriority`; keys scheduler and io where they are configured."""
    found: dict[str, Any] = {}
    if process.get("scheduler"):
        found["scheduler"] = _scheduler(process["scheduler"])
    if process.get("ioPriority"):
        found["io"] = _io(process["ioPriority"])
    return found


def impose(pid: int, planned: dict[str, Any]) -> None:
    """Apply a plan to a process; RuntimeFault where the kernel refuses."""
    try:
        if "scheduler" in planned:
            attributes = _Attributes(size=ctypes.sizeof(_Attributes), **planned["scheduler"])
            syscalls.numbered("scheduler", _SCHED_SETATTR, pid, ctypes.byref(attributes), 0)
        if "io" in planned:
            syscalls.numbered("ioPriority", _IOPRIO_SET, _WHO_PROCESS, pid, planned["io"])
    except OSError as err:
        hint = "a real-time class takes CAP_SYS_NICE, and a cgroup of v1 with a real-time budget"
        text = f"process.{err.filename}: the kernel refuses it: {err.strerror}"
        raise RuntimeFault(text, kind="host", hint=hint) from err


def cpus(text: str, path: str) -> set[int]:
    """Return the CPUs of a list such as "0-3,7" (config.md, execCPUAffinity)."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, final = part.strip().partition("-")
        if not first.isdigit() or (dash and not final.isdigit()) or int(final or first) < int(first):
            _refuse(path, f"must be a list of CPUs such as 0-3,7, not {text!r}")
        found |= set(range(int(first), int(final or first) + 1))
    return found


def pin(pid: int, text: str, path: str) -> None:
    """Let a process run on these CPUs only; `path` names the field."""
    wanted = cpus(text, path)
    try:
        os.sched_setaffinity(pid, wanted)
    except (OSError, OverflowError) as err:
        raise RuntimeFault(f"{path}: no CPU of {text} may be used here", kind="host") from err


def _scheduler(block: dict[str, Any]) -> dict[str, int]:
    policy = block.get("policy")
    if policy not in POLICIES:
        _refuse(
            "process.scheduler.policy", f"does not know {policy!r}", hint=f"known are {', '.join(POLICIES)}"
        )
    found = {"policy": POLICIES[policy], "flags": 0}
    for name in block.get("flags") or ():
        if name not in FLAGS:
            _refuse(
                "process.scheduler.flags", f"does not know {name!r}", hint=f"known are {', '.join(FLAGS)}"
            )
        found["flags"] |= FLAGS[name]
    found["nice"] = _number(block, "nice", *_NICE)
    found["priority"] = _number(block, "priority", 0, 99)
    if found["priority"] and policy not in _REAL_TIME:
        _refuse("process.scheduler.priority", f"goes with {' and '.join(_REAL_TIME)} only, not with {policy}")
    for name in ("runtime", "deadline", "period"):
        found[name] = _number(block, name, 0, (1 << 64) - 1)
        if found[name] and policy != "SCHED_DEADLINE":
            _refuse(f"process.scheduler.{name}", f"goes with SCHED_DEADLINE only, not with {policy}")
    return found


def _io(block: dict[str, Any]) -> int:
    name = block.get("class")
    if name not in CLASSES:
        _refuse("process.ioPriority.class", f"does not know {name!r}", hint=f"known are {', '.join(CLASSES)}")
    level = block.get("priority") or 0
    if not isinstance(level, int) or not 0 <= level < _LEVELS:
        _refuse("process.ioPriority.priority", f"must be a number from 0 to {_LEVELS - 1}, not {level!r}")
    return CLASSES[name] << _CLASS_SHIFT | level


def _number(block: dict[str, Any], name: str, least: int, most: int) -> int:
    value = block.get(name) or 0
    if not isinstance(value, int) or not least <= value <= most:
        _refuse(f"process.scheduler.{name}", f"must be a number from {least} to {most}, not {value!r}")
    return value


def _refuse(path: str, why: str, *, hint: str = "") -> NoReturn:
    raise RuntimeFault(f"config.json: {path} {why}", kind="usage", hint=hint)
