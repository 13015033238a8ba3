"""`--fail-on`: what it accepts, and when a regression is confirmed."""

import pytest

from bench.compare import threshold
from bench.compare.report import compare_runs
from bench.errors import BenchFault
from tests.fakes.plain_run import draws, plain_run

READY, INIT = ("startup", "native", "ready"), ("startup", "native", "init")


@pytest.mark.parametrize(
    ("text", "scenario", "metric", "share"),
    [
        ("ready:5", "", "ready", 0.05),
        ("startup/ready:2.5", "startup", "ready", 0.025),
        (" rate:10% ", "", "rate", 0.1),
        ("ready:0", "", "ready", 0.0),
    ],
)
def test_a_threshold_is_read(text, scenario, metric, share):
    found = threshold.parse(text)
    assert (found.scenario, found.metric) == (scenario, metric)
    assert found.share == pytest.approx(share)


@pytest.mark.parametrize(
    "text", ["ready", "ready:", ":5", "ready:fast", "ready:-1", "ready:nan", "ready:inf", ""]
)
def test_what_is_none_is_refused_with_an_example(text):
    with pytest.raises(BenchFault, match="is not METRIC:PCT") as caught:
        threshold.parse(text)
    assert (caught.value.kind, "ready:5" in caught.value.hint) == ("usage", True)


@pytest.mark.parametrize("text", ["redy:5", "cpu/ready:5"])
def test_an_unknown_metric_is_refused_and_those_there_are_are_listed(text):
    with pytest.raises(BenchFault, match="no such metric here") as caught:
        threshold.check([threshold.parse(text)], [("startup", "ready"), ("startup", "init")])
    assert caught.value.hint == "there are: startup/ready, startup/init"


def outcomes(factor, *limits, n=30, spread=0.02, strict=False):
    base = plain_run({READY: draws(1, 1.0, n=n, spread=spread)})
    new = plain_run({READY: draws(2, 1.0, factor=factor, n=n, spread=spread)}, number=2)
    found = threshold.judge(compare_runs(base, new), [threshold.parse(limit) for limit in limits])
    return [f.outcome for f in found], threshold.exit_code(found, strict=strict)


@pytest.mark.parametrize(
    ("factor", "limit", "expected"),
    [
        (1.20, "ready:5", "regressed"),  # all of the interval lies beyond 5 %
        (1.02, "ready:10", "held"),
        (0.80, "ready:5", "held"),
        (1.05, "ready:5", "undecided"),  # 5 % is inside the interval
        (1.20, "ready:20", "undecided"),
        (1.20, "startup/ready:5", "regressed"),
    ],
)
def test_a_regression_is_confirmed_only_beyond_the_threshold(factor, limit, expected):
    assert outcomes(factor, limit)[0] == [expected]


def test_too_few_runs_confirm_nothing_however_large_the_difference():
    assert outcomes(3.0, "ready:5", n=3)[0] == ["undecided"]


@pytest.mark.parametrize(
    ("factor", "limits", "strict", "code"),
    [
        (1.2, ["ready:5"], False, 1),
        (1.2, ["ready:5"], True, 1),
        (1.05, ["ready:5"], False, 0),
        (1.05, ["ready:5"], True, 4),
        (1.0, ["ready:5"], True, 0),
        (1.2, [], False, 1),
        (1.0, [], True, 0),
        (0.8, [], True, 0),
    ],
)
def test_the_exit_code_follows(factor, limits, strict, code):
    assert outcomes(factor, *limits, strict=strict)[1] == code


def test_undecided_without_thresholds_is_4_only_when_strict():
    for strict, code in ((False, 0), (True, 4)):
        assert outcomes(1.0, n=6, spread=0.6, strict=strict) == (["undecided"], code)


def test_a_metric_that_the_new_run_lacks_is_undecided():
    base = plain_run({READY: draws(1, 1.0), INIT: draws(2, 1.0)})
    new = plain_run({INIT: draws(3, 1.0)}, number=2)
    report = compare_runs(base, new)
    found = threshold.judge(report, [threshold.parse("ready:5")])
    assert [(f.outcome, f.text) for f in found] == [
        ("undecided", "startup/native/ready was measured in the base only")
    ]
    (back,) = threshold.judge(compare_runs(new, base), [threshold.parse("ready:5")])
    assert (back.outcome, back.text) == (
        "undecided",
        "startup/native/ready was measured in the new run only",
    )
    assert threshold.exit_code(found, strict=True) == 4
    assert threshold.exit_code(threshold.judge(report, []), strict=True) == 4


def test_a_threshold_speaks_of_its_metric_only():
    base = plain_run({READY: draws(1, 1.0), INIT: draws(2, 1.0)})
    new = plain_run({READY: draws(3, 1.0), INIT: draws(4, 1.5)}, number=2)
    report = compare_runs(base, new)
    assert threshold.exit_code(threshold.judge(report, [threshold.parse("ready:5")]), strict=True) == 0
    assert threshold.exit_code(threshold.judge(report, [threshold.parse("init:5")]), strict=False) == 1


def test_no_luck_fails_a_build():
    """Of 200 comparisons of the same thing, at most the nominal share is called a regression of 0 %."""
    alarms = 0
    for seed in range(200):
        base = plain_run({READY: draws(2 * seed, 1.0, n=10)})
        new = plain_run({READY: draws(2 * seed + 1, 1.0, n=10)}, number=2)
        found = threshold.judge(compare_runs(base, new), [threshold.parse("ready:0")])
        alarms += threshold.exit_code(found, strict=False) == 1
    assert alarms <= 11  # binomial (200, 0.025): more than 11 has a chance below 1 %


def test_a_threshold_that_speaks_of_nothing_is_refused_since_it_would_hold_for_ever():
    base, new = plain_run({INIT: draws(1, 1.0)}), plain_run({INIT: draws(2, 1.0)}, number=2)
    with pytest.raises(BenchFault, match="speaks of nothing that is compared here") as caught:
        threshold.judge(compare_runs(base, new), [threshold.parse("init:5"), threshold.parse("ready:5")])
    assert (caught.value.kind, caught.value.hint) == ("usage", "compared are: startup/init")


def test_a_target_from_elsewhere_may_have_a_slash_in_its_name():
    base = plain_run({("startup", "a/b", "ready"): [1.0] * 12, ("startup", "a/b", "init"): [1.0] * 12})
    new = plain_run({("startup", "a/b", "ready"): [1.0] * 12}, number=2)
    limits = [threshold.parse("ready:5"), threshold.parse("startup/init:5")]
    held, absent = threshold.judge(compare_runs(base, new), limits)
    assert (held.outcome, absent.outcome) == ("held", "undecided")
    assert absent.text == "startup/a/b/init was measured in the base only"
