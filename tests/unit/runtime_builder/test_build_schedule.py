"""The order of events: what is independent is under way together, what needs another comes after it."""

import threading

import pytest

from runtime.builder import graph, schedule


def step(text):
    return graph.Execute((text,), "", {}, "/", "", (), (), "none", "sandbox")


def two_chains():
    """Two chains of three steps from one base, and a step that needs both."""
    made = graph.Graph()
    base = made.add(graph.Scratch())
    ends = []
    for chain in "ab":
        node = base
        for depth in range(3):
            node = made.add(step(f"{chain}{depth}"), node)
        ends.append(node)
    return made, made.add(step("end"), *ends)


def names(made, numbers):
    return [made.nodes[each].operation.command[0] for each in numbers if made.nodes[each].inputs]


def events(workers, meeting=None):
    """Run it; steps with a name in `meeting` wait for one another."""
    made, result = two_chains()
    barrier = threading.Barrier(len(meeting or "x"))
    seen = []

    def work(number):
        seen.append(("begun", number))
        if meeting and names(made, [number]) and names(made, [number])[0] in meeting:
            barrier.wait(timeout=10)
        seen.append(("ended", number))

    schedule.run(made, result, work, workers=workers, stop=lambda: None)
    return made, seen


def test_a_step_comes_after_all_that_it_needs():
    made, seen = events(workers=4)
    for number, node in enumerate(made.nodes):
        for needed in node.inputs:
            assert seen.index(("ended", needed)) < seen.index(("begun", number))
    assert len(seen) == 2 * len(made.nodes)


def test_linear_is_one_at_a_time():
    _, seen = events(workers=1)
    assert [what for what, _ in seen] == ["begun", "ended"] * (len(seen) // 2)


@pytest.mark.parametrize("meeting", [("a0", "b0"), ("a0", "b2"), ("a2", "b0")])
def test_steps_of_two_chains_are_under_way_together(meeting):
    """Also those of different depth: nothing waits for a whole row of the graph."""
    made, seen = events(workers=2, meeting=meeting)
    begun = [names(made, [number])[0] for what, number in seen if what == "begun" and names(made, [number])]
    assert set(meeting) <= set(begun)


def test_linear_can_not_bring_them_together():
    with pytest.raises(threading.BrokenBarrierError):
        events_with_short_wait()


def events_with_short_wait():
    made, result = two_chains()
    barrier = threading.Barrier(2)

    def work(number):
        if names(made, [number])[:1] in (["a0"], ["b0"]):
            barrier.wait(timeout=0.2)

    schedule.run(made, result, work, workers=1, stop=lambda: None)


def test_after_a_failure_nothing_begins_and_what_runs_is_stopped():
    made, result = two_chains()
    seen, stopped = [], threading.Event()

    def work(number):
        seen.extend(names(made, [number]))
        if names(made, [number]) == ["a0"]:
            raise ValueError("a0 failed")
        if names(made, [number]) == ["b0"]:
            assert stopped.wait(timeout=10)

    with pytest.raises(ValueError, match="a0 failed"):
        schedule.run(made, result, work, workers=2, stop=stopped.set)
    assert set(seen) <= {"a0", "b0"}
