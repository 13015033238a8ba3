"""The index of stored runs says what the files say, whatever happens to it."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bench.history import index as index_module
from bench.history.index import FILE, Index
from tests.fakes.plain_run import plain_run, store

READY = ("startup", "native", "ready")


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "results"
    for number in (1, 2, 3):
        store(folder, plain_run({READY: [0.01 * number] * 6}, number=number))
    return folder


@pytest.fixture
def reads(monkeypatch):
    """Counts the files that are really read."""
    seen = []
    read = index_module.read
    monkeypatch.setattr(index_module, "read", lambda path: (seen.append(path.name), read(path))[1])
    return seen


def medians(root):
    return [figure.median for entry in Index(root).entries() for figure in entry.figures]


def test_without_stored_runs_there_are_no_entries_and_no_index(tmp_path):
    assert Index(tmp_path / "nothing").entries() == []
    assert not (tmp_path / "nothing").exists()


def test_entries_come_in_the_order_of_time_and_say_what_is_in_a_run(root):
    first, *_ = entries = Index(root).entries()
    assert [entry.started[:10] for entry in entries] == ["2026-10-01", "2026-10-02", "2026-10-03"]
    assert (first.scenarios, first.targets, first.state) == (("startup",), ("native",), "complete")
    assert (first.figures[0].n, first.figures[0].median) == (6, 0.01)
    assert first.facts["cpu.model"] == "CPU A"


def test_files_are_read_once_and_again_only_when_they_changed(root, reads):
    assert medians(root) == medians(root) == [0.01, 0.02, 0.03]
    assert len(reads) == 3
    changed = plain_run({READY: [0.04] * 6}, number=2)
    path = store(root, changed)
    assert medians(root) == [0.01, 0.04, 0.03]
    assert reads[3:] == [path.name]


def test_a_file_that_was_changed_to_the_same_size_at_the_same_time_is_noticed(root):
    medians(root)
    path = sorted(root.glob("*.json"))[0]
    before = path.stat()
    path.write_text(path.read_text().replace("0.01", "0.09"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert medians(root) == [0.09, 0.02, 0.03]


def test_removed_and_added_files_come_and_go(root):
    medians(root)
    sorted(root.glob("*.json"))[0].unlink()
    store(root, plain_run({READY: [0.05] * 6}, number=9))
    assert medians(root) == [0.02, 0.03, 0.05]


def write_garbage(path):
    path.write_bytes(b"this is no database" * 1000)


def cut(path):
    path.write_bytes(path.read_bytes()[:5000])


def overwrite_the_middle(path):
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(bytes(data))


def make_of_another_version(path):
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE runs (something INTEGER)")
        db.execute("PRAGMA user_version = 77")


def make_of_another_shape(path):
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE runs (key INTEGER)")
        db.commit()


def be_empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize(
    "damage",
    [write_garbage, cut, overwrite_the_middle, make_of_another_version, make_of_another_shape, be_empty],
)
def test_a_damaged_index_is_made_anew(root, reads, damage):
    before = Index(root).entries()
    damage(root / FILE)
    assert Index(root).entries() == before
    assert len(reads) == 6
    assert Index(root).entries() == before
    assert len(reads) == 6, "the new index holds"


def test_a_row_that_was_forged_is_not_believed(root):
    medians(root)
    with closing(sqlite3.connect(root / FILE)) as db:
        db.execute("UPDATE runs SET entry = replace(entry, '0.02', '0.92')")
        db.commit()
    assert medians(root) == [0.01, 0.02, 0.03]


def test_a_row_that_was_put_under_another_run_is_not_believed(root):
    medians(root)
    with closing(sqlite3.connect(root / FILE)) as db:
        ((entry, digest),) = db.execute("SELECT entry, digest FROM runs ORDER BY key LIMIT 1").fetchall()
        db.execute("UPDATE runs SET entry = ?, digest = ?", (entry, digest))
        db.commit()
    assert medians(root) == [0.01, 0.02, 0.03]


def test_a_directory_where_the_index_should_be_does_not_matter(root):
    (root / FILE).mkdir()
    assert medians(root) == [0.01, 0.02, 0.03]


def test_a_damaged_result_file_is_an_entry_with_its_fault_and_heals(root):
    path = root / "20261009T120000Z-00beef.json"
    path.write_text('{"schema": "tare/results/1"')
    *_, entry = Index(root).entries()
    assert (entry.key, entry.state) == (path.stem, "damaged")
    assert "is not JSON" in entry.fault
    store(root, plain_run({READY: [0.05] * 6}, number=9, id=path.stem))
    assert Index(root).entries()[-1].state == "complete"


PROGRAM = """
import sys
from pathlib import Path
from bench.history.index import FILE, Index
root = Path(sys.argv[1])
for turn in range(30):
    if turn % 10 == int(sys.argv[2]):
        (root / FILE).write_bytes(b"garbage" * 999)
    found = [figure.median for entry in Index(root).entries() for figure in entry.figures]
    assert found[:3] == [0.01, 0.02, 0.03], found
"""


def test_processes_may_use_and_break_it_at_once(root):
    command = [sys.executable, "-c", PROGRAM, str(root)]
    place = Path(__file__).parents[3]
    children = [subprocess.Popen([*command, str(n)], cwd=place, stderr=subprocess.PIPE) for n in range(4)]
    for number in range(10, 30):
        store(root, plain_run({READY: [0.05] * 6}, number=number))
    for child in children:
        _, said = child.communicate(timeout=60)
        assert child.returncode == 0, said.decode()
    assert len(medians(root)) == 23
