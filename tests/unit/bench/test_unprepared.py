"""What can't be prepared is a failure of the run, and the other targets and scenarios go on."""

from collections import Counter
from functools import partial

import pytest

from bench import harness, ladder
from bench import session as session_module
from bench.errors import BenchFault
from bench.harness import Plan, execute
from bench.pace import Pace
from bench.results import load
from bench.scenarios.registry import scenarios
from bench.sizes import Sizes
from tests.fakes.fake_target import FakeTarget, dying, virtual

NO_IMAGE = BenchFault("debian:bookworm could not be made", hint="see the network", kind="failed")
FULL = OSError(28, "No space left on device", "/tmp/tare-native-x")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(session_module, "QUIET", 0)
    monkeypatch.setattr("bench.scenarios.memory.SETTLE", 0)
    monkeypatch.setattr(ladder, "PATIENCE", 2.0)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Executes a plan in which the registry of targets holds fakes."""

    def call(*known, names=("startup",), **sizes):
        monkeypatch.setattr(harness, "targets", lambda _drivers: {target.name: target for target in known})
        monkeypatch.setattr(harness, "prune", lambda *_: [])  # looks at the cgroups of this very host
        return execute(
            Plan(
                data=tmp_path / "data",
                run=tmp_path / "state",
                scenarios=tuple(scenarios()[name] for name in names),
                file=tmp_path / "run.json",
                sizes=Sizes(**{"mode": "fast", "seed": 7, "runs": 2, **sizes}),
                command=("tare", "run"),
            )
        )

    return call


def ran(run):
    return {(measurement.scenario, measurement.target) for measurement in run.measurements}


def test_the_other_targets_and_scenarios_go_on(run, tmp_path, capsys):
    broken = partial(FakeTarget, "container", unprepared={"agent": NO_IMAGE})
    done = run(FakeTarget("native"), broken(), virtual(), names=("startup", "memory"))
    assert ran(done) == {(name, target) for name in ("startup", "memory") for target in ("native", "vm")}
    assert [(f.scenario, f.target, f.round, f.text, f.hint) for f in done.failures] == [
        (name, "container", 0, "debian:bookworm could not be made", "see the network")
        for name in ("startup", "memory")
    ]
    assert done.finished
    assert done == load(tmp_path / "run.json")
    said = capsys.readouterr().err
    assert said.count("startup on container can't be prepared, so it is left out: debian:bookworm could") == 1
    assert "10 of 10" in said.splitlines()[-1]


def test_a_scenario_without_any_target_that_can_be_prepared_does_not_end_the_run(run):
    native = FakeTarget("native", unprepared={"bench": NO_IMAGE})
    done = run(native, names=("cpu", "startup"))
    assert ran(done) == {("startup", "native")}
    assert [(f.scenario, f.round) for f in done.failures] == [("cpu", 0)]


def test_what_the_host_refuses_meanwhile_is_a_failure_too(run):
    done = run(FakeTarget("native", unprepared={"agent": FULL}), FakeTarget("container"))
    (failure,) = done.failures
    assert failure.text == "preparing agent for native: /tmp/tare-native-x: No space left on device"
    assert "make room" in failure.hint
    assert ran(done) == {("startup", "container")}


def test_the_order_of_the_others_is_the_planned_one(run):
    def started(*broken):
        journal = []
        targets = [FakeTarget(n, journal=journal) for n in ("native", "container", "vm-x")]
        for target in targets:
            target.unprepared = {"agent": NO_IMAGE} if target.name in broken else {}
        run(*targets, runs=5)
        return [line for line in journal if line.startswith("start") and "container" not in line]

    assert started() == started("container")
    assert started()


def test_nothing_prepared_at_all_ends_the_run_with_the_first_reason(run, tmp_path):
    full = BenchFault("the disk is full", hint="make room", kind="host")
    targets = [
        FakeTarget(n, unprepared={"agent": error}) for n, error in (("native", full), ("container", FULL))
    ]
    with pytest.raises(BenchFault, match="the disk is full") as caught:
        run(*targets)
    assert caught.value.kind == "host"
    left = load(tmp_path / "run.json")
    assert (left.finished, len(left.failures)) == (None, 2)


def test_turns_that_fail_are_more_than_nothing_prepared(run):
    done = run(FakeTarget("native", behaviour=dying), FakeTarget("container", unprepared={"agent": NO_IMAGE}))
    assert Counter(failure.target for failure in done.failures) == {"native": 3, "container": 1}
    assert done.finished


def test_what_was_prepared_before_is_released(run):
    native = FakeTarget("native")
    run(native, FakeTarget("container", unprepared={"agent": NO_IMAGE}))
    assert native.journal[-1] == "release agent"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)])
def test_an_end_from_outside_ends_a_preparation(run, error):
    with pytest.raises(type(error)):
        run(FakeTarget("native"), FakeTarget("container", unprepared={"agent": error}))


def test_a_full_disk_under_the_result_file_ends_the_run(run, monkeypatch):
    def refuse(_journal, addition):
        if any("could not be made" in failure.text for failure in addition.failures):
            raise BenchFault("run.json: no space", hint="make room", kind="host")

    monkeypatch.setattr("bench.results.writer.Journal.add", refuse)
    native = FakeTarget("native")
    with pytest.raises(BenchFault, match=r"run\.json: no space"):
        run(FakeTarget("container", unprepared={"agent": NO_IMAGE}), native)
    assert native.started == 0


def test_layers_records_each_layout_that_cannot_be_prepared(run, tmp_path):
    broken = FakeTarget("native", unprepared={"layers-0": FULL})
    done = run(broken, names=("layers", "startup"), runs=1)
    assert [(f.scenario, "No space left" in f.text) for f in done.failures] == [("layers", True)]
    assert ran(done) == {("startup", "native")}


def test_layers_alone_on_a_full_disk_ends_the_run(run):
    with pytest.raises(BenchFault, match="No space left") as caught:
        run(FakeTarget("native", unprepared={"layers-0": FULL}), names=("layers",), runs=1)
    assert caught.value.kind == "host"


def test_steps_that_are_not_to_come_leave_the_plan():
    pace = Pace()
    pace.plan(["a", "a", "b"])
    pace.drop("a")
    pace.step("a", 2.0)
    assert (pace.total, pace.finished, pace.remaining) == (2, 1, 2.0)
