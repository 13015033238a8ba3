"""What is compared with what, in which direction, and what is said about it."""

import msgspec
import pytest

from bench.compare import threshold
from bench.compare.report import compare_runs, compare_targets, selection
from bench.errors import BenchFault
from bench.results import Caveat, Cpu, Failure
from tests.fakes.plain_run import HOST, draws, plain_run

INIT = ("startup", "native", "init")
READY, TEARDOWN = ("startup", "native", "ready"), ("startup", "native", "teardown")
INSTANCES = ("density", "container", "instances")
RATE, PSS = ("cpu", "native", "rate"), ("memory", "native", "pss")


def pair(key, factor, *, spread=0.02, n=20):
    base = plain_run({key: draws(1, 100.0, spread=spread, n=n)})
    return base, plain_run({key: draws(2, 100.0, factor=factor, spread=spread, n=n)}, number=2)


@pytest.mark.parametrize(
    ("key", "factor", "verdict", "worse"),
    [
        (READY, 1.2, "slower", True),
        (READY, 0.8, "faster", False),
        (RATE, 1.2, "faster", False),
        (RATE, 0.8, "slower", True),
        (PSS, 1.2, "larger", True),
        (PSS, 0.8, "smaller", False),
        (READY, 1.0, "equivalent", False),
        (INSTANCES, 0.8, "smaller", True),
        (INSTANCES, 1.2, "larger", False),
    ],
)
def test_the_verdict_knows_which_direction_is_the_good_one(key, factor, verdict, worse):
    (row,) = compare_runs(*pair(key, factor)).rows
    assert (row.verdict, row.worse) == (verdict, worse)


@pytest.mark.parametrize(
    ("key", "factor", "share"),
    [(READY, 1.2, 0.2), (RATE, 0.8, 0.2), (RATE, 1.2, -0.2), (INSTANCES, 0.8, 0.2)],
)
def test_the_change_counts_what_got_worse_as_positive(key, factor, share):
    (row,) = compare_runs(*pair(key, factor, spread=1e-6)).rows
    assert row.change.value == pytest.approx(share, abs=1e-4)
    assert row.change.low <= row.change.value <= row.change.high


def test_noise_without_a_difference_is_inconclusive_not_equal():
    (row,) = compare_runs(*pair(READY, 1.0, spread=0.5, n=8)).rows
    assert row.verdict == "inconclusive"


def test_p_is_adjusted_for_all_rows():
    keys = [("startup", "native", f"metric{number}") for number in range(8)]
    base = plain_run({key: draws(number, 1.0, n=10) for number, key in enumerate(keys)})
    new = plain_run({key: draws(50 + number, 1.02, n=10) for number, key in enumerate(keys)}, number=2)
    report = compare_runs(base, new)
    raw = sorted(row.comparison.p_raw for row in report.rows)
    assert min(row.comparison.p for row in report.rows) == pytest.approx(min(1, 8 * raw[0]))
    (alone,) = compare_runs(base, new, keep=selection((), ["metric0"])).rows
    assert alone.comparison.p == alone.comparison.p_raw


def test_warmups_and_excluded_samples_do_not_count():
    run = plain_run({READY: [1.0] * 8})
    (m,) = run.measurements
    odd = [
        msgspec.structs.replace(m.samples[0], value=900.0, warmup=True),
        msgspec.structs.replace(m.samples[0], value=900.0, excluded="steal"),
    ]
    more = msgspec.structs.replace(m, samples=(*m.samples, *odd))
    spoiled = msgspec.structs.replace(run, id="another", measurements=(more,))
    (row,) = compare_runs(run, spoiled).rows
    assert (row.new.n, row.new.excluded, row.comparison.ratio.value) == (8, 1, 1.0)


def test_parameters_keep_measurements_apart():
    def with_n(n, value):
        (m,) = plain_run({PSS: [value] * 6}).measurements
        return msgspec.structs.replace(m, params={"n": n})

    base = plain_run({PSS: [1.0]}, measurements=(with_n(1, 100.0), with_n(2, 200.0)))
    new = plain_run({PSS: [1.0]}, number=2, measurements=(with_n(2, 400.0), with_n(4, 100.0)))
    report = compare_runs(base, new)
    (row,) = report.rows
    assert (row.label, row.comparison.ratio.value) == ("pss n=2", 2.0)
    assert (report.only_base, report.only_new) == (("memory/native/pss",), ("memory/native/pss",))


