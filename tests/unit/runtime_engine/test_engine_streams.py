"""What a container writes: whole lines in the log, everything to who is attached, nothing lost at the end."""

from __future__ import annotations

import json
import os
import select

import pytest

from runtime.engine.logfile import Log
from runtime.engine.streams import Tap


@pytest.fixture
def tap(tmp_path):
    """A tap, the end to write to, its log's path, and the poll that tells of its events."""
    hear, say = os.pipe()
    log, poll = Log(str(tmp_path / "log")), select.poll()
    made = Tap(hear, "stdout", log, poll, lambda _: None)
    yield made, say, tmp_path / "log", poll
    made.drain()
    log.close()


def turn(tap, poll, limit=100):
    for _ in range(limit):
        events = [(fd, mask) for fd, mask in poll.poll(0) if tap.owns(fd)]
        if not events:
            return
        for fd, mask in events:
            tap.event(fd, mask)


def lines(path):
    return [json.loads(line)["log"] for line in path.read_text().splitlines()]


def test_lines_are_logged_whole_and_the_last_one_at_the_end(tap):
    made, say, path, poll = tap
    os.write(say, b"one\ntw")
    turn(made, poll)
    assert lines(path) == ["one\n"]
    os.write(say, b"o\nrest \xff")
    turn(made, poll)
    os.close(say)
    turn(made, poll)
    assert lines(path) == ["one\n", "two\n", "rest \ufffd"]
    assert made.over


def test_a_very_long_line_is_cut(tap):
    made, say, path, poll = tap
    os.write(say, b"x" * 20000)
    turn(made, poll)
    os.write(say, b"\n")
    os.close(say)
    turn(made, poll)
    assert [len(line) for line in lines(path)] == [16384, 3617]
    assert "".join(lines(path)) == "x" * 20000 + "\n"


def test_a_sink_that_does_not_read_stops_the_stream_and_loses_nothing(tap):
    made, say, _, poll = tap
    read, sink = os.pipe()
    os.set_blocking(say, False)
    os.set_blocking(read, False)
    made.attach(sink)
    sent = 0
    for _ in range(100):
        try:
            sent += os.write(say, b"y" * 4096)
        except BlockingIOError:
            break
        turn(made, poll)
    assert sent < 100 * 4096  # the writer is held up, as at a full pipe
    os.close(say)
    got = 0
    while True:
        turn(made, poll)
        try:
            data = os.read(read, 1 << 16)
        except BlockingIOError:
            continue
        if not data:
            break
        got += len(data)
    assert got == sent
    os.close(read)


def test_a_reader_that_goes_away_is_forgotten(tap):
    made, say, path, poll = tap
    read, sink = os.pipe()
    made.attach(sink)
    os.close(read)
    turn(made, poll)
    os.write(say, b"on\n")
    os.close(say)
    turn(made, poll)
    assert lines(path) == ["on\n"]
    assert made.over
