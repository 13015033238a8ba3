"""Facts, slopes over something else than a number of instances, and figures that no accelerator changes."""

import msgspec
import pytest

from bench.claims.definition import Always, AtLeast, Part
from bench.claims.judge import judge, verdicts
from bench.claims.load import claims
from bench.claims.rules import boundary
from bench.claims.words import LANGUAGES, evidence
from bench.results import Measurement, Sample
from tests.fakes.plain_run import plain_run

EMPTY = plain_run({("startup", "native", "ready"): (1.0, 1.0)})


def run_of(*measurements):
    return msgspec.structs.replace(EMPTY, measurements=measurements)


def row(
    metric,
    values,
    unit="1",
    *,
    accelerator=None,
    excluded=None,
    target="container",
    scenario="copy-on-write",
    **params,
):
    samples = tuple(
        Sample(value=value, round=i, position=0, at=float(i), accelerator=accelerator, excluded=excluded)
        for i, value in enumerate(values)
    )
    return Measurement(
        scenario=scenario, target=target, metric=metric, unit=unit, params=params, samples=samples
    )


def fact(value=1.0):
    return Part(
        name="f", scenario="copy-on-write", target="container", metric="fact", rule=Always(value=value)
    )


@pytest.mark.parametrize(
    ("values", "value", "verdict"),
    [
        ((1, 1, 1), 1.0, "supported"),
        ((1, 1, 0), 1.0, "refuted"),
        ((0, 0, 0), 1.0, "refuted"),
        ((0, 0, 0), 0.0, "supported"),
        ((0, 4096, 0), 0.0, "refuted"),
    ],
)
def test_one_counterexample_refutes_a_fact(values, value, verdict):
    run = run_of(row("fact", values, size=1), row("fact", (value,) * 3, size=2))
    found = judge(fact(value), run)
    assert (found.verdict, found.n) == (verdict, 6)


def test_a_disturbed_counterexample_is_one_nevertheless():
    undisturbed, disturbed = row("fact", (1, 1)), row("fact", (0,), excluded="other-load", size=2)
    found = judge(fact(), run_of(undisturbed, disturbed))
    assert (found.verdict, found.excluded) == ("refuted", 0)  # none is set aside
    assert judge(fact(), run_of(undisturbed)).verdict == "supported"


def test_without_a_sample_there_is_no_fact():
    assert judge(fact(), run_of(row("fact", ()))).verdict == "not evaluable here"


def test_a_fact_is_told_without_an_interval():
    found = judge(fact(), run_of(row("fact", (1, 1, 1, 0))))
    record = msgspec.json.decode(msgspec.json.encode(found))
    for lang in LANGUAGES:
        assert "0.75 (n = 4)" in evidence(record, lang)
    assert boundary(Always()) == (1.0,)


def test_a_slope_may_be_over_the_size():
    sizes = (0, 2**20, 2**21)
    seconds = [row("first_write", [2e-9 * size + 0.001 * (1 + r / 100) for r in range(3)], "s", size=size)
               for size in sizes]  # fmt: skip
    part = Part(
        name="p", scenario="copy-on-write", target="container", metric="first_write", over="size",
        rule=AtLeast(of="slope", limit=1e-9),
    )  # fmt: skip
    found = judge(part, run_of(*seconds))
    assert (found.verdict, found.over) == ("supported", "size")
    assert found.value == pytest.approx(2e-9)
    assert "cost per byte 2e-09 s/B" in evidence(msgspec.json.decode(msgspec.json.encode(found)), "en")


@pytest.mark.parametrize(
    ("emulation", "verdict"), [("indifferent", "supported"), ("nothing", "not evaluable here")]
)
def test_only_an_indifferent_figure_of_an_emulated_guest_decides(emulation, verdict):
    rows = [
        row("disk", [n * 100.0 + r for r in range(3)], "B", accelerator="tcg", target="vm", n=n)
        for n in (1, 2, 3)
    ]
    part = Part(
        name="p", role="control", scenario="copy-on-write", target="vm", metric="disk", emulation=emulation,
        rule=AtLeast(of="slope", limit=90),
    )  # fmt: skip
    assert judge(part, run_of(*rows)).verdict == verdict


