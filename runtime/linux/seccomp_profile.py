"""The `linux.seccomp` of a config.json: checked, then compiled to BPF (config-linux.md, Seccomp).

Names of system calls that the library does not know are passed over, as runc and crun do: they fall to the
default action. Any other value that isn't known is refused by its path.
"""

from __future__ import annotations

import errno
import struct

from runtime.errors import RuntimeFault
from runtime.linux import seccomp
from runtime.linux.libseccomp import Comparison, Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_NOTIFY = 0x7FC00000
_ERRNO, _TRACE = 0x00050000, 0x7FF00000
_KILL_PROCESS = 0x80000000
# include/uapi/linux/seccomp.h
ACTIONS = {
    "SCMP_ACT_KILL": 0, "SCMP_ACT_KILL_THREAD": 0, "SCMP_ACT_KILL_PROCESS": _KILL_PROCESS,
    "SCMP_ACT_TRAP": 0x00030000, "SCMP_ACT_ERRNO": _ERRNO, "SCMP_ACT_TRACE": _TRACE,
    "SCMP_ACT_ALLOW": 0x7FFF0000, "SCMP_ACT_LOG": 0x7FFC0000, "SCMP_ACT_NOTIFY": _NOTIFY,
}  # fmt: skip
# enum scmp_compare of seccomp.h(libseccomp)
OPERATORS = {
    "SCMP_CMP_NE": 1, "SCMP_CMP_LT": 2, "SCMP_CMP_LE": 3, "SCMP_CMP_EQ": 4, "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6, "SCMP_CMP_MASKED_EQ": 7,
}  # fmt: skip
FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": seccomp.TSYNC,
    "SECCOMP_FILTER_FLAG_LOG": seccomp.LOG,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": seccomp.SPEC_ALLOW,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": seccomp.WAIT_KILLABLE_RECV,
}
ARCHITECTURES = tuple(
    f"SCMP_ARCH_{name}"
    for name in (
        "X86", "X86_64", "X32", "ARM", "AARCH64", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64",
        "MIPSEL64N32", "PPC", "PPC64", "PPC64LE", "S390", "S390X", "PARISC", "PARISC64", "RISCV64",
        "LOONGARCH64", "M68K", "SH", "SHEB",
    )
)  # fmt: skip
_MOST_ARGUMENTS, _MOST_ERRNO = 6, 4095
_X32, _X32_BIT = 0x4000003E, 0x40000000


class Rule:
    """One entry of `syscalls`: what happens to these calls where all the comparisons hold."""

    __slots__ = ("action", "comparisons", "names", "path")

    def __init__(
        self, names: list[str], action: int, comparisons: list[tuple[int, int, int, int]], path: str
    ) -> None:
        self.names, self.action, self.comparisons, self.path = names, action, comparisons, path

    def alternatives(self) -> list[list[tuple[int, int, int, int]]]:
        """Return the comparisons in groups that each suffice.

        One rule of libseccomp compares an argument once. Where an entry compares one twice, each comparison
        is a rule of its own, as with runc: that is how profiles spell "or".
        """
        numbers = [comparison[0] for comparison in self.comparisons]
        if len(set(numbers)) < len(numbers):
            return [[comparison] for comparison in self.comparisons]
        return [self.comparisons]


class Rules:
    """A checked profile; `flags` are those of seccomp(2)."""

    __slots__ = ("architectures", "default", "flags", "listener", "metadata", "rules")

    def __init__(self, default: int, architectures: list[str], rules: list[Rule]) -> None:
        self.default, self.architectures, self.rules = default, architectures, rules
        self.flags, self.listener, self.metadata = 0, "", ""

    @property
    def notifies(self) -> bool:
        """Whether a rule asks a listener."""
        return any(rule.action == _NOTIFY for rule in self.rules)


