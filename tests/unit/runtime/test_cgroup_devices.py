"""Device rules: the v2 program runs in a small interpreter of BPF, the v1 lines by the kernel's rules."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.cgroups import devices, oci
from runtime.cgroups.devices import ANY, Rule
from runtime.cgroups.mounts import Mounts
from runtime.cgroups.room import Spot
from runtime.errors import RuntimeFault

BITS = {"m": 1, "r": 2, "w": 4}


def run(program, kind, major, minor, access):
    """Answer of the program for struct bpf_cgroup_dev_ctx, by the instruction set's documentation."""
    context = struct.pack("=3I", BITS[access] << 16 | devices._KINDS[kind], major, minor)
    registers, at = [0] * 11, 0
    code = list(struct.iter_unpack("=BBhi", program))
    for _ in range(len(code) + 1):
        op, regs, off, imm = code[at]
        dst, src = regs & 15, regs >> 4
        at += 1
        if op == 0x95:
            return registers[0]
        if op == 0x61:
            registers[dst] = struct.unpack_from("=I", context, off)[0]
        elif op == 0xBC:
            registers[dst] = registers[src]
        elif op == 0xB4:
            registers[dst] = imm & 0xFFFFFFFF
        elif op == 0x54:
            registers[dst] &= imm & 0xFFFFFFFF
        elif op == 0x74:
            registers[dst] >>= imm
        elif op == 0x55:
            at += off if registers[dst] != imm else 0
        elif op == 0x15:
            at += off if registers[dst] == imm else 0
        else:
            pytest.fail(f"instruction {op:#x} is not of this program")
    return pytest.fail("no answer")


def kernel_v1(steps):
    """Default and exceptions after the writes, as security/device_cgroup.c keeps them."""
    allow, exceptions = True, {}
    for _, path, line in steps:
        kind, numbers, access = line.split()
        allowing = path.endswith("devices.allow")
        if kind == "a":
            allow, exceptions = allowing, {}
        elif allowing != allow:
            exceptions.setdefault((kind, numbers), set()).update(access)
        else:
            exceptions.setdefault((kind, numbers), set()).difference_update(access)
    return allow, exceptions


def answer_v1(state, kind, major, minor, access):
    allow, exceptions = state
    hit = any(
        kind == k
        and access in bits
        and all(p in {"*", str(n)} for p, n in zip(numbers.split(":"), (major, minor), strict=True))
        for (k, numbers), bits in exceptions.items()
    )
    return allow != hit


def meant(rules, kind, major, minor, access):
    """The last rule that speaks of the access decides; before all rules everything is allowed."""
    for rule in reversed(rules):
        same = rule.kind in {"a", kind} and rule.major in {ANY, major} and rule.minor in {ANY, minor}
        if same and rule.access & BITS[access]:
            return rule.allow
    return True


number = st.sampled_from([ANY, 1, 2])
rule_lists = st.lists(
    st.builds(
        lambda kind, major, minor, access, allow: Rule("r", kind, major, minor, access, allow=allow),
        st.sampled_from("abc"), number, number, st.integers(1, 7), st.booleans(),
    ),
    max_size=6,
)  # fmt: skip
requests = st.tuples(st.sampled_from("bc"), st.integers(1, 3), st.integers(1, 3), st.sampled_from("rwm"))


@given(rule_lists, requests)
def test_the_program_decides_as_the_rules_mean(rules, request):
    assert bool(run(devices.program(rules), *request)) == meant(rules, *request)


@given(rule_lists, requests)
def test_v1_decides_as_the_rules_mean_or_is_refused(rules, request):
    try:
        steps = devices.steps(Spot(1, "/d"), rules)
    except RuntimeFault:
        return
    assert answer_v1(kernel_v1(steps), *request) == meant(rules, *request)


def rules_of(*entries, version=1):
    mounts = Mounts({"devices": (version, "/nowhere")}, "/nowhere" if version != 1 else None)
    return oci.plan(mounts, "/a", "a", {"devices": list(entries)})


DENY = {"allow": False, "access": "rwm"}


