"""Decision rules on exact samples, on both sides of every boundary."""

import msgspec
import pytest

from bench.claims.definition import AtLeast, AtMost, Equivalent, Independent, Part
from bench.claims.figure import Figure
from bench.claims.judge import combine, judge, verdicts
from bench.claims.load import claims
from bench.claims.rules import boundary, decide
from bench.results import Failure, Sample, Target
from bench.stats.estimate import Estimate
from tests.fakes.plain_run import plain_run

MIB = 2**20
LIMIT = 10.0


def figure(low, high, strict=None):
    estimate = Estimate((low + high) / 2, low, high, 0.95, 20, "none")
    return Figure("median", estimate, "s", 20, strict and Estimate(1, *strict, 0.99, 20, "none"))


@pytest.mark.parametrize(
    ("rule", "low", "high", "outcome"),
    [
        (AtMost(of="median", limit=LIMIT), 8.9, 9.9, "supported"),
        (AtMost(of="median", limit=LIMIT), 8.91, 9.91, "undecided"),
        (AtMost(of="median", limit=LIMIT), 10.09, 11.09, "undecided"),
        (AtMost(of="median", limit=LIMIT), 10.11, 11.11, "refuted"),
        (AtMost(of="median", limit=LIMIT), 10, 10, "supported"),
        (AtMost(of="median", limit=LIMIT), 10.001, 10.001, "refuted"),
        (AtMost(of="median", limit=LIMIT, room=0), 9, 10, "supported"),
        (AtMost(of="median", limit=LIMIT, room=0), 10, 11, "undecided"),
        (AtLeast(of="median", limit=LIMIT), 10.11, 11.11, "supported"),
        (AtLeast(of="median", limit=LIMIT), 10.09, 11.09, "undecided"),
        (AtLeast(of="median", limit=LIMIT), 8.91, 9.91, "undecided"),
        (AtLeast(of="median", limit=LIMIT), 8.9, 9.9, "refuted"),
        (AtLeast(of="median", limit=LIMIT), 10, 10, "supported"),
        (AtLeast(of="median", limit=LIMIT), 9.999, 9.999, "refuted"),
        (AtLeast(of="median", limit=LIMIT, room=0), 10, 11, "supported"),
        (AtLeast(of="median", limit=LIMIT, room=0), 9, 10, "undecided"),
        (Independent(margin=2), -2, 2, "supported"),
        (Independent(margin=2), -2.001, 2, "undecided"),
        (Independent(margin=2), -2, 2.001, "undecided"),
        (Independent(margin=2), 2, 3, "undecided"),
        (Independent(margin=2), 2.001, 3, "refuted"),
        (Independent(margin=2), -3, -2.001, "refuted"),
    ],
)
def test_an_interval_decides_only_when_it_is_wholly_on_one_side(rule, low, high, outcome):
    assert decide(rule, figure(low, high)) == outcome


@pytest.mark.parametrize(
    ("tests", "strict", "outcome"),
    [
        ((1 / 1.02 + 0.004, 1.02 - 0.004), (0.9, 1.1), "supported"),
        ((1 / 1.02 + 0.002, 1.02 - 0.006), (0.9, 1.1), "undecided"),  # clear of it, by too little
        ((1 / 1.02, 1.01), (0.9, 1.1), "undecided"),
        ((0.99, 1.02), (0.9, 1.1), "undecided"),
        ((0.90, 0.95), (0.89, 0.97), "refuted"),
        ((0.90, 0.95), (0.89, 1 / 1.02), "undecided"),
        ((0.90, 0.95), (0.89, 0.99), "undecided"),
        ((1.05, 1.10), (1.03, 1.12), "beyond"),
        ((1.05, 1.10), (1.02, 1.12), "undecided"),
        ((1.05, 1.10), (1.01, 1.12), "undecided"),
        ((0.90, 0.95), None, "undecided"),
    ],
)
def test_equivalence_needs_both_tests_and_its_refutation_the_stricter_interval(tests, strict, outcome):
    assert decide(Equivalent(margin=0.02), figure(*tests, strict=strict)) == outcome


def test_a_figure_without_an_interval_decides_nothing():
    without = Figure("median", Estimate(1.0, None, None, 0.0, 2, "none"), "s", 2)
    with pytest.raises(ValueError, match="no interval"):
        decide(AtMost(of="median", limit=LIMIT), without)


def test_where_it_flips():
    assert boundary(AtMost(of="median", limit=3)) == (3,)
    assert boundary(Independent(margin=3)) == (-3, 3)
    assert boundary(Equivalent(margin=0.25)) == (0.8, 1.25)


# Whole parts on runs with known samples.


def startup(target="container", rule=None, **changes):
    rule = rule or AtMost(of="median", limit=LIMIT)
    return Part(name="p", scenario="startup", target=target, metric="ready", rule=rule, **changes)