def parse(profile: dict[str, Any]) -> Rules:
    """Check a profile; RuntimeFault names the first value that is unknown or does not fit."""
    if not profile.get("defaultAction"):
        _refuse("defaultAction", "is missing")
    default = _action(profile, "defaultAction", "defaultErrnoRet", "")
    if default == _NOTIFY:
        _refuse("defaultAction", "can't be SCMP_ACT_NOTIFY: not even the exec would get through")
    architectures = [
        _known(name, ARCHITECTURES, "architectures") for name in profile.get("architectures") or ()
    ]
    entries = profile.get("syscalls") or ()
    rules = [_rule(entry, f"syscalls[{index}]") for index, entry in enumerate(entries)]
    found = Rules(default, architectures, rules)
    found.flags = _flags(profile, notifies=found.notifies)
    if profile.get("listenerMetadata") and not profile.get("listenerPath"):
        _refuse("listenerMetadata", "is given without listenerPath")
    if found.notifies:
        found.listener = str(profile.get("listenerPath") or "")
        found.metadata = str(profile.get("listenerMetadata") or "")
        if not found.listener:
            _refuse("listenerPath", "is missing, and SCMP_ACT_NOTIFY needs a listener")
    return found


def key(profile: dict[str, Any]) -> bytes:
    """Return what two profiles with one program have in common: the cache's key."""
    import json  # noqa: PLC0415

    kept = {
        name: profile.get(name) for name in ("defaultAction", "defaultErrnoRet", "architectures", "syscalls")
    }
    return json.dumps(kept, sort_keys=True).encode()


def build(rules: Rules) -> bytes:
    """Compile to an array of struct sock_filter; RuntimeFault where libseccomp refuses something."""
    with Context(rules.default) as context:
        context.bad_architecture(_KILL_PROCESS)
        for name in rules.architectures:
            try:
                context.add_architecture(name.removeprefix("SCMP_ARCH_").lower())
            except OSError as err:
                _refuse("architectures", f"holds {name}, which can't be covered here: {err.strerror}")
        unknown = False
        for rule in rules.rules:
            unknown |= _add(context, rule, rules.default)
        program = context.export()
        if unknown and rules.default & 0xFFFF0000 == _ERRNO:
            program = _newer(context) + program
    if len(program) > seccomp.MOST_INSTRUCTIONS * seccomp.INSTRUCTION:
        count = len(program) // seccomp.INSTRUCTION
        _refuse(
            "syscalls", f"needs {count} instructions of BPF, and the kernel takes {seccomp.MOST_INSTRUCTIONS}"
        )
    return program


def _add(context: Context, rule: Rule, default: int) -> bool:
    """Add a rule; returns whether it names a call that the library does not know."""
    numbers = [context.number(name) for name in rule.names]
    if rule.action != default:  # libseccomp refuses a rule that repeats the default
        for name, number in zip(rule.names, numbers, strict=True):
            for group in rule.alternatives() if number != -1 else ():
                try:
                    context.add_rule(rule.action, number, [Comparison(*each) for each in group])
                except OSError as err:
                    _refuse(rule.path, f"has a rule for {name} that libseccomp refuses: {err.strerror}")
    return -1 in numbers


def _newer(context: Context) -> bytes:
    """Return instructions that answer ENOSYS to calls beyond those that the library knows.

    The profile allows calls that are newer than the library; which they are can't be said in the filter. With
    the usual default of EPERM programs take such a call for forbidden and give up, where ENOSYS makes them
    fall back to an older one (glibc's fchmodat did so). Other calls beyond are not reached either way.
    """
    covered = [architecture for architecture in context.architectures if architecture != _X32]
    code = [_load(4)]  # struct seccomp_data: nr at 0, arch at 4
    for index, architecture in enumerate(covered):
        rest = 5 * (len(covered) - index - 1)
        code += [
            _jump(0x15, architecture, 0, 4),
            _load(0),
            # Numbers with this bit are x32's or -1, a call that a tracer cancelled: for the rules to judge.
            _jump(0x35, _X32_BIT, rest + 2, 0),
            _jump(0x25, context.last_number(architecture), 0, rest + 1),
            struct.pack("=HBBI", 0x06, 0, 0, _ERRNO | errno.ENOSYS),
        ]
    return b"".join(code)