def copying(*, before=0.0, whole=1.0, again=0.0, per_byte=2e-9, second=0.0):
    """Return what `copy-on-write` would have seen of such an overlay."""
    sizes = (4096, 2**20, 2**26)
    each = [
        ("copied_by_reading", "B", {}, lambda _: before),
        ("copied_by_first_write", "B", {}, lambda size: whole * size),
        ("copied_by_second_write", "B", {}, lambda _: again),
        ("first_write", "s", {"place": "overlay"}, lambda size: per_byte * size),
        ("second_write", "s", {"place": "overlay"}, lambda size: second * size),
        ("first_write", "s", {"place": "volume"}, lambda _: 0.0),
    ]
    return run_of(
        *(
            row(metric, [0.0 + value(size) * (1 + r / 1000) for r in range(6)], unit, size=size, **params)
            for metric, unit, params, value in each
            for size in sizes
        )
    )


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "supported"),
        ({"before": 4096.0}, "partly"),
        ({"whole": 0.5}, "partly"),
        ({"again": 4096.0}, "partly"),
        ({"per_byte": 1e-12}, "partly"),
        ({"second": 1e-9}, "not evaluable here"),  # the control: then the time is no copy's
    ],
)
def test_an_overlay_that_copies_otherwise_changes_the_verdict(changes, verdict):
    (record,) = verdicts([claims()["copy-on-write"]], copying(**changes))
    assert record["verdict"] == verdict


def looked(*, topmost=1.0, per_layer=1e-6, kept=0.0):
    """Return what `overlay-lookup` would have seen of such an overlay."""
    each = [
        *((metric, "1", {}, lambda _, fact=fact: fact)
          for metric, fact in (("topmost", topmost), ("whiteout_hides", 1.0), ("opaque_hides", 1.0),
                               ("directories_merge", 1.0))),
        ("first_lookup", "s", {"place": "every layer"}, lambda depth: per_layer * depth),
        ("next_lookup", "s", {"place": "every layer"}, lambda depth: kept * depth),
        ("first_lookup", "s", {"place": "one layer"}, lambda _: 1e-6),
    ]  # fmt: skip
    return run_of(
        *(
            row(
                metric,
                [value(depth) * (1 + r / 1000 if unit == "s" else 1) for r in range(6)],
                unit,
                scenario="overlay-lookup",
                layers=depth,
                **params,
            )
            for metric, unit, params, value in each
            for depth in (1, 10, 100)
        )
    )


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "supported"),
        ({"topmost": 0.0}, "partly"),
        ({"per_layer": 1e-9}, "partly"),
        ({"kept": 1e-6}, "not evaluable here"),
    ],
)
def test_a_stack_that_is_looked_up_otherwise_changes_the_verdict(changes, verdict):
    (record,) = verdicts([claims()["overlay-lookup"]], looked(**changes))
    assert record["verdict"] == verdict


@pytest.mark.parametrize(("mode", "needed"), [("fast", 3), ("default", 6)])
def test_a_fact_has_to_hold_on_as_many_occasions_as_were_fixed(mode, needed):
    part = msgspec.structs.replace(fact(), runs=6, fast_runs=3)
    for n, verdict in ((needed, "supported"), (needed - 1, "not evaluable here")):
        run = msgspec.structs.replace(run_of(row("fact", (1,) * n), row("fact", (1,) * 9, size=2)), mode=mode)
        found = judge(part, run)
        assert (found.verdict, found.why) == (verdict, "" if verdict == "supported" else "few-occasions")
    broken = msgspec.structs.replace(run_of(row("fact", (0,))), mode=mode)
    assert judge(part, broken).verdict == "refuted"  # one counterexample is enough


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.003, "3.5 orders of magnitude below that"),
        (3e4, "3.5 orders of magnitude above that"),
        (2.0, ""),
    ],
)
def test_how_far_a_figure_is_from_its_limit_is_said(value, words):
    rows = [row("ready", [value * (1 + i / 1000) for i in range(8)], "s", scenario="startup")]
    part = Part(
        name="p", scenario="startup", target="container", metric="ready",
        rule=AtLeast(of="median", limit=10.0),
    )  # fmt: skip
    said = evidence(msgspec.json.decode(msgspec.json.encode(judge(part, run_of(*rows)))), "en")
    assert ("orders of magnitude" in said) == bool(words)
    assert said.endswith(words)
