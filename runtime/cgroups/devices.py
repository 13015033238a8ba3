"""linux.resources.devices: which devices a container may open or make, as v1 files or as a v2 BPF program.

A container may use those of the specification ("Default Devices") and what its rules allow, as runc has it:
no rules are no permission. They are applied in order, so that the last one that speaks of an access decides
(config-linux.md, "Allowed Device list"). v1 keeps a default and exceptions to it, and can't cut a hole into
an exception: such a list is refused there.
Kernel: Documentation/admin-guide/cgroup-v1/devices.rst, cgroup-v2.rst "Device controller".
"""

from __future__ import annotations

import struct

from runtime.cgroups.fields import wrong
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.fields import Fields
    from runtime.cgroups.room import Room, Spot, Step

WHERE = "linux.resources.devices"
ANY = -1
_MKNOD, _READ, _WRITE = 1, 2, 4  # BPF_DEVCG_ACC_
_BITS = {"r": _READ, "w": _WRITE, "m": _MKNOD}
_ALL = _READ | _WRITE | _MKNOD
_KINDS = {"b": 1, "c": 2}  # BPF_DEVCG_DEV_
_MOST = (1 << 31) - 1


class Rule:
    """`kind` "a", "b" or "c"; `major` and `minor` may be ANY; `access` is a set of bits."""

    __slots__ = ("access", "allow", "kind", "major", "minor", "where")

    def __init__(self, where: str, kind: str, major: int, minor: int, access: int, *, allow: bool) -> None:
        self.where, self.kind, self.major, self.minor = where, kind, major, minor
        self.access, self.allow = access, allow

    @property
    def everything(self) -> bool:
        """Whether it is about every access to every device."""
        return self.kind == "a" and self.major == self.minor == ANY and self.access == _ALL

    def within(self, other: Rule) -> bool:
        """Whether each of its devices is one of `other`'s."""
        pairs = ((self.major, other.major), (self.minor, other.minor))
        return other.kind in {"a", self.kind} and all(theirs in {ANY, ours} for ours, theirs in pairs)

    def meets(self, other: Rule) -> bool:
        """Whether they have a device in common."""
        pairs = ((self.major, other.major), (self.minor, other.minor))
        return self.kind == other.kind and all(ANY in pair or pair[0] == pair[1] for pair in pairs)

    def line(self, access: int) -> str:
        """Return the line of v1's files that is about `access` to its devices."""
        numbers = ":".join("*" if number == ANY else str(number) for number in (self.major, self.minor))
        return f"{self.kind} {numbers} {''.join(letter for letter, bit in _BITS.items() if access & bit)}"


def _default(kind: str, major: int, minor: int, access: int = _ALL) -> Rule:
    return Rule("default", kind, major, minor, access, allow=True)


CLOSED = Rule("default", "a", ANY, ANY, _ALL, allow=False)
# The devices that the specification supplies ("Default Devices"), terminals, tun, and nodes as such: what
# runc lets in after the configuration's own rules.
DEFAULTS = (
    _default("c", ANY, ANY, _MKNOD), _default("b", ANY, ANY, _MKNOD),
    _default("c", 1, 3), _default("c", 1, 5), _default("c", 1, 7), _default("c", 1, 8), _default("c", 1, 9),
    _default("c", 5, 0), _default("c", 5, 2), _default("c", 136, ANY), _default("c", 10, 200),
)  # fmt: skip


def plan(entries: list[Fields], room: Room) -> list[Step]:
    """Return the steps for these rules, which may be none. Rootless, rules are left out with a warning.

    There the user namespace already keeps the container from making nodes, and the program needs CAP_BPF.
    Where else nothing can keep it from using them, that is a RuntimeFault.
    """
    rules = [_rule(entry) for entry in entries]
    if room.lacking or (room.rootless and (not rules or room.spots.get("devices"))):
        room.warnings += [
            f"{rule.where}: device rules need root; the user namespace refuses nodes instead"
            for rule in rules[:1]
        ]
        return []
    before = () if rules and rules[0].everything else (CLOSED,)
    return steps(room.spot("devices", WHERE), [*before, *rules, *DEFAULTS])


def steps(spot: Spot, rules: list[Rule]) -> list[Step]:
    """Return the steps that put `rules` into force in one cgroup."""
    if spot.version == 1:
        return _files(spot, rules)
    return [("devices", spot.directory, program(rules).hex())]