def test_diagnostics_are_no_merit_and_are_left_out():
    figures = {READY: [1.0] * 6, ("memory", "native", "unexplained"): [5.0] * 6}
    report = compare_runs(plain_run(figures), plain_run(figures, number=2))
    assert [row.metric for row in report.rows] == ["ready"]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ([], [1.0] * 6, "no sample counts in the base"),
        ([1.0] * 6, [0.0] * 6, "zero or negative"),
    ],
)
def test_what_cannot_be_compared_says_why(old, new, why):
    base, other = plain_run({PSS: old or [1.0]}), plain_run({PSS: new}, number=2)
    if not old:
        (m,) = base.measurements
        only = (msgspec.structs.replace(m.samples[0], excluded="steal"),)
        base = msgspec.structs.replace(base, measurements=(msgspec.structs.replace(m, samples=only),))
    (row,) = compare_runs(base, other).rows
    assert (row.verdict, row.change) == ("inconclusive", None)
    assert why in row.why


def test_emulation_is_not_compared_with_hardware():
    key = ("startup", "vm", "ready")
    base, new = plain_run({key: [1.0] * 6}), plain_run({key: [0.1] * 6}, number=2)
    (m,) = new.measurements
    fast = tuple(msgspec.structs.replace(s, accelerator="kvm") for s in m.samples)
    new = msgspec.structs.replace(new, measurements=(msgspec.structs.replace(m, samples=fast),))
    (row,) = compare_runs(base, new).rows
    assert (row.verdict, row.why) == ("inconclusive", "accelerators differ: tcg against kvm")


def test_the_conditions_that_differ_are_named_and_equal_ones_are_not():
    other = msgspec.structs.replace(
        HOST, cpu=Cpu(model="CPU B", count=4), load=(9.0,), versions={"qemu": "8.0"}
    )
    base, new = plain_run({READY: [1.0] * 6}), plain_run({READY: [1.0] * 6}, number=2, environment=other)
    assert compare_runs(base, new).differences == {
        "cpu.model": ("CPU A", "CPU B"),
        "versions.qemu": ("unknown", "8.0"),
    }
    assert compare_runs(base, plain_run({READY: [1.0] * 6}, number=3)).differences == {}


def test_a_run_that_was_cut_off_or_failed_says_so():
    cut = plain_run({READY: [1.0] * 6}, finished=None)
    failure = Failure(scenario="startup", target="native", round=1, text="it died")
    failed = plain_run({READY: [1.0] * 6}, number=2, failures=(failure,))
    notes = compare_runs(cut, failed).notes
    assert "did not end in order" in notes[0]
    assert "1 start or measurement failed" in notes[1]


def test_the_same_run_twice_is_told():
    run = plain_run({READY: [1.0] * 6})
    assert "the same run" in compare_runs(run, run).notes[-1]


def test_a_base_unlike_itself_or_with_too_few_runs_is_told():
    """Recorded gates are believed; without any they are computed, as for a run that was cut off."""
    restless = [1.0, 2.0, 2.0, 1.0] * 20
    base = plain_run({READY: restless, INIT: [1.0 + i / 1000 for i in range(8)]})
    told = "\n".join(compare_runs(base, plain_run({READY: restless, INIT: [1.0] * 8}, number=2)).notes)
    assert "1 of 2 figures have no A/A gate, which takes 12 runs" in told
    assert f"in the base ({base.id}) not like itself (A/A gate): startup/native/ready" in told
    verdict = {"kind": "a/a", "scenario": "startup", "target": "native", "metric": "ready", "params": {},
               "floor": 0.01, "detectable": 0.02, "p": 1.0, "ratio": 1.0, "passed": True}  # fmt: skip
    calm = msgspec.structs.replace(base, verdicts=(verdict,))
    assert not [note for note in compare_runs(calm, calm).notes if "not like itself" in note]


