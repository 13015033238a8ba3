"""The cpu scenario on fake targets, with real outputs of its tools."""

import pytest

from bench.channel import Finished
from bench.scenarios.cpu import WORKS, Cpu, perform
from tests.fakes.fake_target import FakeTarget, obedient
from tests.fakes.tool_outputs import COMMANDS, COUNTS, OUTPUTS, PRINTED, TOOLS


class Answering:
    """A channel on which a command has taken exactly two seconds of the host's clock."""

    def __init__(self, output):
        self.output = output

    def execute(self, command, deadline):
        return Finished(0, self.output, 2.0)


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_a_rate_is_what_was_done_by_the_clock_of_the_host(work):
    # The real outputs are of one second each by the clock inside, so its rates would be twice as high.
    assert perform(Answering(OUTPUTS[work.name]), work, 1) == COUNTS[work.name] / 2.0


def test_cpu_runs_every_class_once_in_each_instance(measure):
    target = FakeTarget("native", behaviour=TOOLS)
    run = measure(Cpu(), target, runs=2)
    assert {m.params["work"]: len(m.samples) for m in run.measurements} == dict.fromkeys(COUNTS, 2)
    assert all(sample.value > 0 for m in run.measurements for sample in m.samples)
    assert {(m.metric, m.unit) for m in run.measurements} == {("rate", "1/s")}
    assert len(target.instances) == 2


def test_the_order_of_the_classes_is_the_seeds(measure):
    def order(seed):
        target = FakeTarget("native", behaviour=TOOLS)
        measure(Cpu(), target, runs=2, seed=seed)
        return [
            [
                next(name for part, name in COMMANDS.items() if part in line)
                for line in instance.inside.asked
                if line.startswith("exec")
            ]
            for instance in target.instances
        ]

    first = order(1)
    assert order(1) == first != order(2)
    assert first[0] != first[1]
    assert all(sorted(works) == sorted(COUNTS) for works in first)


@pytest.mark.parametrize(("outputs", "status"), [({"": "no such program"}, 0), (PRINTED, 3)])
def test_a_program_that_gives_no_rate_is_a_failure(measure, outputs, status):
    target = FakeTarget("native", behaviour=obedient(outputs, status=status))
    run = measure(Cpu(), target, runs=1)
    (failure,) = run.failures
    assert f"gave no number of operations: status {status}" in failure.text
    assert not run.measurements
    assert target.instances[0].removed


def test_the_seconds_of_the_mode_are_asked_for(measure):
    target = FakeTarget("native", behaviour=TOOLS)
    measure(Cpu(), target, runs=1, mode="default")
    asked = [line for line in target.instances[0].inside.asked if "exec" in line]
    assert len(asked) == len(WORKS)
    assert all(any(text in line for text in ("--time=1 ", " -t 1 ", " INT 1 ")) for line in asked)