def _rule(entry: Fields) -> Rule:
    allow, kind, access = entry.flag("allow"), entry.text("type") or "a", entry.text("access") or "rwm"
    major, minor = (entry.integer(name, least=-1, most=_MOST) for name in ("major", "minor"))
    entry.done()
    if allow is None:
        raise RuntimeFault(
            f"{entry.path('allow')} is missing", kind="usage", hint="the specification requires it"
        )
    if kind not in {"a", *_KINDS}:
        raise wrong(entry.path("type"), kind, "a, b or c")
    if set(access) - set(_BITS):
        raise wrong(entry.path("access"), access, "made of r, w and m")
    bits = sum(_BITS[letter] for letter in set(access))
    first, second = (ANY if number is None else number for number in (major, minor))
    return Rule(entry.where, kind, first, second, bits, allow=allow)


def _files(spot: Spot, rules: list[Rule]) -> list[Step]:
    """Follow the kernel's list, a default and exceptions to it, and write what it comes to, each of it once.

    The first write empties the list, whatever was in it; the kernel takes one exception a write.
    """
    default, exceptions = True, dict[Rule, int]()
    for rule in (each for one in rules for each in _split(one)):
        if rule.everything:
            default, exceptions = rule.allow, {}
        elif rule.allow == default:
            _cut(exceptions, rule)
        else:
            same = next((one for one in exceptions if one.within(rule) and rule.within(one)), rule)
            exceptions[same] = exceptions.get(same, 0) | rule.access
    whole, part = ("devices.allow", "devices.deny") if default else ("devices.deny", "devices.allow")
    lines = [one.line(access) for one, access in exceptions.items() if access]
    return [spot.write(whole, "a *:* rwm"), *(spot.write(part, line) for line in lines)]


def _split(rule: Rule) -> list[Rule]:
    """v1 takes "a" for everything, whatever follows."""
    if rule.kind != "a" or rule.everything:
        return [rule]
    return [Rule(rule.where, kind, rule.major, rule.minor, rule.access, allow=rule.allow) for kind in _KINDS]


def _cut(exceptions: dict[Rule, int], rule: Rule) -> None:
    """Take from the exceptions what ends with `rule`; the kernel only knows whole ones."""
    for one in [one for one, access in exceptions.items() if one.meets(rule) and access & rule.access]:
        if not one.within(rule):
            verb = "denied" if one.allow else "allowed"
            raise RuntimeFault(
                f"{rule.where}: cgroup v1 can't have a part of {one.where} {verb} again",
                kind="host", hint="name the devices one by one",
            )  # fmt: skip
        exceptions[one] &= ~rule.access


def program(rules: list[Rule]) -> bytes:
    """Return the BPF program: last rule first, each strikes out what it allows of the access asked for.

    Registers: r2 kind, r3 access that nothing has allowed yet, r4 major, r5 minor; r0 is the answer.
    """
    code = [_insn(0x61, 2, 1), _insn(0xBC, 3, 2), _insn(0x54, 2, imm=0xFFFF), _insn(0x74, 3, imm=16)]
    code += [_insn(0x61, 4, 1, off=4), _insn(0x61, 5, 1, off=8)]
    for rule in reversed(rules):
        code += _block(rule)
        if rule.everything:  # the verifier refuses instructions that can't be reached
            return b"".join(code if not rule.allow else [*code, *_answer(0)])
    return b"".join([*code, *_answer(1)])


def _block(rule: Rule) -> list[bytes]:
    if rule.everything and not rule.allow:
        return _answer(0)
    if rule.allow:
        body = [_insn(0x54, 3, imm=_ALL & ~rule.access), _insn(0x55, 3, off=2)]
    else:
        body = [_insn(0xBC, 0, 3), _insn(0x54, 0, imm=rule.access), _insn(0x15, 0, off=2)]
    body += _answer(1 if rule.allow else 0)
    fixed = [(2, _KINDS.get(rule.kind, ANY)), (4, rule.major), (5, rule.minor)]
    for register, value in reversed([pair for pair in fixed if pair[1] != ANY]):
        body.insert(0, _insn(0x55, register, off=len(body), imm=value))  # elsewhere: past this block
    return body


def _answer(value: int) -> list[bytes]:
    return [_insn(0xB4, 0, imm=value), _insn(0x95)]


def _insn(code: int, dst: int = 0, src: int = 0, *, off: int = 0, imm: int = 0) -> bytes:
    """Return a struct bpf_insn: opcode, registers, jump or offset, constant."""
    return struct.pack("=BBhi", code, dst | src << 4, off, imm)
