"""The memory scenario on fake targets."""

import os

import pytest

from bench.scenarios.memory import Memory
from bench.target import Member
from tests.fakes.fake_target import FakeTarget, dying, virtual
from tests.fakes.figures import figures


def test_memory_grows_to_n_and_records_at_each(measure, group):
    target = FakeTarget("native", memory_cgroup=group)
    run = measure(Memory(), target, runs=1)
    for n in (1, 2, 4, 8):
        found = figures(run, "native", n=n)
        assert {name: found[f"cgroup_{name}"] for name in ("anon", "file", "kernel", "shmem")} == {
            "anon": [1000 * n], "file": [500 * n], "kernel": [50 * n], "shmem": [200 * n],
        }  # fmt: skip
        assert found["unexplained"][0] == found["mem_available_drop"][0] - 1250 * n
    assert all(line.endswith("with ledger") for line in target.journal if line.startswith("start"))
    assert len(target.instances) == 8
    assert all(instance.removed for instance in target.instances)


def test_memory_sums_the_processes_of_all_instances(measure):
    run = measure(Memory(), FakeTarget("native"), runs=1)  # real shells, real /proc
    for metric in ("pss", "uss", "rss", "page_tables"):
        one, *_, eight = (figures(run, "native", n=n)[metric][0] for n in (1, 2, 4, 8))
        assert 0 < one < eight


def test_a_footprint_is_pss_and_kernel_memory_and_needs_a_cgroup_that_accounts_for_that(measure, group):
    run = measure(Memory(), FakeTarget("native", memory_cgroup=group), runs=1)
    for n in (1, 2, 4, 8):
        found = figures(run, "native", n=n)
        assert found["footprint"] == [found["pss"][0] + 50 * n]
    together = measure(Memory(), FakeTarget("native", shared=Daemon(group)), runs=1)
    assert "footprint" in figures(together, "native", n=8)
    foreign = Daemon(group)
    foreign.accounted = False
    partly = measure(Memory(), FakeTarget("native", shared=foreign, memory_cgroup=group), runs=1)
    assert "footprint" not in figures(partly, "native", n=8)
    bare = measure(Memory(), FakeTarget("native"), runs=1)
    assert "footprint" not in figures(bare, "native", n=8)


def test_what_instances_share_grows_with_their_number(measure):
    run = measure(Memory(), FakeTarget("native"), runs=1)  # all of one program, as the kernel counts them
    found = {n: {name: of[0] for name, of in figures(run, "native", n=n).items()} for n in (1, 8)}
    for at in found.values():
        assert at["shared"] == pytest.approx(1 - at["pss"] / at["rss"])
    assert 0 <= found[1]["shared"] < found[8]["shared"] < 1


def test_memory_grows_one_target_at_a_time_and_each_round_anew(measure):
    journal = []
    measure(Memory(), FakeTarget("native", journal=journal), virtual(journal=journal), runs=2)
    alive, most = set(), 0
    for line in journal:
        verb, name, *_ = line.split()
        alive = alive | {name} if verb == "start" else alive - {name}
        assert len({name.split("-")[1] for name in alive if name.startswith("memory-")}) <= 1
        most = max(most, len(alive))
    assert most == 8
    assert sum(line.startswith("start memory-vm-") for line in journal) == 2 * 2


def test_a_box_that_dies_while_memory_grows_keeps_what_was_read(measure):
    target = FakeTarget("native", behaviours={5: dying})
    run = measure(Memory(), target, runs=2)
    assert [len(figures(run, "native", n=n)["pss"]) for n in (1, 2, 4, 8)] == [2, 2, 2, 1]
    (failure,) = run.failures
    assert (failure.scenario, failure.target) == ("memory", "native")
    assert all(instance.removed for instance in target.instances)


class Daemon:
    """Serves all instances from a group that grows by 100 bytes whenever it is looked at."""

    accounted = True

    def __init__(self, group):
        self.group, self.looks = group, 0

    def members(self):
        return [Member(os.getpid(), "daemon, shared")]

    @property
    def memory_cgroups(self):
        self.looks += 1
        (self.group / "memory.stat").write_text(
            f"anon {5000 + 100 * self.looks}\nfile 0\nkernel 7\nshmem 0\n"
        )
        return [self.group]


def test_what_serves_all_instances_counts_by_what_it_has_grown_by(measure, group):
    run = measure(Memory(), FakeTarget("native", shared=Daemon(group)), runs=1)
    for look, n in enumerate((1, 2, 4, 8), 1):
        found = figures(run, "native", n=n)
        assert found["cgroup_anon"] == [100 * look]  # not the 5100 that were there before
        assert found["cgroup_kernel"] == [0]


def test_each_part_that_a_process_plays_has_a_line_of_its_own(measure, group):
    run = measure(Memory(), FakeTarget("native", shared=Daemon(group)), runs=1)
    parts = {
        (m.params["n"], m.params["role"]): m.samples[0].value
        for m in run.measurements
        if m.metric == "pss_of"
    }
    assert {role for _, role in parts} == {"fake", "daemon, shared"}
    for n in (1, 2, 4, 8):
        own, whole = parts[n, "fake"], figures(run, "native", n=n)["pss"][0]
        # The daemon is this very process, in full in its line and by its growth in the sum.
        assert parts[n, "daemon, shared"] > 10 * 2**20
        assert 0 < own < parts[n, "daemon, shared"]
        assert abs(whole - own) < parts[n, "daemon, shared"] / 2


def test_without_anything_shared_the_parts_are_the_sum(measure):
    run = measure(Memory(), FakeTarget("native"), runs=1)
    parts = {m.params["n"]: m.samples[0].value for m in run.measurements if m.metric == "pss_of"}
    for n, value in parts.items():
        assert value == pytest.approx(figures(run, "native", n=n)["pss"][0], rel=0.05)
