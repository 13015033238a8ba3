import io
import os
import pty
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from bench.pace import Pace
from bench.progress import Bar, Lines, Quiet, progress
from tests.fakes.clock import FakeClock


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    return FakeClock()


def go(display, clock, label, seconds):
    display.begin(label)
    clock.advance(seconds)
    display.end(label)


def test_the_rest_is_guessed_from_the_mean_of_each_label():
    pace = Pace()
    pace.plan(["startup vm"] * 4 + ["startup container"] * 10)
    assert pace.remaining is None
    pace.step("startup vm", 3.0)
    pace.step("startup vm", 5.0)
    assert pace.remaining == pytest.approx(2 * 4.0 + 10 * 4.0)
    pace.step("startup container", 0.5)
    assert pace.remaining == pytest.approx(2 * 4.0 + 9 * 0.5)
    assert (pace.finished, pace.total) == (3, 14)


def test_what_is_expected_tells_the_rest_before_the_first_step_and_follows_this_hosts_pace():
    pace = Pace()
    pace.plan(["startup vm"] * 4 + ["startup container"] * 10 + ["cpu vm"])
    pace.expected.update({"startup vm": 3.0, "startup container": 0.5})
    assert pace.remaining == pytest.approx(4 * 3.0 + 10 * 0.5 + 1.75)
    pace.step("startup vm", 6.0)  # a host half as fast
    assert pace.remaining == pytest.approx(3 * 6.0 + 10 * 1.0 + 3.5)


def test_more_steps_than_planned_leave_nothing():
    pace = Pace()
    pace.plan(["a"])
    pace.step("a", 1.0)
    pace.step("a", 1.0)
    assert pace.remaining == 0


def test_lines_speak_at_new_scenarios_and_tenths_only(clock):
    stream = io.StringIO()
    with progress(stream=stream, clock=clock) as display:
        assert isinstance(display, Lines)
        display.plan(["startup vm"] * 100 + ["cpu vm"] * 100)
        for label in ["startup vm"] * 100 + ["cpu vm"] * 100:
            go(display, clock, label, 3.0)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 12  # 0 to 10 tenths, and one more for the new scenario in the middle
    assert lines[0] == "startup vm: 0 of 200"
    assert lines[1] == "startup vm: 20 of 200, about 9 min left"
    assert lines[-1] == "cpu vm: 200 of 200"
    assert "\x1b" not in stream.getvalue()


def test_notes_are_whole_lines(clock):
    stream = io.StringIO()
    progress(stream=stream, clock=clock).note("warning: [bold]busy")
    progress(stream=stream, clock=clock, quiet=True).note("second")
    assert stream.getvalue() == "warning: [bold]busy\nsecond\n"


def test_quiet_is_quiet(clock):
    stream = Terminal()
    with progress(stream=stream, clock=clock, quiet=True) as display:
        assert isinstance(display, Quiet)
        display.plan(["a"])
        go(display, clock, "a", 1.0)
    assert stream.getvalue() == ""


def test_a_dumb_terminal_gets_lines(clock, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(progress(stream=Terminal(), clock=clock), Lines)


def test_the_bar_draws_when_told_and_starts_no_thread(clock, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    threads = threading.active_count()
    with progress(stream=stream, clock=clock) as display:
        assert isinstance(display, Bar)
        assert threading.active_count() == threads
        display.plan(["startup vm"] * 4)
        before = len(stream.getvalue())
        go(display, clock, "startup vm", 30.0)
        drawn = stream.getvalue()[before:]
        display.note("warning: [bold]busy")
    assert "startup vm" in drawn
    assert "1/4" in drawn
    assert "about 2 min left" in drawn
    assert "[bold]busy" in stream.getvalue()
    assert stream.getvalue().endswith(("\x1b[?25h", "\x1b[2K"))  # cursor shown, line cleared


def test_an_interrupted_run_gives_the_cursor_back(clock, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with suppress(KeyboardInterrupt), progress(stream=stream, clock=clock) as display:
        display.plan(["a"])
        display.begin("a")
        raise KeyboardInterrupt
    hidden, shown = stream.getvalue().rfind("\x1b[?25l"), stream.getvalue().rfind("\x1b[?25h")
    assert shown > hidden >= 0


PROGRAM = """
from bench.progress import progress
with progress() as display:
    display.plan(["startup vm"] * 2)
    display.begin("startup vm"); display.end("startup vm")
"""


@pytest.mark.parametrize(("extra", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_real_terminal_with_and_without_colour(extra, coloured):
    main, side = pty.openpty()
    environment = (
        {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm-256color"} | extra
    )
    with os.fdopen(side, "wb") as stream:
        subprocess.run([sys.executable, "-c", PROGRAM], stderr=stream, check=True, env=environment)
    with os.fdopen(main, "rb", buffering=0) as terminal:
        drawn = terminal.read(65536).decode()
    assert "startup vm" in drawn
    assert ("\x1b[38;5;" in drawn) is coloured


def test_a_pipe_never_loads_rich():
    program = PROGRAM + "\nimport sys; assert 'rich' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b""
    assert done.stderr.startswith(b"startup vm: 0 of 2\n")
