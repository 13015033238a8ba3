"""The process 1 of --init: its bytes are its source, and it exits, forwards and reaps as it should."""

import ctypes
import os
import platform
import shutil
import signal
import subprocess
import time

import pytest

from runtime.container.started import handles
from runtime.engine import reaper

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="there is a reaper for x86_64 only")


@pytest.fixture
def init(tmp_path):
    reaper.write(tmp_path / "init")
    return str(tmp_path / "init")


@pytest.mark.skipif(not (shutil.which("as") and shutil.which("objcopy")), reason="needs binutils")
def test_the_bytes_are_the_source_assembled(tmp_path):
    (tmp_path / "a.s").write_text(f".intel_syntax noprefix\n{reaper.SOURCE_X86_64}")
    subprocess.run(["as", "a.s", "-o", "a.o"], cwd=tmp_path, check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", "a.o", "a.bin"], cwd=tmp_path, check=True)
    assert (tmp_path / "a.bin").read_bytes() == reaper.CODE_X86_64


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_the_exit_code_is_the_commands(init, code):
    assert subprocess.run([init, "/bin/sh", "sh", "-c", f"exit {code}"], check=False).returncode == code


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_command_that_a_signal_ends(init, number):
    words = [init, "/bin/sh", "sh", "-c", f"ulimit -c 0; kill -{int(number)} $$"]
    assert subprocess.run(words, check=False).returncode == 128 + number


def test_words_and_environment_arrive(init):
    script = 'test "$0 $1 $A" = "name two words b"'
    words = [init, "/bin/sh", "sh", "-c", script, "name", "two words"]
    assert subprocess.run(words, env={"A": "b"}, check=False).returncode == 0


def test_what_can_not_be_run(init, tmp_path):
    assert subprocess.run([init, str(tmp_path / "no"), "no"], check=False).returncode == 127
    assert subprocess.run([init, str(tmp_path), "no"], check=False).returncode == 126


def test_signals_are_passed_on_and_begin_unblocked(init):
    script = "trap 'exit 9' USR1; echo ready; while :; do sleep 0.01; done"
    with subprocess.Popen([init, "/bin/sh", "sh", "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        assert handles(child.pid, signal.SIGUSR1)
        child.send_signal(signal.SIGUSR1)
        assert child.wait(10) == 9


def test_orphans_are_reaped(init):
    """Orphans come to it as they do to a process 1: here, since it is made a subreaper before it begins."""
    zombies = "exit $(ps -o stat= --ppid $PPID | grep -c Z)"
    script = f"for n in 1 2 3 4 5; do (sleep 0.01 & ); done; sleep 0.5; {zombies}"
    libc = ctypes.CDLL(None)
    words = [init, "/bin/sh", "sh", "-c", script]
    done = subprocess.run(words, preexec_fn=lambda: libc.prctl(36, 1, 0, 0, 0), check=False)
    assert done.returncode == 0


def test_it_takes_no_time_while_it_waits(init):
    with subprocess.Popen([init, "/bin/sleep", "sleep", "0.4"]) as child:
        time.sleep(0.3)
        with open(f"/proc/{child.pid}/stat") as file:  # noqa: PTH123
            ticks = file.read().split(")")[1].split()[11:13]
        assert ticks == ["0", "0"]
        assert child.wait() == 0
        assert os.path.getsize(init) < 512  # noqa: PTH202
