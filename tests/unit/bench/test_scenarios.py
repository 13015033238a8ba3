"""What all scenarios have in common."""

import math
import subprocess
from collections import Counter
from types import SimpleNamespace

import pytest

from bench import session as session_module
from bench.errors import ImpossibleFigure
from bench.results import load
from bench.scenarios.registry import METRICS, STANDARD, scenarios
from bench.schedule import Slot
from bench.sizes import Sizes
from bench.turns import spare_turns, turns
from tests.fakes.fake_target import BANNER, FakeTarget, obedient
from tests.fakes.tool_outputs import PRINTED


def test_scenarios_are_known_by_their_names_and_measure_known_targets():
    known = scenarios()
    assert list(known) == list(METRICS)
    assert list(known)[:4] == ["startup", "memory", "layers", "cpu"]
    assert all(name == scenario.name and scenario.title for name, scenario in known.items())


@pytest.mark.parametrize("name", STANDARD)
def test_targets_that_a_scenario_does_not_know_get_no_turn(name):
    scenario = scenarios()[name]
    assert turns(scenario, Sizes("fast", 1), ["nothing"]) == []
    assert spare_turns(scenario, Sizes("fast", 1), ["nothing"]) == []
    known = scenario.targets[0]
    slots = turns(scenario, Sizes("fast", 1), ["nothing", known])
    assert slots
    assert {slot.target for slot in slots} <= {known, "layers"}


def test_spare_turns_come_after_all_others_and_where_nobody_said_how_many_there_are():
    cpu, memory = scenarios()["cpu"], scenarios()["memory"]
    planned, again = (
        these(cpu, Sizes("default", 1), ["native", "vm-full"]) for these in (turns, spare_turns)
    )
    assert min(slot.round for slot in again) == max(slot.round for slot in planned) + 1
    assert Counter(slot.target for slot in again) == {"native": 2}  # one look at a whole Debian only shows it
    for more in ({"runs": 4}, {"precision": 0.02}, {"order": "blocked"}):
        assert spare_turns(cpu, Sizes("default", 1, **more), ["native"]) == []
    assert spare_turns(memory, Sizes("default", 1, precision=0.02), ["container"])  # it decides nothing there


@pytest.mark.parametrize(("spares", "missed"), [(0, {"cpu native": 1}), (9, {})])
def test_only_what_was_planned_is_missed_when_the_time_is_up(spares, missed):
    session = session_module.Session({}, Sizes("fast", 1), None, None, ends=-math.inf)
    session.course = SimpleNamespace(wants=lambda _slot: True)
    assert not session._takes(Slot(9, 0, "native", spares=spares), "cpu native")
    assert session.deadline.cut == missed


def test_a_target_that_has_no_turn_is_not_prepared(measure):
    whole = FakeTarget("vm-full", "vm", "tcg")
    run = measure(scenarios()["isolation"], whole, mode="fast")
    assert (run.measurements, run.failures, whole.journal) == ((), (), [])


@pytest.mark.parametrize(
    ("seen", "looks", "excluded"),
    [
        ([0.1], 1, None),
        ([0.9, 0.8, 0.1], 3, None),
        ([0.9] * session_module.LOOKS, session_module.LOOKS, "other-load"),
    ],
)
def test_a_turn_waits_for_a_quiet_host_but_not_for_ever(measure, monkeypatch, seen, looks, excluded):
    left = list(seen)
    monkeypatch.setattr(session_module.Session, "_seen", lambda _: {"load_other": left.pop(0)})
    run = measure(scenarios()["memory"], FakeTarget("native", behaviour=obedient()), runs=1)
    assert len(seen) - len(left) == looks
    assert {sample.excluded for m in run.measurements for sample in m.samples} == {excluded}


SAID = {"cat {}": f"{50 * 2**20}\n", "Cached": "Cached: 2048 kB\n", **PRINTED}
ANSWERS = obedient(SAID)


OF_MACHINES = [*STANDARD, "density", "limits", "lifecycle", "isolation", "contention", "recovery"]


@pytest.fixture
def child():
    """A process that a scenario may look at, and kill."""
    process = subprocess.Popen(["sleep", "60"])
    yield process.pid
    process.kill()
    process.wait()


@pytest.mark.parametrize("name", OF_MACHINES)
def test_what_a_scenario_measures_is_what_thresholds_may_name(measure, name, child, group):
    own = obedient(SAID, preface=BANNER)
    target = FakeTarget("vm", "vm", "tcg", behaviour=own, memory_cgroup=group, pids=(child,))
    found = measure(scenarios()[name], target, runs=1)
    assert {m.metric for m in found.measurements} == set(METRICS[name])


@pytest.mark.parametrize("name", OF_MACHINES)
def test_a_figure_that_cannot_be_ends_the_run_and_is_no_mere_failure(measure, tmp_path, name, child):
    # A machine whose samples name no accelerator.
    target = FakeTarget("vm", "vm", behaviour=ANSWERS, pids=(child,))
    with pytest.raises(ImpossibleFigure, match="kind vm says no accelerator"):
        measure(scenarios()[name], target, runs=1)
    run = load(tmp_path / "run.json")
    assert (run.finished, run.measurements, run.failures) == (None, (), ())
    assert target.instances
    assert all(instance.removed for instance in target.instances)
