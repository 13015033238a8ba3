"""What a plan may take: every turn of `tare claims` has a price, and the whole stays below its bound."""

import pytest

from bench import costs
from bench.claims.bounds import bounds
from bench.claims.load import asked, select
from bench.scenarios.registry import scenarios
from bench.sizes import Sizes
from bench.turns import turns

GUESTS = {"vm", "vm-full", "uml"}


def labels(*, fast):
    every = select(())
    sizes = Sizes(
        "fast" if fast else "default",
        1,
        asked=asked(every, fast=fast),
        bounds=bounds(every, GUESTS, fast=fast),
    )
    return [
        f"{name} {turn.target}"
        for name, one in scenarios().items()
        if name in sizes.asked
        for turn in turns(one, sizes, [target for target in one.targets if sizes.wants(name, target)])
    ]


@pytest.mark.parametrize(("mode", "minutes"), [("fast", 15), ("default", 50)])
def test_all_claims_fit_into_the_promised_time(mode, minutes):
    planned = labels(fast=mode == "fast")
    seconds = costs.expected(set(planned), mode)
    assert set(seconds) == set(planned)
    assert sum(seconds[label] for label in planned) < 60 * minutes


def test_a_plan_names_its_turns_their_time_and_what_nobody_has_timed():
    known = 2 * costs.FAST["cpu vm"] + costs.FAST["cpu native"]
    said = costs.told(["cpu vm", "cpu vm", "cpu native", "new thing"], "fast").splitlines()
    assert said[0] == f"plan: 4 turns, about {known:.0f} s on two CPUs without KVM"
    assert said[1].split() == ["cpu", f"{known:.0f}", "s", "2", "vm,", "1", "native"]
    assert said[-1].endswith("not in the estimate: new thing")


def test_minutes_are_told_of_what_takes_long():
    minutes = 12 * costs.FAST["lifecycle vm-full"] / 60
    assert f"about {minutes:.0f} min" in costs.told(["lifecycle vm-full"] * 12, "fast")
