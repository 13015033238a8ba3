"""The journal beside a result file: what a kill, a full disk and a reader at the wrong moment make of it."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from bench.errors import BenchFault
from bench.history.index import Index
from bench.history.shelf import Shelf
from bench.results import Measurement, Sample, Writer, beside, content, load, validate, writer
from tests.fakes.sample_run import sample_run

MOMENTS = 40


@pytest.fixture
def header():
    return msgspec.structs.replace(sample_run(), measurements=(), failures=(), warnings=(), finished=None)


def ready(number):
    sample = Sample(value=number / 1000, round=number, position=0, at=float(number))
    return Measurement(
        scenario="startup",
        target="container",
        metric="ready",
        unit="s",
        boundary="b" * 300,
        samples=(sample,),
    )


def rounds(run):
    return [sample.round for one in run.measurements for sample in one.samples]


def written(path, header, count):
    """Return the bytes that this process writes for a run of `count` samples, and the file's length."""
    before = counted()
    with Writer(path, header) as opened:
        for number in range(count):
            opened.record(ready(number))
    return counted() - before, path.stat().st_size


def counted():
    return int(Path("/proc/self/io").read_text().split("wchar: ")[1].split()[0])


def test_what_a_run_writes_grows_with_its_samples_not_with_their_square(tmp_path, header):
    """Counted by the kernel. To write the file anew for each sample took count times half of it."""
    few, many = (written(tmp_path / f"{count}.json", header, count) for count in (500, 4000))
    for total, size in (few, many):
        assert total < 12 * size
    assert many[0] < 12 * few[0]
    assert rounds(load(tmp_path / "4000.json")) == list(range(4000))
    assert not beside(tmp_path / "4000.json").exists()


def test_the_file_is_written_anew_when_its_journal_has_outgrown_it(tmp_path, header):
    path = tmp_path / "run.json"
    seen = []
    with Writer(path, header) as opened:
        for number in range(700):
            opened.record(ready(number))
            seen.append(len(rounds(msgspec.json.decode(path.read_bytes(), type=type(header)))))
            assert beside(path).stat().st_size <= max(writer.SHORT, path.stat().st_size) + 1000
        validate(load(path))
        assert rounds(load(path)) == list(range(700))
    assert 2 <= len(set(seen)) <= 8


def test_a_line_that_a_kill_cut_off_was_never_written(tmp_path, header):
    path = tmp_path / "run.json"
    with suppress(KeyboardInterrupt), Writer(path, header) as opened:
        for number in range(3):
            opened.record(ready(number))
        raise KeyboardInterrupt
    whole = beside(path).read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        beside(path).write_bytes(whole[:cut])
        complete = sum(end <= cut for end in ends)
        assert rounds(load(path)) == list(range(max(complete - 1, 0)))


def test_a_journal_of_another_file_adds_nothing(tmp_path, header):
    """A kill between the renames leaves the new file, which has it all, beside the journal of the old one."""
    path = tmp_path / "run.json"
    with suppress(KeyboardInterrupt), Writer(path, header) as opened:
        opened.record(ready(0))
        old = beside(path).read_bytes()
        opened.conclude([])
        raise KeyboardInterrupt
    beside(path).write_bytes(old)
    assert rounds(load(path)) == [0]


def test_a_damaged_line_is_told_with_the_way_out(tmp_path, header):
    path = tmp_path / "run.json"
    with suppress(KeyboardInterrupt), Writer(path, header) as opened:
        for number in range(2):
            opened.record(ready(number))
        raise KeyboardInterrupt
    beside(path).write_bytes(beside(path).read_bytes().replace(b'"ready"', b'"re', 1))
    with pytest.raises(BenchFault, match=r"run\.json\.journal is damaged") as caught:
        load(path)
    assert caught.value.kind == "corrupt"
    beside(path).unlink()
    assert rounds(load(path)) == []


def test_a_full_disk_takes_back_half_a_line(tmp_path, header, monkeypatch):
    path, real = tmp_path / "run.json", os.write

    def full(descriptor, data):
        if Path(f"/proc/self/fd/{descriptor}").readlink().suffix != ".journal":
            return real(descriptor, data)
        if len(data) > 50:
            return real(descriptor, data[: len(data) - 50])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with suppress(KeyboardInterrupt), Writer(path, header) as opened:
        opened.record(ready(0))
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full)
            with pytest.raises(BenchFault, match="no space left to write") as caught:
                opened.record(ready(1))
        assert caught.value.kind == "host"
        assert rounds(load(path)) == [0]
        opened.record(ready(2))
        raise KeyboardInterrupt
    assert rounds(load(path)) == [0, 2]


def test_who_copies_an_unfinished_run_copies_its_journal(tmp_path, header, tare):
    path, shelf = tmp_path / "run.json", Shelf(tmp_path / "stored")
    with suppress(KeyboardInterrupt), Writer(path, header) as opened:
        opened.record(ready(0))
        raise KeyboardInterrupt
    key = shelf.take(path)
    assert rounds(load(shelf.file(key))) == [0]
    assert content(path) == shelf.file(key).read_bytes()
    beside(shelf.file(key)).touch()
    assert str(beside(shelf.file(key))) in shelf.remove(key)
    assert tare("results", "import", path).code == 0
    assert json.loads(tare("results", "export", header.id, "-f", "json").out)["measurements"]


def test_the_index_sees_what_came_to_the_journal(tmp_path, header):
    with suppress(KeyboardInterrupt), Writer(tmp_path / f"{header.id}.json", header) as opened:
        for count in range(1, 4):
            opened.record(ready(count))
            (entry,) = Index(tmp_path).entries()
            assert [figure.n for figure in entry.figures] == [count]
        raise KeyboardInterrupt


KILLED = """
import itertools, sys
from pathlib import Path
from msgspec.structs import replace
from bench.results import Writer, load
from tests.unit.bench.test_results_journal import ready, rounds

path = Path(sys.argv[1])
begun = load(path)
with Writer(path, begun) as writer:
    print(len(rounds(begun)), flush=True)
    for number in itertools.count(len(rounds(begun))):
        writer.record(ready(number))
        print(number + 1, flush=True)
"""


def test_a_writer_that_is_killed_at_any_moment_loses_nothing_and_goes_on(tmp_path, header):
    """kill -9 at 40 random moments of one run, each of which is taken up by the next process."""
    path, moments = tmp_path / "run.json", random.Random(5)
    with suppress(KeyboardInterrupt), Writer(path, header):
        raise KeyboardInterrupt
    known = 0
    for _ in range(MOMENTS):
        with subprocess.Popen([sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE) as child:
            wanted = known + moments.randrange(1, 120)
            for line in child.stdout:
                known = int(line)
                if known >= wanted:
                    break
            for _ in range(moments.randrange(2000)):  # a moment that no line of output tells
                pass
            child.send_signal(signal.SIGKILL)
            told = [int(line) for line in child.stdout.read().split()]
        known = max([known, *told])
        found = rounds(load(path))
        assert found == list(range(len(found)))
        assert known <= len(found) <= known + 1  # the last may be written and not yet told
        known = len(found)
    with Writer(path, load(path)):
        pass
    assert load(path).finished
    assert rounds(load(path)) == list(range(known))
    assert not beside(path).exists()