def _load(offset: int) -> bytes:
    return struct.pack("=HBBI", 0x20, 0, 0, offset)  # BPF_LD | BPF_W | BPF_ABS


def _jump(code: int, operand: int, yes: int, no: int) -> bytes:
    return struct.pack("=HBBI", code, yes, no, operand)  # BPF_JMP | BPF_JEQ, BPF_JGE or BPF_JGT | BPF_K


def _rule(entry: dict[str, Any], path: str) -> Rule:
    names = entry.get("names")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        _refuse(f"{path}.names", "must be a list with at least one name")
    action = _action(entry, "action", "errnoRet", f"{path}.")
    arguments = entry.get("args") or ()
    compared = [_comparison(each, f"{path}.args[{index}]") for index, each in enumerate(arguments)]
    return Rule(names, action, compared, path)


def _action(entry: dict[str, Any], name: str, errno_name: str, prefix: str) -> int:
    action = ACTIONS[_known(entry.get(name), ACTIONS, prefix + name)]
    number = entry.get(errno_name)
    if action not in {_ERRNO, _TRACE}:
        if number is not None:
            _refuse(prefix + errno_name, f"does not go with {entry[name]}, which returns no error number")
        return action
    if number is None:
        return action | errno.EPERM
    # The kernel cuts an error number to 4095; the data for a tracer has 16 bits.
    most = _MOST_ERRNO if action == _ERRNO else 0xFFFF
    if not isinstance(number, int) or not 0 <= number <= most:
        _refuse(prefix + errno_name, f"must be a number from 0 to {most}, not {number!r}")
    return action | number


def _comparison(entry: dict[str, Any], path: str) -> tuple[int, int, int, int]:
    index, value, second = entry.get("index"), entry.get("value"), entry.get("valueTwo") or 0
    operator = OPERATORS[_known(entry.get("op"), OPERATORS, f"{path}.op")]
    if not isinstance(index, int) or not 0 <= index < _MOST_ARGUMENTS:
        _refuse(f"{path}.index", f"must be a number from 0 to {_MOST_ARGUMENTS - 1}, not {index!r}")
    for name, number in (("value", value), ("valueTwo", second)):
        if not isinstance(number, int) or not 0 <= number < 1 << 64:
            _refuse(f"{path}.{name}", f"must be a number of 64 bits, not {number!r}")
    assert isinstance(value, int)  # noqa: S101 - for the type checker: the loop above refused the rest
    # Masked: valueTwo is what is expected under the mask `value`, in libseccomp's order too.
    return index, operator, value, second


def _flags(profile: dict[str, Any], *, notifies: bool) -> int:
    if "flags" not in profile:
        # As runc and crun do: a filter is no reason to make the processor speculate less, as it was to
        # kernels before 5.16.
        return seccomp.SPEC_ALLOW | (seccomp.NEW_LISTENER if notifies else 0)
    flags = 0
    for name in profile["flags"] or ():
        flags |= FLAGS[_known(name, FLAGS, "flags")]
    if notifies:
        # Both return something: beside a listener, TSYNC has to report failure as an error (seccomp(2)).
        return flags | seccomp.NEW_LISTENER | (seccomp.TSYNC_ESRCH if flags & seccomp.TSYNC else 0)
    if flags & seccomp.WAIT_KILLABLE_RECV:
        _refuse(
            "flags", "has SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, which needs a rule with SCMP_ACT_NOTIFY"
        )
    return flags


def _known(name: object, names: dict[str, int] | tuple[str, ...], path: str) -> str:
    if not isinstance(name, str) or name not in names:
        _refuse(path, f"does not know {name!r}", hint=f"known are {', '.join(names)}")
    return name


def _refuse(path: str, why: str, *, hint: str = "") -> NoReturn:
    raise RuntimeFault(f"config.json: linux.seccomp.{path} {why}", kind="usage", hint=hint)
