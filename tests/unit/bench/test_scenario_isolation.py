"""The isolation scenario on boxes that share everything or nothing, and on namespaces that the host lists."""

import os

import pytest

from bench.scenarios import isolation
from bench.scenarios.isolation import Isolation, apart
from bench.target import Member
from tests.fakes.fake_target import FakeTarget, Inside

RESOURCES = {"pid", "mount", "net", "uts", "ipc", "user", "cgroup"}


class Kernel:
    """What boxes have in common that share a kernel's resources, each box having a number of its own."""

    def __init__(self):
        self.files, self.held, self.sleeps, self.boxes = {}, set(), set(), 0

    def take(self, what):
        if what in self.held:
            return ""
        self.held.add(what)
        return "held\n"

    def answer(self, command, number):
        if command.startswith("sleep"):
            self.sleeps.add(number)
        if "$PPID" in command:
            return f"{number}\n"
        if command.startswith("grep"):
            return "".join(f"/proc/{pid}/cmdline\n" for pid in self.sleeps)
        if command.startswith("echo"):
            self.files["/tmp"] = command.split()[1]
        if command.startswith("cat /tmp"):
            return self.files["/tmp"] + "\n"
        if "listen" in command or "defined shmget" in command:
            return self.take("port" if "listen" in command else "key")
        if "shmctl" in command:
            self.held.discard("key")
        return f"boot-{id(self)}\n" if "boot_id" in command else ""


def boxes(shared):
    """A behaviour: boxes on one kernel, or each on its own."""
    one = Kernel()
    kernels = []

    def behave(inside: Inside) -> None:
        kernels.append(one if shared else Kernel())
        kernel = kernels[-1]
        kernel.boxes += 1
        number = kernel.boxes
        inside.say(b"\x1etare init\n", b"\x1etare listening\n")
        for words in inside.requests():
            if words[0] == "ping":
                inside.pong(words)
            else:
                answer = kernel.answer(words[2], number)
                inside.say(answer.encode(), f"\x1etare done {words[1]} 0\n".encode())

    return behave, kernels


def found(run):
    return {m.params["resource"]: m.samples[0].value for m in run.measurements}


@pytest.mark.parametrize("shared", [True, False])
def test_two_boxes_that_share_everything_and_two_that_share_nothing(measure, shared):
    behaviour, kernels = boxes(shared)
    run = measure(Isolation(), FakeTarget("vm", "vm", "tcg", behaviour=behaviour), runs=1)
    assert found(run) == dict.fromkeys(RESOURCES, float(not shared))
    assert not any("key" in kernel.held for kernel in kernels[:1])  # the segment does not stay


def test_containers_are_asked_of_the_host(measure, monkeypatch):
    behaviour, _ = boxes(shared=False)
    monkeypatch.setattr(isolation, "apart", lambda _one, _other, kind: kind == "uts")
    run = measure(Isolation(), FakeTarget("container", "container", behaviour=behaviour), runs=1)
    assert {kind for kind, own in found(run).items() if not own} == {"user", "cgroup"}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([2], [3], True),
        ([2, 0], [0, 3], True),  # helpers of a runtime stay in the host's
        ([2], [2], False),
        ([0], [0], False),
        ([2], [0], False),
        ([], [3], False),
        ([2], [9], False),  # gone meanwhile
    ],
)
def test_namespaces_of_ones_own_are_neither_the_others_nor_ours(tmp_path, one, other, expected):
    numbers = {os.getpid(): 0, 100: 0, 102: 2, 103: 3}
    for pid, number in numbers.items():
        (tmp_path / str(pid) / "ns").mkdir(parents=True)
        (tmp_path / str(pid) / "ns/uts").symlink_to(f"uts:[{number}]")
    members = ([Member(100 + number, "x") for number in side] for side in (one, other))
    assert apart(*members, "uts", tmp_path) is expected
