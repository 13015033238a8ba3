"""Directories for the time of a run: theirs while they live, gone with them or after them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.container.scratch import prune, scratch

ROOT = Path(__file__).resolve().parents[3]
HOLDER = """
import sys
from pathlib import Path
from runtime.container.scratch import scratch
with scratch(Path(sys.argv[1])) as path:
    (path / "deep").mkdir()
    (path / "deep/file").write_text("x")
    print(path, flush=True)
    sys.stdin.read()
"""


def test_it_is_there_for_a_time_and_for_everybody(tmp_path):
    with scratch(tmp_path) as path:
        assert path.stat().st_mode & 0o7777 == 0o1777
        (path / "file").write_text("x")
        assert prune(tmp_path) == []
        assert path.is_dir()
    assert not path.exists()


def test_it_goes_when_its_owner_fails(tmp_path):
    with pytest.raises(KeyError), scratch(tmp_path) as path:
        (path / "file").write_text("x")
        raise KeyError
    assert not path.exists()


def test_those_of_the_killed_are_pruned_and_no_others(tmp_path):
    foreign = tmp_path / "scratch/notes"
    foreign.mkdir(parents=True)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    path = Path(holder.stdout.readline().strip())
    assert prune(tmp_path) == []
    holder.kill()
    holder.communicate()
    with scratch(tmp_path) as mine:
        assert prune(tmp_path) == [path.name]
        assert not path.exists()
        assert mine.is_dir()
    assert foreign.is_dir()


def test_nothing_to_prune_where_nothing_was(tmp_path):
    assert prune(tmp_path / "absent") == []


def test_another_process_of_the_same_number_is_not_the_owner(tmp_path):
    stale = tmp_path / f"scratch/{os.getpid()}-1-abcd"  # we were not started one tick after the boot
    stale.mkdir(parents=True)
    assert prune(tmp_path) == [stale.name]
