from collections import Counter

import pytest

from bench import harness, ladder
from bench import session as session_module
from bench.errors import BenchFault
from bench.harness import Plan, execute
from bench.results import load
from bench.scenarios.registry import scenarios
from bench.sizes import Sizes
from tests.fakes.fake_target import FakeTarget, dying, virtual


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(session_module, "QUIET", 0)
    monkeypatch.setattr("bench.scenarios.memory.SETTLE", 0)
    monkeypatch.setattr(ladder, "PATIENCE", 2.0)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Executes a plan in which the registry of targets holds fakes."""

    def call(*known, names=("startup",), targets=None, **sizes):
        journal = known[0].journal
        monkeypatch.setattr(harness, "targets", lambda _drivers: {target.name: target for target in known})
        # Pruning looks at the cgroups of this very host, which is no business of a test without root.
        monkeypatch.setattr(harness, "prune", lambda data, run, _say: journal.append(f"prune {data} {run}"))
        plan = Plan(
            data=tmp_path / "data",
            run=tmp_path / "state",
            scenarios=tuple(scenarios()[name] for name in names),
            file=tmp_path / "deep/er/run.json",
            sizes=Sizes(**{"mode": "fast", "seed": 7, "runs": 1, **sizes}),
            command=("tare", "run"),
            targets=targets,
            quiet=True,
        )
        return execute(plan)

    return call


def ran(run):
    return {measurement.target for measurement in run.measurements}


def test_a_run_returns_what_stands_in_its_file(run, tmp_path):
    done = run(FakeTarget("native"), virtual(), seed=11, order="blocked")
    assert done == load(tmp_path / "deep/er/run.json")
    assert (done.seed, done.mode, done.order, done.command) == (11, "fast", "blocked", ("tare", "run"))
    assert done.finished > done.started
    assert ran(done) == {"native", "vm"}
    assert done.exclusion_rules
    assert done.environment.kernel.release
    assert done.id


def test_what_killed_runs_left_is_removed_before_anything_starts(run, tmp_path):
    target = FakeTarget("native")
    run(target)
    assert target.journal[:2] == [f"prune {tmp_path / 'data'} {tmp_path / 'state'}", "prepare agent"]


def test_the_file_exists_before_the_first_sample(run, tmp_path):
    seen = []

    def look(_inside):
        seen.append(load(tmp_path / "deep/er/run.json"))
        raise OSError

    target = FakeTarget("native", behaviours={0: look})
    run(target)
    assert seen[0].measurements == ()
    assert [found.name for found in seen[0].targets] == ["native"]


def test_all_targets_are_described_and_only_those_that_can_run_are_measured(run):
    done = run(FakeTarget("native"), FakeTarget("container", available=False))
    described = {target.name: (target.available, target.reason) for target in done.targets}
    assert described == {"native": (True, "a thread"), "container": (False, "the test says no")}
    assert ran(done) == {"native"}


def test_only_the_targets_that_were_asked_for_are_measured(run):
    known = [FakeTarget("native"), FakeTarget("container")]
    assert ran(run(*known, targets=("container",))) == {"container"}
    assert known[0].started == 0


def test_a_target_asked_for_that_cannot_run_ends_the_run_before_it_begins(run, tmp_path):
    target = FakeTarget("native")
    with pytest.raises(BenchFault, match="target container can't run here: the test says no") as caught:
        run(target, FakeTarget("container", available=False), targets=("native", "container"))
    assert (caught.value.kind, target.started) == ("host", 0)
    assert "list targets" in caught.value.hint
    assert not (tmp_path / "deep/er/run.json").exists()


@pytest.mark.parametrize(("targets", "kind"), [(None, "host"), (("vm-full",), "usage")])
def test_nothing_to_measure_is_no_empty_success(run, targets, kind):
    with pytest.raises(BenchFault, match="nothing to measure") as caught:
        run(virtual("vm-full"), names=("layers",), targets=targets)
    assert caught.value.kind == kind


def test_the_proof_of_the_accelerator_stands_in_the_file_with_its_caveat(run):
    done = run(FakeTarget("native"), virtual(), virtual("vm-micro"))
    proofs = done.environment.accelerators
    assert {
        name: (proof.name, proof.proof, proof.seconds) for name, proof in proofs.items()
    } == dict.fromkeys(("vm", "vm-micro"), ("tcg", "a fake guest", 0.5))
    assert [caveat.code for caveat in done.warnings].count("emulated") == 1


@pytest.mark.parametrize("accelerator", ["kvm", "kvm-nested"])
def test_without_emulation_there_is_no_caveat_about_it(run, accelerator):
    target = FakeTarget("vm", "vm", accelerator)
    done = run(target)
    assert "emulated" not in [caveat.code for caveat in done.warnings]
    assert {s.accelerator for m in done.measurements for s in m.samples} == {accelerator}


def test_scenarios_follow_each_other_and_share_no_instance(run):
    target = FakeTarget("native")
    done = run(target, names=("startup", "memory"))
    assert [m.scenario for m in done.measurements] == sorted(
        (m.scenario for m in done.measurements), reverse=True
    )
    assert Counter(line for line in target.journal if "prepare" in line) == {"prepare agent": 2}
    assert [line.split()[0] for line in target.journal if line.split()[0] in {"prepare", "release"}] == [
        "prepare", "release", "prepare", "release",
    ]  # fmt: skip


def test_a_failing_start_does_not_end_the_run(run):
    done = run(FakeTarget("native", behaviours={1: dying}), runs=3)
    assert [failure.round for failure in done.failures] == [1]
    assert done.finished


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(143), OSError(28, "No space left on device")]
)
def test_an_end_from_outside_leaves_a_valid_unfinished_file_and_no_instance(run, tmp_path, error):
    target = FakeTarget("native", refusals={2: error})
    with pytest.raises(type(error)):
        run(target, runs=5)
    left = load(tmp_path / "deep/er/run.json")
    assert left.finished is None
    assert {len(m.samples) for m in left.measurements} == {2}
    assert all(instance.removed for instance in target.instances)


def test_the_same_seed_gives_the_same_order_of_starts(run):
    def started(seed):
        journal = []
        run(*(FakeTarget(n, journal=journal) for n in ("native", "container", "vm-x")), runs=4, seed=seed)
        return [line for line in journal if line.startswith("start")]

    assert started(3) == started(3) != started(4)


def test_a_writer_refuses_a_machine_without_accelerator(run):
    with pytest.raises(BenchFault, match="kind vm says no accelerator"):
        run(FakeTarget("vm", "vm"))
