"""The A/A gate: what a run can detect, and when it can't be trusted."""

import math
import random

import msgspec
import pytest

from bench.results import Measurement, Sample, load
from bench.stats.comparison import compare
from bench.stats.gate import FEWEST, dealt, failing, gates
from bench.verdicts import judged, verdict
from tests.fakes.sample_run import sample_run


def run_of(*groups, metric="ready"):
    measurements = tuple(
        Measurement(
            scenario="startup", target=name, metric=metric, unit="s",
            samples=tuple(Sample(value=v, round=i, position=0, at=float(i)) for i, v in enumerate(values)),
        )
        for name, values in groups
    )  # fmt: skip
    return msgspec.structs.replace(sample_run(), measurements=measurements)


def noise(n, spread=0.05, seed=1):
    rng = random.Random(seed)
    return [rng.lognormvariate(0, spread) for _ in range(n)]


def test_runs_are_dealt_so_that_a_linear_drift_hits_both_halves_alike():
    first, second = dealt(list(range(1, 9)))
    assert (first, second) == ([1, 4, 5, 8], [2, 3, 6, 7])
    assert sum(first) == sum(second)


def test_a_steady_target_passes_and_a_larger_noise_detects_less():
    quiet, loud = gates(run_of(("native", noise(200)), ("container", noise(200, 0.2))))
    assert quiet.passed
    assert loud.passed
    assert 0 < quiet.floor < quiet.detectable < loud.detectable
    # The median of n normal values is known to 1.2533 sigma / sqrt(n), a quotient of two to root 2 of that.
    assert quiet.floor == pytest.approx(1.96 * 1.2533 * 0.05 * math.sqrt(2 / 200), rel=0.35)


def test_what_alternates_with_the_deal_shuts_the_gate():
    values = noise(80)
    first = {i for i in range(80) if i % 4 in {0, 3}}
    (gate,) = gates(run_of(("native", [v * (1.1 if i in first else 1) for i, v in enumerate(values)])))
    assert not gate.passed
    assert failing([gate]) == [gate]
    assert gate.ratio.value == pytest.approx(1.1, rel=0.05)


def test_few_runs_have_no_gate():
    assert gates(run_of(("native", noise(FEWEST - 1)))) == []
    assert len(gates(run_of(("native", noise(FEWEST))))) == 1


def test_the_detectable_effect_is_found_as_often_as_it_says():
    found, repeats = 0, 120
    for seed in range(repeats):
        values = noise(100, seed=3 * seed)
        (gate,) = gates(run_of(("native", values)))
        slower = [v * (1 + gate.detectable) for v in noise(100, seed=3 * seed + 1)]
        found += compare(slower, noise(100, seed=3 * seed + 2), margin=0.0, paired=True).verdict == "higher"
    assert found / repeats >= 0.9


def test_many_gates_are_held_to_one_rate():
    alarms = sum(bool(failing(gates(run_of(*((str(i), noise(24, seed=40 * k + i)) for i in range(8))))))
                 for k in range(40))  # fmt: skip
    assert alarms <= 8  # 5 % of 40 runs; 9 or more have a probability below 0.1 %


def test_a_process_of_its_own_judges_a_file(tmp_path):
    path = tmp_path / "run.json"
    path.write_bytes(msgspec.json.encode(run_of(("native", noise(40)), ("container", noise(40, seed=2)))))
    found = judged(path)
    assert found == [msgspec.json.decode(msgspec.json.encode(verdict(gate))) for gate in gates(load(path))]
    assert {v["kind"] for v in found} == {"a/a"}
