"""The airlock: its bytes are its source, it waits, passes on, and can't be changed."""

import errno
import os
import platform
import shutil
import subprocess

import pytest

from runtime.oci import airlock

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="there is an airlock for x86_64 only")


def start(waits_on, path, *args):
    door = airlock.build(waits_on)
    pid = os.fork()
    if pid == 0:
        try:
            if waits_on is not None:
                os.set_inheritable(waits_on, True)  # noqa: FBT003
            airlock.enter(door, path, [path, *args], {"A": "b"})
        finally:
            os._exit(99)
    os.close(door)
    return pid


def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.skipif(not (shutil.which("as") and shutil.which("objcopy")), reason="needs binutils")
def test_the_bytes_are_the_source_assembled(tmp_path):
    (tmp_path / "a.s").write_text(f".intel_syntax noprefix\n{airlock.SOURCE_X86_64}")
    subprocess.run(["as", "a.s", "-o", "a.o"], cwd=tmp_path, check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", "a.o", "a.bin"], cwd=tmp_path, check=True)
    assert (tmp_path / "a.bin").read_bytes() == airlock.CODE_X86_64
    names = subprocess.run(["nm", "a.o"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert (
        next(int(line.split()[0], 16) for line in names.splitlines() if line.endswith(" go")) == airlock._GO
    )


def test_without_waiting_it_becomes_the_program():
    assert ended(start(None, "/bin/sh", "-c", 'test "$A" = b && exit 7')) == 7


def test_it_waits_for_a_byte_and_closes_the_descriptor():
    hear, tell = os.pipe()
    pid = start(hear, "/bin/sh", "-c", f"test ! -e /proc/self/fd/{hear} && exit 5")
    assert os.waitpid(pid, os.WNOHANG) == (0, 0)
    os.write(tell, b"0")
    assert ended(pid) == 5
    os.close(hear)
    os.close(tell)


def test_an_end_without_a_byte_starts_nothing():
    hear, tell = os.pipe()
    os.close(tell)
    assert ended(start(hear, "/bin/true")) == 126
    os.close(hear)


def test_what_cannot_be_run_has_the_shells_codes(tmp_path):
    assert ended(start(None, str(tmp_path / "nowhere"))) == 127
    assert ended(start(None, str(tmp_path))) == 126


def test_the_file_is_sealed():
    door = airlock.build(None)
    with pytest.raises(PermissionError):
        os.pwrite(door, b"x", 0)
    with pytest.raises(PermissionError) as caught:
        os.ftruncate(door, 0)
    assert caught.value.errno == errno.EPERM
    os.close(door)