def run_of(values, target="container", **changes):
    return plain_run({("startup", target, "ready"): values}, **changes)


def carried_by(run, accelerator):
    """Return the run with its samples carried by another accelerator."""
    return msgspec.structs.replace(
        run,
        measurements=tuple(
            msgspec.structs.replace(
                m, samples=tuple(msgspec.structs.replace(s, accelerator=accelerator) for s in m.samples)
            )
            for m in run.measurements
        ),
    )


@pytest.mark.parametrize(
    ("values", "verdict", "why"),
    [
        ([9.0 + i / 10 for i in range(8)], "supported", ""),
        ([10.1 + i / 10 for i in range(8)], "refuted", ""),
        ([9.5 + i / 10 for i in range(10)], "not evaluable here", "undecided"),
        ([1.0, 1.0], "not evaluable here", "few-runs"),
        ([1.0, 1.1, 1.2, 1.3, 1.4], "not evaluable here", "low-level"),
    ],
)
def test_the_median_of_a_run_against_its_limit(values, verdict, why):
    found = judge(startup(), run_of(values))
    assert (found.verdict, found.why, found.n) == (verdict, why, len(values))
    assert found.flips_at == (LIMIT,)


def test_a_preliminary_verdict_may_rest_on_few_runs_and_says_its_level():
    found = judge(startup(), run_of([1.0, 1.1, 1.2], mode="fast"))
    assert (found.verdict, found.level) == ("supported", 0.75)


def test_a_p95_needs_72_runs_and_a_preliminary_verdict_takes_the_median_instead():
    part = startup(rule=AtMost(of="p95", fast_of="median", limit=LIMIT))
    few, enough = [1 + i / 100 for i in range(71)], [1 + i / 100 for i in range(72)]
    assert (judge(part, run_of(few)).why, judge(part, run_of(few)).detail) == ("few-runs", "p95")
    assert (judge(part, run_of(enough)).verdict, judge(part, run_of(enough)).of) == ("supported", "p95")
    assert judge(part, run_of(few, mode="fast")).of == "median"
    # The slowest of 72 is the upper end, so that one start alone keeps the verdict open.
    assert judge(part, run_of([*enough[:-1], 11.0])).why == "undecided"


def test_samples_that_do_not_count_decide_nothing():
    run = run_of([1.0 + i / 100 for i in range(8)])
    (m,) = run.measurements
    slow = [
        Sample(
            value=99.0,
            round=90 + i,
            position=0,
            at=1.0,
            warmup=not i % 2,
            excluded="steal" if i % 2 else None,
        )
        for i in range(20)
    ]
    run = msgspec.structs.replace(
        run, measurements=(msgspec.structs.replace(m, samples=(*m.samples, *slow)),)
    )
    found = judge(startup(), run)
    assert (found.verdict, found.n) == ("supported", 8)


def test_a_part_that_names_one_number_of_instances_is_judged_by_those_alone():
    (one,) = plain_run({("memory", "container", "shared"): [0.0] * 8}).measurements
    eight = tuple(msgspec.structs.replace(s, value=0.8) for s in one.samples)
    run = msgspec.structs.replace(
        run_of([1.0]),
        measurements=(
            msgspec.structs.replace(one, params={"n": 1}),
            msgspec.structs.replace(one, params={"n": 8}, samples=eight),
        ),
    )
    part = Part(
        name="p", scenario="memory", target="container", metric="shared", params={"n": 8},
        rule=AtLeast(of="median", limit=0.5),
    )  # fmt: skip
    found = judge(part, run)
    assert (found.verdict, found.value, found.n) == ("supported", 0.8, 8)


def test_a_baseline_may_have_params_of_its_own():
    run = plain_run(
        {("recovery", "container", "recovered"): [1.0] * 8, ("recovery", "vm", "recovered"): [4.0] * 8}
    )
    ours, cold = (msgspec.structs.replace(m, params={"way": "start"}) for m in run.measurements)
    restored = msgspec.structs.replace(
        cold, params={"way": "snapshot"},
        samples=tuple(msgspec.structs.replace(s, value=0.5) for s in cold.samples),
    )  # fmt: skip
    run = carried_by(msgspec.structs.replace(run, measurements=(ours, cold, restored)), "kvm")
    part = Part(
        name="p", scenario="recovery", target="container", baseline="vm", metric="recovered",
        params={"way": "start"}, rule=AtMost(of="ratio", limit=1.0),
    )  # fmt: skip
    found = judge(part, run)
    assert (found.verdict, found.value) == ("supported", 0.25)
    found = judge(msgspec.structs.replace(part, baseline_params={"way": "snapshot"}), run)
    assert (found.verdict, found.value) == ("refuted", 2.0)


