"""The overlay-lookup scenario on fake boxes, and its facts by what a box might say."""

import pytest

from bench.scenarios.overlay_lookup import DEPTHS, FACTS, OverlayLookup, judged
from bench.scenarios.registry import METRICS
from bench.workloads.stack import FILES, layer
from tests.fakes.fake_target import FakeTarget, obedient
from tests.fakes.figures import figures

RIGHT = "10\n10\n7\n.\ngone-10\nbox/item-10\n10\n"


@pytest.mark.parametrize(
    ("said", "facts"),
    [
        (RIGHT, (True, True, True, True)),
        (RIGHT.replace("7", "10"), (False, True, True, True)),
        (RIGHT.replace("10\n10", "1\n10", 1), (False, True, True, True)),
        (RIGHT.replace("gone-10", "gone-10 gone-9"), (True, False, True, True)),
        (RIGHT.replace("gone-10", "gone-*"), (True, False, True, True)),
        (RIGHT.replace("box/item-10", "box/item-10 box/item-9"), (True, True, False, True)),
        (RIGHT.removesuffix("10\n") + "1\n", (True, True, True, False)),
        ("", (False, False, False, False)),
    ],
)
def test_each_fact_is_told_apart(said, facts):
    assert judged(said.split(), 10) == facts


def test_in_one_layer_nothing_is_below():
    assert all(judged(["1", ".", "gone-1", "box/item-1", "1"], 1))


def test_every_depth_is_looked_up_in_a_container_of_its_own(measure, monkeypatch):
    monkeypatch.setitem(DEPTHS, "fast", (10, 20))
    target = FakeTarget("container", behaviour=obedient({"cat name": RIGHT}))
    run = measure(OverlayLookup(), target, runs=1)
    assert {m.metric for m in run.measurements} == set(METRICS["overlay-lookup"])
    assert [box.workload for box in target.boxes].count("lookup-20") == 2  # a warm-up and one that counts
    assert set(figures(run, "container", layers=10)["topmost"]) == {1.0}
    assert set(figures(run, "container", layers=20)["topmost"]) == {0.0}  # it said what 10 layers say
    assert all(sample.value > 0 for m in run.measurements if m.unit == "s" for sample in m.samples)


def test_a_name_that_is_missing_is_a_failure(measure):
    run = measure(OverlayLookup(), FakeTarget("container", behaviour=obedient(status=9)), runs=1)
    assert not run.measurements
    assert "status 9" in run.failures[0].text


def test_the_layers_are_small_but_the_lowest():
    lowest, other = layer(1), layer(14)
    assert len(lowest) > 2 * FILES
    assert len(other) < 12
    assert {"/lookup/every-2", "/lookup/every-7", "/lookup/.wh.gone-13"} <= set(other)
    assert len(FACTS) == 4
