"""Which verdicts hang on a run's very samples."""

import random

import msgspec

from bench.claims.definition import AtMost, Claim, Part, Words
from tests.calibration.stability import HEAD, drawn, stability, unstable
from tests.fakes.sample_run import sample_run

WORDS = Words(en="a", zh="b")


def run_of(**values):
    """A run of the scenario `startup` with values by target; the first one warms up."""
    (first, *_) = sample_run().measurements

    sample = msgspec.structs.replace(first.samples[0], excluded=None, accelerator="")

    def one(target, numbers):
        samples = [
            msgspec.structs.replace(sample, value=number, round=place, position=0, warmup=place == 0)
            for place, number in enumerate(numbers)
        ]
        return msgspec.structs.replace(
            first, scenario="startup", target=target, metric="ready", params={}, samples=tuple(samples)
        )

    found = tuple(one(target, numbers) for target, numbers in values.items())
    return msgspec.structs.replace(sample_run(), mode="default", measurements=found, failures=(), verdicts=())


def claim(limit):
    rule = AtMost(of="median", limit=limit)
    part = Part(name="p", scenario="startup", target="container", metric="ready", rule=rule)
    return Claim(id="c", says=WORDS, flip=WORDS, part=(part,))


def test_a_verdict_far_from_its_limit_is_stable_and_one_at_the_limit_is_not():
    run = run_of(container=[9.0, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7])
    far, near = stability(claim(10.0), run, 50), stability(claim(1.6), run, 50)
    assert not unstable(far)
    assert [row[HEAD.index("THE SAME IN")] for row in far] == ["100.0%", "100.0%"]
    assert len(unstable(near)) == 2
    assert "open: undecided" in near[1][HEAD.index("ELSE")] + near[1][HEAD.index("VERDICT")]


def test_targets_of_the_same_rounds_are_drawn_together_and_warm_ups_stay():
    run = run_of(container=[0.5, 1.0, 2.0, 3.0, 4.0], native=[50.0, 100.0, 200.0, 300.0, 400.0])
    seen = set()
    for seed in range(20):
        first, second = drawn(run, random.Random(seed)).measurements
        assert [s.value * 100 for s in first.samples] == [s.value for s in second.samples]
        assert [s.round for s in first.samples] == [0, 1, 2, 3, 4]
        assert first.samples[0].warmup
        seen.add(tuple(s.value for s in first.samples))
    assert len(seen) > 10


def test_room_is_told_in_widths_of_the_interval():
    (_, row) = stability(claim(10.0), run_of(container=[0.0, *[1.0] * 8]), 5)
    assert row[HEAD.index("ROOM")] == "all"