FAST, SLOW = [1.0 + i / 100 for i in range(8)], [90.0 + i / 100 for i in range(8)]
RULES = {
    "at most": AtMost(of="median", limit=LIMIT),
    "at least": AtLeast(of="median", limit=LIMIT),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("values", [FAST, SLOW], ids=["fast", "slow"])
@pytest.mark.parametrize("emulation", ["nothing", "upper-bound"])
@pytest.mark.parametrize("accelerator", ["tcg", "kvm-nested"])
def test_without_hardware_virtualization_nothing_is_supported(rule, values, emulation, accelerator):
    run = carried_by(run_of(values, "vm-full"), accelerator)
    found = judge(startup("vm-full", rule, emulation=emulation), run)
    if emulation == "upper-bound" and rule == RULES["at least"] and values == FAST:
        assert (found.verdict, found.a_fortiori) == ("refuted", True)
    else:
        assert (found.verdict, found.why, found.detail) == ("not evaluable here", "emulated", accelerator)
        assert found.value is not None  # shown, not judged


def test_too_few_emulated_samples_are_emulated_above_all():
    run = run_of([1.0, 1.1], "vm")
    assert judge(startup("vm"), run).why == "emulated"
    assert judge(startup("vm", RULES["at least"], emulation="upper-bound"), run).why == "few-runs"


def test_one_emulated_sample_among_others_spoils_them():
    run = carried_by(run_of(SLOW, "vm-full"), "kvm")
    part = startup("vm-full", RULES["at least"])
    assert judge(part, run).verdict == "supported"
    (m,) = run.measurements
    mixed = (msgspec.structs.replace(m.samples[0], accelerator="tcg"), *m.samples[1:])
    run = msgspec.structs.replace(run, measurements=(msgspec.structs.replace(m, samples=mixed),))
    assert judge(part, run).why == "emulated"


def test_what_is_missing_is_named():
    run = run_of(FAST, "native")
    gone = Target(name="vm", title="", kind="vm", available=False, reason="no QEMU")
    failed = Failure(scenario="startup", target="container", round=1, text="no cgroup\nmore")
    run = msgspec.structs.replace(run, targets=(*run.targets, gone), failures=(failed,))
    said = {name: judge(startup(name), run) for name in ("vm", "container", "vm-micro")}
    assert {one.verdict for one in said.values()} == {"not evaluable here"}
    assert [(one.why, one.detail) for one in said.values()] == [
        ("no-target", "vm: no QEMU"), ("failed", "container: no cgroup"), ("not-measured", "vm-micro"),
    ]  # fmt: skip
    assert judge(Part(name="p"), run).why == "no-scenario"


SUPPORTED, REFUTED, OPEN = "supported", "refuted", "not evaluable here"


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([SUPPORTED, SUPPORTED], "supported"),
        ([REFUTED, REFUTED], "refuted"),
        ([SUPPORTED, REFUTED], "partly"),
        ([SUPPORTED, OPEN], "partly"),
        ([REFUTED, OPEN], "partly"),
        ([OPEN], OPEN),
        ([], OPEN),
    ],
)
def test_parts_make_a_whole(parts, whole):
    findings = [msgspec.structs.replace(judge(Part(name="p"), run_of(FAST)), verdict=one) for one in parts]
    assert combine(findings) == whole
    control = msgspec.structs.replace(judge(Part(name="c", role="control"), run_of(FAST)), verdict=SUPPORTED)
    assert combine([*findings, control]) == whole
    for broken in (REFUTED, OPEN):
        assert combine([*findings, msgspec.structs.replace(control, verdict=broken)]) == OPEN
    absent = msgspec.structs.replace(control, verdict=OPEN, why="no-target")
    assert combine([*findings, control, absent]) == whole
    assert combine([*findings, absent]) == OPEN


@pytest.mark.parametrize(
    ("docker", "verdict"),
    [(None, "supported"), ([1.0 + i / 100 for i in range(100)], "supported"), ([20.0] * 100, "partly")],
)
def test_an_optional_part_counts_where_its_target_is(docker, verdict):
    claim = claims()["startup-container"]
    ours = {("startup", "container", "ready"): [1.0 + i / 100 for i in range(100)]}
    theirs = {("startup", "docker", "ready"): docker} if docker else {}
    run = plain_run(ours | theirs)
    if not docker:
        gone = Target(name="docker", title="", kind="container", available=False, reason="not installed")
        run = msgspec.structs.replace(run, targets=(*run.targets, gone))
    (record,) = verdicts([claim], run)
    assert record["verdict"] == verdict
    assert record["parts"][1]["why"] == ("" if docker else "no-target")  # said all the same
    fault = Failure(scenario="startup", target="docker", round=0, text="no")
    there = Target(name="docker", title="", kind="container", available=True)
    run = plain_run(ours)
    run = msgspec.structs.replace(run, targets=(*run.targets, there), failures=(fault,))
    assert verdicts([claim], run)[0]["verdict"] == "partly"  # it is here, and does not work
