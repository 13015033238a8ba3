"""The scenario anywhere on fakes: a box that does something else is found, whichever it is."""

import os

import pytest

from bench.scenarios.anywhere import EXPECTED, Anywhere
from bench.targets.installed import names
from tests.fakes.fake_target import FakeTarget, obedient, virtual

OURS = os.uname().release


def box(tree="aa", work=EXPECTED, number="1.5", kernel=OURS):
    return obedient({"seq": f"{tree * 32}  -\n{'cc' * 32}  -\n{work}  -\n{number}\n{kernel}\n"})


def facts(run, metric):
    return {m.target: {s.value for s in m.samples} for m in run.measurements if m.metric == metric}


def test_the_same_output_everywhere_and_a_guest_has_another_kernel(measure):
    guest = virtual(behaviour=box(kernel="6.1.0-other"))
    run = measure(Anywhere(), FakeTarget("container", behaviour=box()), guest, runs=2)
    assert facts(run, "same_output") == {"container": {1}, "vm": {1}}
    assert facts(run, "same_output_elsewhere") == {"vm": {1}}
    assert not run.failures


def test_a_guest_with_the_hosts_kernel_says_nothing_of_other_kernels(measure):
    targets = FakeTarget("container", behaviour=box()), virtual(behaviour=box())
    run = measure(Anywhere(), *targets, runs=2)
    assert facts(run, "same_output") == {"container": {1}, "vm": {1}}
    assert facts(run, "same_output_elsewhere") == {}


@pytest.mark.parametrize("other", [{"tree": "bb"}, {"number": "1.6"}])
def test_a_box_that_differs_from_the_other_is_seen(measure, other):
    targets = FakeTarget("container", behaviour=box()), FakeTarget("crun", behaviour=box(**other))
    run = measure(Anywhere(), *targets, runs=2)
    assert sorted(map(sorted, facts(run, "same_output").values())) == [[0], [1]]


def test_boxes_that_agree_on_what_is_wrong_are_seen(measure):
    run = measure(Anywhere(), FakeTarget("container", behaviour=box(work="dd" * 32)), runs=1)
    assert facts(run, "same_output") == {"container": {0}}


@pytest.mark.parametrize(
    "behaviour",
    [obedient({"seq": "sh: not found\n"}), box(number="awk: Math support is not compiled in"), box(tree="")],
    ids=["no program", "no number", "no tree"],
)
def test_a_box_that_can_not_run_the_program_is_a_failure(measure, behaviour):
    run = measure(Anywhere(), FakeTarget("container", behaviour=behaviour), runs=1)
    (failure,) = run.failures
    assert "printed something else in container" in failure.text
    assert not run.measurements


def test_every_box_that_starts_the_image_itself_takes_part():
    assert set(Anywhere().targets) == set(names()) - {"native", "vm-full", "tare-oci"}
