"""Tables of system calls, run for real: their ways on, their stops, their errors."""

import errno
import os
import shutil
import stat
import subprocess

import pytest

from runtime.linux import batch
from runtime.linux.batch import Batch
from tests import descriptors

pytestmark = pytest.mark.skipif(not batch.possible(), reason="tables are made for x86_64")
MKDIR, SYMLINK, GETPID, CLOSE, OPEN, WRITE = 83, 88, 39, 3, 2, 1


def path(directory, name):
    return os.fsencode(directory / name)


@pytest.mark.skipif(not (shutil.which("as") and shutil.which("objcopy")), reason="needs binutils")
def test_the_bytes_are_the_source_assembled(tmp_path):
    (tmp_path / "a.s").write_text(f".intel_syntax noprefix\n{batch.SOURCE_X86_64}")
    subprocess.run(["as", "a.s", "-o", "a.o"], cwd=tmp_path, check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", "a.o", "a.bin"], cwd=tmp_path, check=True)
    assert (tmp_path / "a.bin").read_bytes() == batch.CODE_X86_64


def test_all_calls_are_made_with_their_arguments(tmp_path):
    table = Batch()
    table.call(MKDIR, path(tmp_path, "a"), 0o700)
    table.call(SYMLINK, b"a", path(tmp_path, "b"))
    table.ready()
    assert table.run() == len(table) - 1
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert (tmp_path / "b").readlink().name == "a"


def test_it_stops_at_an_error_that_nobody_foresaw(tmp_path):
    table = Batch()
    table.call(MKDIR, path(tmp_path, "a/b"), 0o700)
    table.call(MKDIR, path(tmp_path, "a"), 0o700)
    table.ready()
    assert (table.run(), table.error(0)) == (0, errno.ENOENT)
    assert not (tmp_path / "a").exists()
    assert table.run(1) == 2
    assert table.run(0) == 1
    assert (table.error(1), (tmp_path / "a/b").is_dir()) == (errno.EEXIST, True)


@pytest.mark.parametrize(("there", "made"), [(False, {"new", "after"}), (True, {"new", "other", "after"})])
def test_an_error_that_was_foreseen_has_its_way_on(tmp_path, there, made):
    if there:
        (tmp_path / "new").mkdir()
    table = Batch()
    table.call(MKDIR, path(tmp_path, "new"), 0o700, ahead=2, errors={errno.ENOENT: 3, errno.EEXIST: 1})
    table.call(MKDIR, path(tmp_path, "other"), 0o700)
    table.call(MKDIR, path(tmp_path, "after"), 0o700)
    table.ready()
    assert table.run() == 3
    assert {one.name for one in tmp_path.iterdir()} == made


def test_it_leaves_the_caller_what_it_was_told_to(tmp_path):
    table = Batch()
    table.call(GETPID)
    assert table.stop() == 1
    table.call(MKDIR, path(tmp_path, "a"), 0o700)
    table.ready()
    assert table.run() == 1
    assert not (tmp_path / "a").exists()
    assert table.run(2) == 3


def test_a_number_that_is_known_late_is_given(tmp_path):
    table = Batch()
    entry = table.call(CLOSE, -1)
    table.ready()
    assert (table.run(), table.error(entry)) == (0, errno.EBADF)
    fd = os.open(tmp_path, os.O_RDONLY)
    table.give(entry, 0, fd)
    assert table.run() == 1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_what_a_call_returns_is_handed_on(tmp_path):
    (tmp_path / "file").write_text("")
    table = Batch()
    table.call(OPEN, path(tmp_path, "absent"), os.O_WRONLY, errors={errno.ENOENT: 3}, handed_on=True)
    table.call(WRITE, -1, b"absent", 6)
    table.call(CLOSE, -1)
    table.call(OPEN, path(tmp_path, "file"), os.O_WRONLY, handed_on=True)
    table.call(WRITE, -1, b"text", 4)
    table.call(CLOSE, -1)
    table.ready()
    before = descriptors.of()
    assert table.run() == len(table) - 1
    assert (tmp_path / "file").read_text() == "text"
    assert not descriptors.since(before)