def test_v1_writes_what_the_rules_come_to_and_each_of_it_once():
    allow = {"allow": True, "type": "c", "major": 1, "access": "rwm"}
    tty = {**allow, "major": 5, "minor": 0}
    docker = [DENY, {**allow, "minor": 5}, {**allow, "minor": 3}, {**allow, "minor": 9, "access": "r"}, tty]
    closed = [step[2] for step in rules_of(DENY).steps() if step[0] == "write"]
    wrote = [step[2] for step in rules_of(*docker).steps() if step[0] == "write"]
    assert sorted(wrote) == sorted(closed)
    assert wrote[0] == "a *:* rwm"
    shut = [{**tty, "major": 7, "minor": 7}, {**tty, "major": 7, "minor": 7, "allow": False}]
    assert [step[2] for step in rules_of(DENY, *shut).steps() if step[0] == "write"] == closed
    opened = [step for step in rules_of(DENY, {**DENY, "allow": True}).steps() if step[0] == "write"]
    assert [(path.rpartition("/")[2], line) for _, path, line in opened] == [("devices.allow", "a *:* rwm")]


def test_default_devices_stay_after_a_denial_of_all():
    lines = [s[2] for s in rules_of(DENY).steps() if s[0] == "write"]
    assert lines[0] == "a *:* rwm"
    assert {"c 1:3 rwm", "c 5:2 rwm", "c 136:* rwm"} <= set(lines)
    (program,) = [bytes.fromhex(s[2]) for s in rules_of(DENY, version=2).steps() if s[0] == "devices"]
    asked = {(1, 3, "r"): 1, (136, 7, "w"): 1, (10, 229, "m"): 1, (10, 229, "r"): 0, (1, 1, "r"): 0}
    assert {key: run(program, "c", *key) for key in asked} == asked


@pytest.mark.parametrize("entries", [[], [{**DENY, "type": "c", "major": 10, "minor": 229}]])
def test_what_no_rule_allows_is_denied(entries):
    written = [s for s in rules_of(*entries).steps() if s[0] == "write"]
    (program,) = [bytes.fromhex(s[2]) for s in rules_of(*entries, version=2).steps() if s[0] == "devices"]
    asked = {("c", 10, 229, "r"): 0, ("b", 8, 0, "w"): 0, ("c", 1, 3, "w"): 1, ("c", 10, 200, "r"): 1}
    assert {key: run(program, *key) for key in asked} == asked
    assert {key: int(answer_v1(kernel_v1(written), *key)) for key in asked} == asked


def test_one_rule_adds_to_the_default_devices():
    one = {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "r"}
    state = kernel_v1([s for s in rules_of(one).steps() if s[0] == "write"])
    asked = [("c", 10, 229, "r"), ("c", 1, 5, "r"), ("c", 10, 229, "w"), ("c", 1, 1, "r")]
    assert [answer_v1(state, *key) for key in asked] == [True, True, False, False]


def test_what_may_use_everything_is_not_closed_first():
    everything = {"allow": True, "access": "rwm"}
    assert ("write", "/nowhere/a/devices.allow", "a *:* rwm") in rules_of(everything).steps()
    assert not [s for s in rules_of(everything).steps() if "devices.deny" in s[1]]


def test_without_a_way_to_deny_devices_nothing_starts():
    with pytest.raises(RuntimeFault, match=r"linux\.resources\.devices"):
        oci.plan(Mounts({"pids": (1, "/nowhere")}, None), "/a", "a", None)


def test_a_hole_that_v1_can_not_cut_is_refused_by_name():
    wide, narrow = (
        {"allow": True, "type": "c", "major": 10},
        {"allow": False, "type": "c", "major": 10, "minor": 1},
    )
    with pytest.raises(RuntimeFault, match=r"devices\[2\].*devices\[1\]"):
        rules_of(DENY, wide, narrow)
    assert rules_of(DENY, wide, narrow, version=2).steps()


def test_a_wildcard_may_be_written_as_minus_one():
    disk = {"allow": True, "type": "b", "major": 8, "minor": -1, "access": "r"}
    assert "b 8:* r" in [s[2] for s in rules_of(DENY, disk).steps() if s[0] == "write"]
