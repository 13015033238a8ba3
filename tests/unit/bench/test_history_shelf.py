"""Stored runs are found by path, name and id; names are files; nothing is overwritten."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench.errors import BenchFault
from bench.history import names
from bench.history.shelf import Shelf
from tests.fakes.plain_run import plain_run, store

READY = ("startup", "native", "ready")


@pytest.fixture
def shelf(tmp_path):
    for number in (1, 2):
        store(tmp_path / "results", plain_run({READY: [0.01] * 6}, number=number))
    return Shelf(tmp_path / "results")


FIRST, SECOND = "20261001T120000Z-000001", "20261002T120000Z-000002"


def test_a_run_is_found_by_id_beginning_name_path_and_as_the_latest(shelf, tmp_path, monkeypatch):
    shelf.names.put("main", FIRST)
    elsewhere = store(tmp_path, plain_run({READY: [0.01] * 6}, number=7))
    for reference in (FIRST, "20261001", "main", str(shelf.file(FIRST))):
        assert shelf.find(reference) == shelf.file(FIRST)
    assert shelf.find("latest") == shelf.file(SECOND)
    assert shelf.find(str(elsewhere)) == elsewhere
    monkeypatch.chdir(tmp_path)
    (tmp_path / "saved").write_text("")
    assert shelf.find("saved").name == "saved"


@pytest.mark.parametrize(
    ("reference", "kind", "said"),
    [
        ("nobody", "missing", "there is no run 'nobody'"),
        ("2026", "usage", "beginning of 2 ids"),
        ("", "missing", "there is no run ''"),
        ("baseline", "missing", "there is no baseline"),
        ("../../etc", "corrupt", ""),
    ],
)
def test_what_means_nothing_is_refused_by_name(shelf, reference, kind, said):
    if kind == "corrupt":  # a path is taken as it is; reading it will fail by its name
        assert shelf.find(reference).parts[-1] == "etc"
        return
    with pytest.raises(BenchFault, match=said) as caught:
        shelf.find(reference)
    assert caught.value.kind == kind
    assert caught.value.hint


def test_a_name_whose_run_is_gone_says_so(shelf):
    shelf.names.put("main", FIRST)
    shelf.file(FIRST).unlink()
    with pytest.raises(BenchFault, match=rf"run {FIRST}, which 'main' stands for, is gone"):
        shelf.find("main")


def test_a_name_moves_to_the_next_run_and_tells_which_it_was(shelf):
    assert shelf.names.put("main", FIRST) is None
    assert shelf.names.put("main", SECOND) == FIRST
    assert (shelf.find("main").stem, shelf.names_of(SECOND)) == (SECOND, ["main"])


@pytest.mark.parametrize(
    "name", ["", ".hidden", "a/b", "../up", "x" * 65, "with space", "run.json", "latest", "baseline", FIRST]
)
def test_names_that_would_be_mistaken_for_something_else_are_refused(name):
    with pytest.raises(BenchFault) as caught:
        names.check(name)
    assert (caught.value.kind, bool(caught.value.hint)) == ("usage", True)


def test_a_file_from_elsewhere_is_taken_in_once(shelf, tmp_path):
    path = store(tmp_path, plain_run({READY: [0.01] * 6}, number=7))
    assert shelf.key_of(str(path)) == shelf.key_of(str(path)) == path.stem
    assert shelf.file(path.stem).read_bytes() == path.read_bytes()


def test_another_content_under_a_stored_id_is_refused(shelf, tmp_path):
    path = store(tmp_path, plain_run({READY: [0.02] * 6}, number=1))
    before = shelf.file(FIRST).read_bytes()
    with pytest.raises(BenchFault, match="another run with the id") as caught:
        shelf.take(path)
    assert caught.value.hint == f"if it may go: tare results rm {FIRST}"
    assert shelf.file(FIRST).read_bytes() == before


@pytest.mark.parametrize("identity", ["../escape", "a/b", ".hidden", ".."])
def test_an_id_that_is_no_file_name_is_refused(shelf, tmp_path, identity):
    path = tmp_path / "run.json"
    path.write_bytes(msgspec.json.encode(plain_run({READY: [0.01] * 6}, id=identity)))
    with pytest.raises(BenchFault, match="can't be the name of a file"):
        shelf.take(path)


def test_removal_takes_the_report_and_the_names_along(shelf):
    shelf.names.put("main", FIRST)
    shelf.file(FIRST).with_suffix(".html").write_text("page")
    gone = shelf.remove(FIRST)
    assert gone[0] == "name main"
    assert not list(shelf.root.glob(f"{FIRST}*"))
    assert shelf.names.all() == {}
    assert shelf.file(SECOND).exists()


PROGRAM = """
import sys
from pathlib import Path
from bench.history.shelf import Shelf
shelf = Shelf(Path(sys.argv[1]))
data = Path(sys.argv[2]).read_bytes()
for turn in range(40):
    assert shelf.names.get("main") in (None, "one", "two")
    shelf.names.put("main", sys.argv[3])
    assert shelf.put("stored", data) == "stored"
"""


def test_processes_may_move_a_name_and_store_a_run_at_once(tmp_path):
    path = store(tmp_path, plain_run({READY: [0.01] * 6}))
    command = [sys.executable, "-c", PROGRAM, tmp_path / "results", path]
    place = Path(__file__).parents[3]
    children = [
        subprocess.Popen([*command, key], cwd=place, stderr=subprocess.PIPE) for key in ("one", "two", "one")
    ]
    for child in children:
        _, said = child.communicate(timeout=60)
        assert child.returncode == 0, said.decode()
    shelf = Shelf(tmp_path / "results")
    assert shelf.names.get("main") in {"one", "two"}
    assert list(shelf.names.all()) == ["main"]
    assert shelf.file("stored").read_bytes() == path.read_bytes()
