import time

import pytest

from bench import ladder as module
from bench.channel import ChannelFault
from bench.clock import now
from bench.errors import BenchFault
from bench.ladder import Ladder, climb
from bench.target import Box
from tests.fakes.fake_target import (
    INIT,
    LISTENING,
    FakeTarget,
    deaf,
    dying,
    lying,
    mute,
    obedient,
    stuck,
    virtual,
)

FAILURES = [
    (mute, "no marker 'kernel or init' in time"),
    (stuck, "no marker 'listening' in time.*waiting for something"),
    (dying, "hung up before 'listening'.*Segmentation fault"),
    (deaf, "hung up before"),
    (lying, r"answered 'pong 999' to 'ping \d+'"),
]


def launch(target, **options):
    return climb(launcher(target), "one", **options)


def launcher(target):
    with target.launcher(Box("agent", 1)) as found:
        return found


def test_a_real_agent_climbs_every_rung_but_the_kernels():
    target = FakeTarget("native")
    begin = now()
    with launch(target) as running:
        seen = running.ladder
        assert begin <= seen.request <= seen.created <= seen.init <= seen.listening <= seen.ready <= now()
        assert seen.kernel is None
        assert list(seen.durations()) == ["created", "init", "listening", "ready"]
        assert all(seconds >= 0 for seconds in seen.durations().values())
        assert running.channel.execute("echo up", now() + 5).output == "up\n"
    assert target.journal[2:] == ["start one", "remove one"]
    assert target.instances[0].body.returncode is not None


@pytest.mark.parametrize("console", [True, False])
def test_a_guest_has_a_kernel_rung_on_its_console_or_on_the_shared_channel(console):
    with launch(virtual(with_console=console)) as running:
        seen = running.ladder
        assert seen.created <= seen.kernel <= seen.init
        assert list(seen.durations()) == ["created", "kernel", "init", "listening", "ready"]


def test_durations_count_from_the_request():
    rungs = Ladder(request=10, created=10.5, kernel=11, init=12, listening=13, ready=14).durations()
    assert rungs == {"created": 0.5, "kernel": 1, "init": 2, "listening": 3, "ready": 4}


def test_a_rung_before_the_request_is_an_error_and_no_number():
    with pytest.raises(BenchFault, match="negative duration"):
        Ladder(request=10, created=10.5, kernel=None, init=9.9, listening=13, ready=14).durations()


@pytest.mark.parametrize(("behaviour", "text"), FAILURES)
def test_a_start_that_fails_is_removed_and_told_with_name_and_log(monkeypatch, behaviour, text):
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    target = FakeTarget("native", behaviour=behaviour)
    with pytest.raises(ChannelFault, match=text) as caught, launch(target):
        pytest.fail("it never was ready")
    assert str(caught.value).startswith("one: ")
    assert "log of one" in str(caught.value)
    assert target.journal[-1] == "remove one"


def test_patience_counts_from_the_request_for_all_rungs_together(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.3)

    def slow(inside):
        for text in (INIT, LISTENING, b"\x1etare pong 1\n"):
            time.sleep(0.2)
            inside.say(text)

    begin = now()
    with (
        pytest.raises(ChannelFault, match="'listening' in time"),
        launch(FakeTarget("native", behaviour=slow)),
    ):
        pytest.fail("it never was ready")
    assert now() - begin < 1


def test_a_refused_start_passes_through_and_nothing_is_removed():
    target = FakeTarget("native", refusals={0: BenchFault("no room", hint="make some", kind="host")})
    with pytest.raises(BenchFault, match="no room"), launch(target):
        pytest.fail("it never was started")
    assert target.journal[2:] == ["start one"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_whatever_ends_the_body_the_instance_is_removed(error):
    target = FakeTarget("native")
    with pytest.raises(error), launch(target):
        raise error
    assert target.journal[-1] == "remove one"


def test_remove_returns_the_seconds_to_gone_and_is_not_done_again():
    target = FakeTarget("native")
    with launch(target) as running:
        begin = now()
        seconds = running.remove()
        assert 0 <= seconds <= now() - begin
        assert running.removed
    assert target.journal.count("remove one") == 1


def start_and_end(target, *, explicit):
    with launch(target) as running:
        if explicit:
            running.remove()


@pytest.mark.parametrize("explicit", [True, False])
def test_a_removal_that_leaves_something_is_a_failure_that_names_it(explicit):
    target = FakeTarget("native", residue=["cgroup /tare/one", "mount /x"])
    with pytest.raises(BenchFault, match=r"one left behind: cgroup /tare/one, mount /x") as caught:
        start_and_end(target, explicit=explicit)
    assert "system prune" in caught.value.hint
    assert caught.value.kind == "failed"


@pytest.mark.parametrize("ledger", [True, False])
def test_the_ledger_is_asked_of_the_launcher(ledger):
    target = FakeTarget("native", behaviour=obedient())
    with launch(target, ledger=ledger):
        assert target.journal[-1] == ("start one with ledger" if ledger else "start one")


def test_a_kernel_line_on_the_console_after_init_changes_nothing():
    def late(inside):
        inside.say(INIT, LISTENING)
        for words in inside.requests():
            inside.print(b"Linux version 9\n")
            inside.pong(words)

    with launch(virtual(behaviour=late, with_console=True)) as running:
        assert running.ladder.kernel is None


def test_two_kernels_one_after_the_other_count_the_first():
    def twice(inside):
        inside.print(b"Linux version 1 (loader)\n")
        time.sleep(0.05)
        inside.print(b"Linux version 2\n")
        obedient()(inside)

    with launch(virtual(behaviour=twice, with_console=True)) as running:
        seen = running.ladder
        assert seen.init - seen.kernel >= 0.04
