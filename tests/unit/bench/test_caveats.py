"""Weak figures are named."""

import msgspec
import pytest

from bench.caveats import accounts, disturbance, emulation, imprecise, time, unlike_itself, warming
from bench.course import Deadline
from bench.results import Measurement, Sample
from bench.target import Accelerator
from tests.fakes.plain_run import draws, plain_run
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


def ledger(n, **values):
    """Return a run whose memory on `vm` has these figures for n instances, in MiB."""
    samples = {name: Sample(value=v * 2**20, round=1, position=0, at=0.0) for name, v in values.items()}
    measured = tuple(
        Measurement(scenario="memory", target="vm", metric=name, unit="B", params={"n": n}, samples=(sample,))
        for name, sample in samples.items()
    )
    return msgspec.structs.replace(startup_run(1), measurements=measured)


@pytest.mark.parametrize(("charged", "held"), [(207, 188), (188, 207)])
def test_two_accounts_of_the_same_memory_that_differ_are_named(charged, held):
    (found,) = accounts(ledger(2, cgroup_anon=charged, pss_anon=held))
    assert found.code == "accounts"
    assert found.text == "memory on vm: cgroup and page tables differ by 9% in anonymous memory"


@pytest.mark.parametrize("values", [(207, 200), (4.0, 2.5), (0.0, 0.0)])
def test_what_the_kernel_adds_up_in_batches_is_no_difference(values):
    charged, held = values
    assert accounts(ledger(2, cgroup_anon=charged, pss_anon=held)) == []
    assert accounts(ledger(2, cgroup_anon=charged)) == []


def warmed(*values):
    samples = tuple(Sample(value=v, round=i, position=0, at=0.0, warmup=True) for i, v in enumerate(values))
    one = Measurement(scenario="startup", target="native", metric="ready", unit="s", samples=samples)
    return msgspec.structs.replace(startup_run(1), measurements=(one,))


@pytest.mark.parametrize(
    ("values", "named"), [((5.0, 4.0, 3.0, 2.0), True), ((5.0, 2.0, 3.0, 2.5), False), ((5.0, 4.0), False)]
)
def test_a_target_that_did_not_become_warm_is_named(values, named):
    assert [caveat.code for caveat in warming(warmed(*values), {"ready"})] == ["warm-up"] * named
    assert warming(warmed(*values), {"rate"}) == []


def test_a_target_unlike_itself_is_named():
    verdicts = tuple(
        {"kind": "a/a", "scenario": "startup", "target": name, "metric": "ready", "ratio": 1.2, "p": 0.001,
         "passed": passed}
        for name, passed in (("native", True), ("container", False))
    )  # fmt: skip
    (caveat,) = unlike_itself(msgspec.structs.replace(startup_run(1), verdicts=verdicts))
    assert "startup/container/ready" in caveat.text


def test_turns_for_which_there_was_no_time_are_counted():
    assert time(Deadline()) == []
    deadline = Deadline(1.0)
    deadline.miss("startup vm")
    (caveat,) = time(deadline)
    assert "1 of startup vm turns" in caveat.text


def test_a_precision_that_was_not_reached_is_told():
    run = plain_run({("startup", "native", "ready"): draws(1, 1.0, spread=0.05, n=40)})
    ready = {"startup": "ready"}
    assert imprecise(run, ready, None) == []
    assert imprecise(run, ready, 0.2) == []
    assert imprecise(run, {"startup": ""}, 0.001) == []
    (found,) = imprecise(run, ready, 0.001)
    assert found.text == "not known to 0.1 % as --precision asks: startup/native/ready (n = 40)"
