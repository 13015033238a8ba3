"""The start-up scenario on fake targets."""

from collections import Counter
from itertools import groupby

import pytest

from bench import session as session_module
from bench import spares
from bench.errors import BenchFault
from bench.results import load
from bench.scenarios.startup import Startup
from bench.session import Session
from bench.sizes import Sizes
from bench.turns import turns
from tests.fakes.fake_target import DIGEST, FakeTarget, dying, obedient, virtual
from tests.fakes.figures import all_samples, counted, figures, in_order


def test_startup_records_every_rung_of_every_run(measure):
    run = measure(Startup(), FakeTarget("native"), virtual(), runs=3)
    assert set(figures(run, "native")) == {"created", "init", "listening", "ready", "teardown"}
    assert set(figures(run, "vm")) == {"created", "kernel", "init", "listening", "ready", "teardown"}
    assert {len(values) for values in figures(run, "vm").values()} == {4}  # a warm-up and three
    assert not run.failures


def test_no_duration_is_negative_and_rungs_follow_each_other(measure):
    run = measure(Startup(), FakeTarget("native"), virtual(), runs=3)
    assert all(sample.value >= 0 for _, sample in all_samples(run))
    rungs = figures(run, "vm")
    for names in (("created", "kernel"), ("kernel", "init"), ("init", "listening"), ("listening", "ready")):
        assert all(a <= b for a, b in zip(*(rungs[name] for name in names), strict=True))


def test_samples_of_machines_carry_their_accelerator_and_others_none(measure):
    run = measure(Startup(), FakeTarget("native"), virtual(), virtual("vm-micro"), runs=1)
    found = {m.target: s.accelerator for m, s in all_samples(run)}
    assert found == {"native": None, "vm": "tcg", "vm-micro": "tcg"}


def test_a_sample_says_what_was_measured_and_what_disturbed_it(measure):
    run = measure(Startup(), FakeTarget("native"), runs=1)
    for measurement, sample in all_samples(run):
        assert (measurement.image.reference, measurement.image.digest) == ("fake/agent", DIGEST)
        assert measurement.boundary == "a thread"
        assert sample.sentinels["window"] > 0
        assert sample.at > 0


@pytest.mark.parametrize(("runs", "again"), [(None, 1), (5, 0)])
def test_a_turn_that_was_set_aside_is_taken_again_unless_so_many_were_asked_for(
    measure, monkeypatch, runs, again
):
    seen = []

    def reason(sentinels):
        """The fifth turn is disturbed, which counts: there are three warm-ups at most."""
        if sentinels["window"] not in seen:
            seen.append(sentinels["window"])
        return "steal" if seen.index(sentinels["window"]) == 4 else None

    monkeypatch.setattr(spares, "most", lambda _runs: 2)
    monkeypatch.setattr(Session, "_look_around", lambda _session: None)
    monkeypatch.setattr(session_module.exclusion, "reason", reason)
    run = measure(Startup(), FakeTarget("native"), runs=runs)
    (ready,) = [m for m in run.measurements if m.metric == "ready"]
    counting = [sample for sample in ready.samples if not sample.warmup]
    planned = runs or Startup().counts("fast", ["native"])["native"]
    assert len(counting) == planned + again
    assert [sample.excluded for sample in counting].count("steal") == 1
    assert len({sample.round for sample in counting}) == len(counting)


def test_targets_are_interleaved_and_warm_up_first(measure):
    journal = []
    targets = [FakeTarget(name, journal=journal) for name in ("native", "container")]
    run = measure(Startup(), *targets, runs=6)
    order = in_order(run, "ready")
    assert [at for *_, at in order] == sorted(at for *_, at in order)
    assert max(len(list(same)) for _, same in groupby(target for *_, target, _ in order)) <= 2
    started = [line.split("-")[1] for line in journal if line.startswith("start ")]
    assert started == [target for *_, target, _ in order]
    warm = [s.round for _, s in all_samples(run) if s.warmup]
    assert set(warm) == {0}
    assert all(s.round > 0 for _, s in all_samples(run) if not s.warmup)


def test_blocked_order_measures_one_target_after_the_other(measure):
    journal = []
    targets = [FakeTarget(name, journal=journal) for name in ("native", "container")]
    measure(Startup(), *targets, runs=4, order="blocked")
    started = [line.split("-")[1] for line in journal if line.startswith("start ")]
    assert len(list(groupby(started))) == 2
    assert Counter(started) == {"native": 5, "container": 5}


def test_every_start_is_removed_before_the_next(measure):
    journal = []
    measure(Startup(), FakeTarget("native", journal=journal), virtual(journal=journal), runs=2)
    done = [line for line in journal if line.startswith(("start", "remove"))]
    assert [line.split()[0] for line in done] == ["start", "remove"] * 6
    assert all(a.split()[1] == b.split()[1] for a, b in zip(done[::2], done[1::2], strict=True))


@pytest.mark.parametrize("mode", ["fast", "default", "rigorous"])
def test_the_modes_differ_in_their_counts_and_runs_overrides_them(mode):
    own = Counter(
        slot.target for slot in turns(Startup(), Sizes(mode, 1), ["native", "vm"]) if not slot.warmup
    )
    assert own == {
        "native": {"fast": 12, "default": 300, "rigorous": 500}[mode],
        "vm": {"fast": 3, "default": 7, "rigorous": 20}[mode],
    }
    four = turns(Startup(), Sizes(mode, 1, runs=4), ["native", "vm"])
    assert Counter(slot.target for slot in four if not slot.warmup) == {"native": 4, "vm": 4}


def test_without_runs_the_file_has_the_modes_counts(measure):
    run = measure(Startup(), FakeTarget("native", behaviour=obedient()), virtual())
    assert counted(run, "ready") == {"native": 12, "vm": 3}


@pytest.mark.parametrize("behaviour", [dying, None])
def test_a_failing_start_is_noted_and_the_run_goes_on(measure, behaviour):
    target = FakeTarget("native")
    if behaviour:
        target.behaviours[2] = behaviour
    else:
        target.refusals[2] = BenchFault("no room for it", hint="make some", kind="host")
    run = measure(Startup(), target, runs=4)
    (failure,) = run.failures
    assert (failure.scenario, failure.target, failure.round) == ("startup", "native", 2)
    assert ("hung up" if behaviour else "no room for it") in failure.text
    assert [s.round for m, s in all_samples(run) if m.metric == "ready"] == [0, 1, 3, 4]
    assert run.finished
    assert all(instance.removed for instance in target.instances)


def test_a_removal_that_leaves_something_gives_no_sample(measure):
    run = measure(Startup(), FakeTarget("native", residue=["mount /x"]), runs=1)
    assert not run.measurements
    assert ["left behind: mount /x" in failure.text for failure in run.failures] == [True, True]


def test_an_interrupt_ends_the_run_with_what_it_has_and_removes_all(measure, tmp_path):
    target = FakeTarget("native", refusals={3: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        measure(Startup(), target, runs=5)
    run = load(tmp_path / "run.json")
    assert run.finished is None
    assert [s.round for m, s in all_samples(run) if m.metric == "ready"] == [0, 1, 2]
    assert all(instance.removed for instance in target.instances)
