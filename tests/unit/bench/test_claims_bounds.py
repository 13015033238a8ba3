"""How many runs of emulated guests are taken, and that the verdict is the one that more would give."""

import msgspec
import pytest

from bench.claims.bounds import bounds
from bench.claims.judge import judge
from bench.claims.load import asked, claims, select
from bench.results.model import Proof
from bench.scenarios.registry import scenarios
from bench.sizes import Sizes
from bench.turns import turns
from tests.fakes.sample_run import sample_run

GUESTS = {"vm", "vm-full", "uml"}


def planned(scenario, *, emulated=GUESTS, fast=True, chosen=()):
    some = select(chosen)
    sizes = Sizes(
        "fast" if fast else "default",
        1,
        asked=asked(some, fast=fast),
        bounds=bounds(some, emulated, fast=fast),
    )
    one = scenarios()[scenario]
    return turns(one, sizes, [name for name in one.targets if sizes.wants(scenario, name)])


def count(slots, target):
    return sum(slot.target == target and not slot.warmup for slot in slots)


@pytest.mark.parametrize("scenario", ["cpu", "memory", "density", "recovery"])
def test_what_emulation_cannot_decide_is_shown_once(scenario):
    assert count(planned(scenario), "vm") == 1
    assert count(planned(scenario, fast=False), "vm") == 1
    assert count(planned(scenario, emulated=()), "vm") >= 3
    assert count(planned(scenario), "container") == count(planned(scenario, emulated=()), "container")


def test_a_preliminary_evaluation_may_leave_it_out():
    assert count(planned("memory"), "vm-full") == 0
    assert count(planned("memory", fast=False), "vm-full") == 1
    assert count(planned("memory", emulated=()), "vm-full") == 3


@pytest.mark.parametrize("fast", [True, False])
def test_an_upper_bound_has_its_runs_and_no_warm_up(fast):
    part, *_ = claims()["startup-vm"].part
    slots = [slot for slot in planned("startup", fast=fast) if slot.target == "vm-full"]
    assert len(slots) == (part.fast_runs if fast else part.runs)
    assert not any(slot.warmup for slot in slots)
    real = [slot for slot in planned("startup", fast=fast, emulated=()) if slot.target == "vm-full"]
    assert any(slot.warmup for slot in real)


@pytest.mark.parametrize("scenario", ["layers", "distribution", "anywhere"])
def test_what_emulation_does_not_change_is_measured_in_full(scenario):
    assert planned(scenario) == planned(scenario, emulated=())


def test_a_box_that_only_stands_beside_an_undecided_guest_is_shown_once_too():
    slots = planned("cpu", chosen=("cpu-hypervisor",))
    assert [count(slots, name) for name in ("container", "vm")] == [1, 1]


def test_what_was_left_out_is_not_evaluable_and_the_verdict_says_why():
    (part, *_) = claims()["resources"].part
    run = sample_run()
    proof = Proof(name="tcg", proof="booted", seconds=1.0)
    environment = msgspec.structs.replace(run.environment, accelerators={"vm-full": proof})
    run = msgspec.structs.replace(run, environment=environment, measurements=(), failures=(), targets=())
    found = judge(part, run)
    assert (found.verdict, found.why, found.detail) == ("not evaluable here", "unshown", "tcg")
    real = msgspec.structs.replace(
        environment, accelerators={"vm-full": msgspec.structs.replace(proof, name="kvm")}
    )
    assert judge(part, msgspec.structs.replace(run, environment=real)).why == "not-measured"
