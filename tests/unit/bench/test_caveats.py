"""Weak figures are named."""

import msgspec

from bench.caveats import disturbance, emulation
from bench.target import Accelerator
from tests.fakes.sample_run import startup_run


def set_aside(run, target, share):
    """Return `run` with that share of the target's counted samples excluded."""

    def touched(measurement):
        if measurement.target != target:
            return measurement
        last = max(sample.round for sample in measurement.samples)
        samples = tuple(
            msgspec.structs.replace(sample, excluded="steal" if sample.round > last * (1 - share) else None)
            for sample in measurement.samples
        )
        return msgspec.structs.replace(measurement, samples=samples)

    return msgspec.structs.replace(run, measurements=tuple(map(touched, run.measurements)))


def test_a_target_that_was_mostly_disturbed_is_named_once():
    found = disturbance(set_aside(startup_run(1), "container", 0.8))
    assert [caveat.code for caveat in found] == ["disturbed"]
    assert found[0].text.startswith("startup on container: ")
    assert "steal" in found[0].text


def test_a_few_disturbed_runs_are_no_reason():
    assert disturbance(set_aside(startup_run(1), "container", 0.3)) == []


def test_only_emulation_is_warned_of():
    assert [caveat.code for caveat in emulation([Accelerator("tcg", "booted", 1.0)])] == ["emulated"]
    assert emulation([Accelerator("kvm", "booted", 1.0)]) == []
