"""The lifecycle scenario on real agents as children, and a crowd of them."""

from types import SimpleNamespace

import pytest

from bench.ladder import crowd
from bench.scenarios import lifecycle
from bench.scenarios.lifecycle import FULL, LINKED, SHARED, Lifecycle
from bench.target import Box
from tests.fakes.fake_target import FakeTarget, guest, stuck, virtual


def test_a_crowd_is_created_before_any_is_waited_for_and_then_deleted(measure):
    target = FakeTarget("container", "container")
    run = measure(Lifecycle(), target, runs=1)
    assert {(m.metric, m.params["at_once"]) for m in run.measurements} == {
        (metric, size) for metric in ("create", "answer", "delete", "disk") for size in (1, 10)
    }
    assert {m.params["root"] for m in run.measurements} == {SHARED}
    done = [line.split()[0] for line in target.journal[1:-1]]
    assert done == ["start", "remove", *["start"] * 10, *["remove"] * 10]
    values = {(m.metric, m.params["at_once"]): m.samples[0].value for m in run.measurements}
    for size in (1, 10):
        assert 0 < values["create", size] <= values["answer", size]
        assert values["delete", size] > 0


@pytest.mark.parametrize(
    ("accelerator", "gib", "sizes"),
    [("tcg", 64, {1, 2}), ("kvm", 64, {1, 10}), ("kvm-nested", 5, {1, 10}), ("kvm", 4, {1, 2})],
)
def test_a_crowd_of_guests_is_small_where_they_are_emulated_or_too_large(
    measure, monkeypatch, accelerator, gib, sizes
):
    monkeypatch.setattr(lifecycle.psutil, "virtual_memory", lambda: SimpleNamespace(available=gib << 30))
    run = measure(Lifecycle(), FakeTarget("vm", "vm", accelerator, behaviour=guest), runs=1, mode="default")
    assert {(m.params["root"], m.params["at_once"]) for m in run.measurements} == {
        (root, size) for root in (FULL, LINKED) for size in sizes
    }


def test_the_disk_of_each_is_what_it_allocated_for_itself(measure, tmp_path):
    def storage(name):
        (tmp_path / name).write_bytes(bytes(64 << 10))
        return [tmp_path / name]

    run = measure(Lifecycle(), FakeTarget("container", "container", storage=storage), runs=1)
    disk = {m.params["at_once"]: m.samples[0].value for m in run.measurements if m.metric == "disk"}
    assert disk == {1: 64 << 10, 10: 64 << 10}


def test_machines_are_made_from_a_copy_and_from_a_link(measure):
    target = virtual()
    run = measure(Lifecycle(), target, runs=1)
    assert {m.params["root"] for m in run.measurements} == {FULL, LINKED}
    assert [box.root for box in target.boxes] == ["full", "linked"]
    whole = virtual("vm-full")
    measure(Lifecycle(), whole, runs=1)
    assert [box.root for box in whole.boxes] == ["full"]


def test_one_that_does_not_answer_takes_the_crowd_with_it_and_leaves_nothing(measure):
    target = FakeTarget("container", "container", behaviours={4: stuck})
    run = measure(Lifecycle(), target, runs=1)
    assert "no marker 'listening'" in run.failures[0].text
    assert not any(m.params["at_once"] == 10 for m in run.measurements)
    assert len(target.instances) == 11
    assert all(instance.removed for instance in target.instances)


def test_a_crowd_that_could_not_be_started_whole_is_removed():
    target = FakeTarget("native", refusals={2: OSError("no more")})
    with (
        target.launcher(Box("agent", 1)) as launcher,
        pytest.raises(OSError, match="no more"),
        crowd(launcher, ["a", "b", "c"]),
    ):
        raise AssertionError("it never was whole")
    assert [instance.removed for instance in target.instances] == [True, True]
