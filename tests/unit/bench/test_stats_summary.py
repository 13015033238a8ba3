import statistics

import msgspec
import pytest

from bench.results import Measurement, Run, Sample, Target
from bench.stats import counted, fits, ratios, summarise
from tests.fakes.sample_run import LAYOUTS, LEDGER, MIB, RATES, sample_run


def measurement(target, values, *, metric="ready", **fields):
    samples = tuple(
        Sample(value=v, round=i, position=0, at=float(i), **({"warmup": True} if i == 0 else {}))
        for i, v in enumerate(values)
    )
    return Measurement(scenario="startup", target=target, metric=metric, unit="s", samples=samples, **fields)


def run_of(*measurements):
    names = dict.fromkeys(m.target for m in measurements)
    targets = tuple(Target(name=n, title=n, kind="native", available=True) for n in names)
    return Run(
        id="x", started="2026-11-23T20:15:00Z", command=("tare",), seed=1, mode="fast", order="interleaved",
        targets=targets, measurements=measurements,
    )  # fmt: skip


def excluded(m, index):
    samples = list(m.samples)
    samples[index] = msgspec.structs.replace(samples[index], excluded="steal")
    return msgspec.structs.replace(m, samples=tuple(samples))


def test_warmups_and_excluded_samples_do_not_count_but_are_told():
    m = excluded(measurement("a", [99.0, 1.0, 2.0, 3.0, 50.0]), 4)
    assert [s.value for s in counted(m)] == [1.0, 2.0, 3.0]
    (summary,) = summarise(run_of(m))
    assert (summary.n, summary.excluded, summary.warmups) == (3, 1, 1)
    assert summary.estimate.value == 2.0
    assert (summary.minimum, summary.maximum) == (1.0, 3.0)


def test_a_warmup_that_met_a_rule_is_a_warmup():
    (summary,) = summarise(run_of(excluded(measurement("a", [9.0, 1.0]), 0)))
    assert (summary.n, summary.excluded, summary.warmups) == (1, 0, 1)


def test_nothing_that_counts_is_no_figure_and_no_error():
    run = run_of(measurement("native", [1.0]), excluded(measurement("vm", [1.0, 2.0]), 1))
    assert [(s.n, s.estimate, s.minimum) for s in summarise(run)] == [(0, None, None)] * 2
    assert ratios(run) == []
    assert fits(run) == []
    assert summarise(run_of()) == []


def test_ratios_pair_the_same_metric_and_parameters():
    run = run_of(
        measurement("native", [0, 2.0, 2.0, 2.0], params={"work": "a"}),
        measurement("native", [0, 5.0, 5.0, 5.0], params={"work": "b"}),
        measurement("vm", [0, 4.0, 4.0, 4.0], params={"work": "a"}),
        measurement("vm", [0, 9.0, 9.0, 9.0], params={"work": "c"}),
        measurement("vm", [0, 9.0, 9.0, 9.0], params={"work": "a"}, metric="init"),
    )
    (found,) = ratios(run)
    assert (found.target, found.baseline, found.params, found.estimate.value) == (
        "vm",
        "native",
        {"work": "a"},
        2.0,
    )
    assert ratios(run, "vm")[0].estimate.value == 0.5
    assert ratios(run, "nobody") == []


@pytest.fixture(scope="module")
def run():
    return sample_run(4)


def test_the_figures_of_a_whole_run(run):
    summaries = summarise(run)
    assert len(summaries) == len(run.measurements)
    for summary, m in zip(summaries, run.measurements, strict=True):
        assert summary.n + summary.excluded + summary.warmups == len(m.samples)
        assert summary.estimate.value == statistics.median(s.value for s in counted(m))
        assert summary.accelerators == (("tcg",) if m.target.startswith("vm") else ())


def test_the_known_truth_of_the_synthetic_run_is_found(run):
    found = {(f.scenario, f.target, f.metric, f.params.get("layout")): f for f in fits(run)}
    pss = found["memory", "vm", "pss", None]
    assert pss.line.slope.value == pytest.approx(LEDGER["vm"][0] * MIB, rel=0.03)
    assert (pss.unit, pss.over, pss.params) == ("B", "n", {})
    for layout, (target, disk, _, _) in LAYOUTS.items():
        line = found["layers", target, "disk", layout].line
        assert line.slope.value == pytest.approx(disk[1] * MIB, rel=0.01)
    rates = {(r.target, r.params.get("work")): r.estimate for r in ratios(run) if r.scenario == "cpu"}
    native, container, emulated = RATES["memory"]
    assert rates["container", "memory"].value == pytest.approx(container / native, rel=0.02)
    assert rates["vm", "memory"].value == pytest.approx(emulated / native, rel=0.02)


def test_what_one_instance_has_for_itself_is_no_point_of_the_line_of_uss():
    """20 MiB of a shared program belong to the first instance while it is alone, and to nobody after that."""
    own = {1: 120.0, 2: 200.0, 3: 300.0}
    found = fits(run_of(*(measurement("a", [0, v], metric="uss", params={"n": n}) for n, v in own.items())))
    assert [f.line.slope.value for f in found] == [pytest.approx(100.0)]
    two = [measurement("a", [0, own[n]], metric="uss", params={"n": n}) for n in (1, 2)]
    assert fits(run_of(*two)) == []
