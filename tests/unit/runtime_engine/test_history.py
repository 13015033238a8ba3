"""Logs that take turns: none grows beyond its size, no more are kept than asked for, readers miss nothing."""

from __future__ import annotations

import pytest

from runtime.engine.history import History
from runtime.engine.logfile import Log, of, size


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.json"


def lines(first, last):
    return [f"line {n}\n".encode() for n in range(first, last)]


def texts(rows):
    return [row["log"] for row in rows]


def files(path):
    return sorted(found.name for found in path.parent.iterdir())


def test_without_a_size_there_is_one_file(path):
    log = Log(str(path))
    log.write("stdout", lines(0, 500))
    assert files(path) == ["log.json"]
    assert texts(History(path).read()) == [f"line {n}\n" for n in range(500)]
    log.close()


def test_files_take_turns(path):
    log = Log(str(path), 1000, 3)
    for n in range(100):
        log.write("stdout", lines(n, n + 1))
    log.close()
    assert files(path) == ["log.json", "log.json.1", "log.json.2"]
    assert all(found.stat().st_size <= 1000 for found in path.parent.iterdir())
    found = texts(History(path).read())
    assert found == [f"line {n}\n" for n in range(100 - len(found), 100)]
    assert len(found) > 20


def test_many_lines_at_once_take_turns_too(path):
    log = Log(str(path), 1000, 2)
    log.write("stdout", lines(0, 100))
    log.close()
    assert files(path) == ["log.json", "log.json.1"]
    assert all(found.stat().st_size <= 1000 for found in path.parent.iterdir())


def test_one_file_begins_anew(path):
    log = Log(str(path), 1000, 1)
    log.write("stdout", lines(0, 100))
    log.close()
    assert files(path) == ["log.json"]
    assert texts(History(path).read())[-1] == "line 99\n"


def test_a_line_longer_than_the_size_is_kept_whole(path):
    log = Log(str(path), 100, 2)
    log.write("stdout", [b"x" * 500 + b"\n", b"y\n"])
    log.close()
    assert texts(History(path).read()) == ["x" * 500 + "\n", "y\n"]


def test_a_log_that_was_there_counts(path):
    for n in range(50):
        log = Log(str(path), 1000, 2)
        log.write("stdout", lines(n, n + 1))
        log.close()
    assert path.stat().st_size <= 1000


def test_a_reader_that_follows_misses_nothing_over_a_turn(path):
    log, history, seen = Log(str(path), 1000, 3), History(path), []
    for n in range(100):
        log.write("stderr", lines(n, n + 1))
        if n % 7 == 0:
            seen += texts(history.read())
    seen += texts(history.read())
    log.close()
    assert seen == [f"line {n}\n" for n in range(100)]


def test_half_a_line_waits_for_its_end(path):
    path.write_bytes(b'{"log": "a"}\n{"lo')
    history = History(path)
    assert texts(history.read()) == ["a"]
    with path.open("ab") as file:
        file.write(b'g": "b"}\n')
    assert texts(history.read()) == ["b"]
    assert history.read() == []


def test_no_file_is_no_line(path):
    assert History(path).read() == []


def test_none_keeps_nothing(path):
    log = of({"Type": "none", "Config": {}}, str(path))
    log.write("stdout", lines(0, 5))
    log.close()
    assert files(path) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [("10", 10), ("4k", 4096), ("2M", 2 << 20), ("1g", 1 << 30), ("", 0), ("x", 0), ("5q", 0)],
)
def test_sizes(text, number):
    assert size(text) == number