def test_runs_with_nothing_in_common_are_refused():
    with pytest.raises(BenchFault, match="nothing alike") as caught:
        compare_runs(plain_run({READY: [1.0] * 6}), plain_run({RATE: [1.0] * 6}, number=2))
    assert caught.value.kind == "usage"


def test_two_targets_of_one_run_are_compared_without_their_names():
    old, new = ("startup", "container@a", "ready"), ("startup", "container@b", "ready")
    run = plain_run({old: draws(1, 1.0), new: draws(2, 1.0, factor=1.2)})
    report = compare_targets(run, "container@a", "container@b")
    (row,) = report.rows
    assert (row.verdict, row.target) == ("slower", "container@a → container@b")
    (back,) = compare_targets(run, "container@b", "container@a").rows
    assert back.verdict == "faster"


def test_a_target_that_was_not_measured_is_refused_by_name():
    run = plain_run({READY: [1.0] * 6})
    with pytest.raises(BenchFault, match="has not measured docker") as caught:
        compare_targets(run, "native", "docker")
    assert caught.value.hint == "it has: native"


def test_what_weakens_a_run_weakens_a_comparison_with_it():
    """As that the rounds of pytest-benchmark are no fresh starts, so that p and interval are too sure."""
    run = plain_run({READY: [1.0] * 12})
    weak = msgspec.structs.replace(
        run,
        warnings=(Caveat(code="rounds", text="rounds of one process"), Caveat(code="emulated", text="slow")),
    )
    told = compare_runs(weak, run).notes
    assert f"the base ({run.id}): rounds of one process" in told
    assert not any("slow" in note for note in told)


def shut(run, ratio):
    """Return the run with a shut gate: its target is by this factor unlike itself."""
    gate = {
        "kind": "a/a", "scenario": "startup", "target": "native", "metric": "ready", "params": {},
        "floor": 0.01, "detectable": 0.02, "p": 0.001, "ratio": ratio, "passed": False,
    }  # fmt: skip
    return msgspec.structs.replace(run, verdicts=(gate,))


@pytest.mark.parametrize("unlike", [1.3, 1 / 1.3])
def test_no_difference_is_claimed_that_a_target_has_from_itself(unlike):
    base, new = pair(READY, 1.2)
    (row,) = compare_runs(base, new).rows
    assert row.verdict == "slower"
    for runs in ((shut(base, unlike), new), (base, shut(new, unlike))):
        report = compare_runs(*runs)
        assert report.rows[0].verdict == "inconclusive"
        assert not report.rows[0].worse
        assert threshold.judge(report, [threshold.parse("ready:5")])[0].outcome == "undecided"
        assert any("no difference as small as that from itself is claimed" in note for note in report.notes)
        assert threshold.exit_code(threshold.judge(report, []), strict=True) == 4


def test_a_difference_beyond_that_from_itself_is_claimed_all_the_same():
    base, new = pair(READY, 1.2)
    assert [row.verdict for row in compare_runs(shut(base, 1.05), new).rows] == ["slower"]
    assert [row.verdict for row in compare_runs(base, shut(new, 0.95)).rows] == ["slower"]
    assert [row.verdict for row in compare_runs(new, shut(base, 1.05)).rows] == ["faster"]


def test_what_one_side_alone_has_measured_is_no_other_condition():
    both = {READY: [1.0] * 6, ("startup", "container", "ready"): [1.0] * 6}
    base, new = plain_run(both), plain_run({READY: [1.0] * 6}, number=2)
    base = msgspec.structs.replace(
        base, targets=tuple(msgspec.structs.replace(t, version="1") for t in base.targets)
    )
    new = msgspec.structs.replace(
        new, targets=tuple(msgspec.structs.replace(t, version="1") for t in new.targets)
    )
    report = compare_runs(base, new)
    assert report.differences == {}
    assert report.only_base == ("startup/container/ready",)
    other = msgspec.structs.replace(new, targets=(msgspec.structs.replace(new.targets[0], version="2"),))
    assert compare_runs(base, other).differences == {"targets.native.version": ("1", "2")}
    assert compare_runs(base, plain_run(both, number=2), keep=selection(["container"], ())).differences == {
        "targets.container.version": ("1", "unknown")
    }
