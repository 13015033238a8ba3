"""The io scenario on fake boxes, with what fio prints."""

from time import sleep

import pytest

from bench.channel import Finished
from bench.scenarios.io import WORKS, Io
from tests.fakes.fake_target import INIT, LISTENING, FakeTarget
from tests.fakes.figures import figures

PRINTED = '"read" : {\n "total_ios" : 0,\n},\n"write" : {\n "total_ios" : 1234,\n}\n'
BEGIN, END = b"\x1etare begin\n", b"\x1etare end\n"


def box(*, direct=True, said=PRINTED, marks=(BEGIN, END), full=False):
    def behave(inside):
        inside.say(INIT, LISTENING)
        for words in inside.requests():
            if words[0] == "ping":
                inside.pong(words)
                continue
            status = 0
            if "fio" in words[2]:
                for mark in marks:
                    inside.say(mark)
                    sleep(0.002)  # as work does: two marks in one read have no time between them
                inside.say(said.encode())
            elif "iflag=direct" in words[2]:
                status = int(not direct)
            elif "conv=fsync" in words[2] and full:
                inside.say(b"No space left on device\n")
                status = 1
            inside.say(f"\x1etare done {words[1]} {status}\n".encode())

    return behave


@pytest.mark.parametrize(("direct", "prefix"), [(True, ""), (False, "buffered ")])
def test_every_work_is_done_at_every_place_and_named_after_the_page_cache(measure, direct, prefix):
    target = FakeTarget("container", behaviour=box(direct=direct))
    run = measure(Io(), target, runs=1)
    assert {(m.params["work"], m.params["place"]) for m in run.measurements} == {
        (work.name if work.cached else f"{prefix}{work.name}", place)
        for work in WORKS
        for place in ("volume", "root")
    }
    assert all(sample.value > 0 for m in run.measurements for sample in m.samples)
    asked = [line for line in target.instances[0].inside.asked if "--name=tare" in line]
    assert len(asked) == 10
    assert sum("--direct=1 " in line for line in asked) == (8 if direct else 0)
    assert target.boxes[0].volume
    warmed = [line for line in asked if "dd if=/" in line.partition("fio")[0]]
    assert [line for line in asked if "--invalidate=0 " in line] == warmed
    assert len(warmed) == 2  # what is served from the page cache, at both places


def test_where_a_file_lies_is_by_the_seed_and_another_place_for_every_run(measure):
    def places():
        found = []
        for name in ("native", "container"):
            target = FakeTarget(name, behaviour=box())
            measure(Io(), target, runs=3)
            for instance in target.instances:
                found += [line.partition(" apart=")[2] for line in instance.inside.asked if " apart=" in line]
        return [words.split(";")[0] for words in found]

    first = places()
    assert len(first) == 2 * 3 * 2
    assert len(set(first)) > 6
    assert places() == first


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ({"said": '"total_ios" : 0'}, "gave no number of blocks"),
        ({"marks": (BEGIN,)}, "gave no number of blocks: status 1"),
        ({"marks": ()}, "gave no number of blocks: status 1"),
        ({"full": True}, "No space left on device"),
    ],
)
def test_work_without_a_number_or_its_marks_is_a_failure(measure, faults, said):
    run = measure(Io(), FakeTarget("native", behaviour=box(**faults)), runs=1)
    assert not run.measurements
    assert said in run.failures[0].text


def test_the_rate_is_by_the_time_between_the_marks(measure, monkeypatch):
    def between(_self, _command, _deadline):
        return Finished(0, PRINTED, 2.0)

    monkeypatch.setattr("bench.channel.Channel.between", between)
    run = measure(Io(), FakeTarget("native", behaviour=box()), runs=1)
    assert figures(run, "native", work="random-read", place="volume")["rate"] == [617.0]
