"""Runs that resemble the ones before them are told from independent ones, and are warned of."""

import random

import msgspec
import pytest
from scipy import stats as scipy_stats

from bench.caveats import NAMED, sequence
from bench.compare.report import compare_runs
from bench.results import Measurement, Sample
from bench.stats.serial import FEWEST, resemblance
from tests.fakes.sample_run import startup_run


def sluggish(n, share, seed):
    """Return n values of a first-order autoregressive series."""
    luck, state, found = random.Random(seed), 0.0, []
    for _ in range(n):
        state = share * state + luck.gauss(0, (1 - share**2) ** 0.5)
        found.append(1 + 0.05 * state)
    return found


@pytest.mark.parametrize("n", [FEWEST, 20, 100])
def test_independent_runs_are_called_alike_no_more_often_than_said(n):
    repeats = 600
    alarms = sum(resemblance(sluggish(n, 0.0, seed)).p <= 0.05 for seed in range(repeats))
    assert alarms <= scipy_stats.binom.ppf(0.9999, repeats, 0.05)


def test_a_sluggish_host_is_found_and_how_much_narrower_it_makes_intervals():
    found = [resemblance(sluggish(300, 0.6, seed)) for seed in range(50)]
    assert all(one.p < 1e-6 for one in found)
    assert sorted(one.widening for one in found)[25] == pytest.approx(2.0, rel=0.1)  # sqrt(1.6 / 0.4)


def test_values_that_take_turns_widen_nothing():
    found = resemblance([1.0, 2.0] * 20)
    assert found.correlation < -0.9
    assert found.p > 0.99
    assert found.widening == 1.0


def test_few_or_equal_values_tell_nothing():
    assert resemblance([1.0, 2.0] * (FEWEST // 2 - 1)) is None
    assert resemblance([4096.0] * 50) is None


def with_measured(run, values_by_metric):
    """Return `run` with measurements of these metrics alone."""
    measurements = tuple(
        Measurement(
            scenario="startup", target="native", metric=metric, unit="s",
            samples=tuple(Sample(value=v, round=i, position=0, at=float(i)) for i, v in enumerate(values)),
        )
        for metric, values in values_by_metric.items()
    )  # fmt: skip
    return msgspec.structs.replace(run, measurements=measurements)


def test_a_run_on_a_sluggish_host_says_which_intervals_are_too_narrow_and_how_much():
    run = with_measured(startup_run(1), {"ready": sluggish(300, 0.6, 1), "init": sluggish(300, 0.0, 2)})
    (caveat,) = sequence(run)
    assert caveat.code == "sequence"
    assert "startup/native/ready 2." in caveat.text or "startup/native/ready 1.9" in caveat.text
    assert "init" not in caveat.text


def test_the_worst_few_are_named():
    run = with_measured(startup_run(1), {f"m{i}": sluggish(300, 0.3 + 0.05 * i, i) for i in range(NAMED + 2)})
    (caveat,) = sequence(run)
    assert caveat.text.index(f"m{NAMED + 1}") < caveat.text.index(f"m{NAMED}")
    assert "and 2 more" in caveat.text


def test_independent_runs_are_not_warned_of():
    assert sequence(with_measured(startup_run(1), {"ready": sluggish(300, 0.0, 3)})) == []


def test_a_comparison_of_two_runs_says_so_too():
    run = with_measured(startup_run(1), {"ready": sluggish(300, 0.6, 1)})
    run = msgspec.structs.replace(run, warnings=tuple(sequence(run)))
    other = msgspec.structs.replace(run, id="other")
    assert any("resemble the runs before them" in note for note in compare_runs(run, other).notes)
