"""`tare container run -it` at a real terminal: its size, a key that interrupts, the exit code."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time
from pathlib import Path

import pytest

from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store
from tests.fakes.engine import engine

pytestmark = pytest.mark.privileged
ROOT = Path(__file__).resolve().parents[2]
MAIN = "from bench.cli.main import main; main()"


class Screen:
    """The user's side of a terminal, and all that was shown on it."""

    def __init__(self, master):
        self.master, self.text = master, ""

    def until(self, wanted, seconds=15):
        """Read until `wanted` shows up after what was already waited for."""
        deadline = time.monotonic() + seconds
        while wanted not in self.text:
            assert time.monotonic() < deadline, self.text
            if select.select([self.master], [], [], 0.1)[0]:
                self.text += os.read(self.master, 65536).decode()
        self.text = self.text.partition(wanted)[2]

    def type(self, text):
        os.write(self.master, text.encode())


def at_terminal(home, *words, size=(0, 0)):
    """Run `tare container` at a terminal of its own."""
    command = [sys.executable, "-c", MAIN, "--root", str(home), "container", *words]
    pid, master = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", *size, 0, 0))
        os.chdir(ROOT)
        os.execv(command[0], command)
    return pid, Screen(master)


def test_keys_leave_it_running_and_attach_comes_back(tmp_path):
    bootstrap(Store(tmp_path / "images"), "busybox")
    with engine(tmp_path) as made:
        pid, screen = at_terminal(tmp_path, "run", "-it", "--name", "box", "busybox", "sh")
        screen.until("/ #")
        screen.type("A=kept\n")
        screen.until("/ #")
        screen.type("\x10\x11")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        os.close(screen.master)
        assert made.inspect("box")["State"]["Running"]
        pid, screen = at_terminal(tmp_path, "attach", "--detach-keys", "ctrl-x,y", "box")
        screen.type("echo $A\n")
        screen.until("kept")
        screen.type("\x10\x11")  # not the keys of this one: the shell's line editing takes them
        screen.type("\x18y")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        os.close(screen.master)
        assert made.inspect("box")["State"]["Running"]


@pytest.mark.parametrize("verb", ["run", "exec"])
def test_the_size_is_there_before_the_program(tmp_path, verb):
    bootstrap(Store(tmp_path / "images"), "busybox")
    with engine(tmp_path) as made:
        made("run", "-d", "--name", "box", "busybox", "sleep", "1000")
        words = {"run": ("run", "-it", "busybox"), "exec": ("exec", "-it", "box")}[verb]
        pid, screen = at_terminal(tmp_path, *words, "stty", "size", size=(33, 101))
        screen.until("33 101")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        os.close(screen.master)


def test_a_shell_at_a_terminal(tmp_path):
    bootstrap(Store(tmp_path / "images"), "busybox")
    pid, screen = at_terminal(tmp_path, "run", "-it", "busybox", "sh")
    master = screen.master
    screen.until("/ #")
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("4H", 33, 101, 0, 0))
    time.sleep(0.3)  # for the signal to reach the client and the size the container
    screen.type("stty size\n")
    screen.until("33 101")
    screen.type("sleep 50; echo in''terrupted $?\n")
    time.sleep(0.3)  # for the sleep to have begun
    screen.type("\x03")
    screen.until("^C")
    screen.type("echo go''es on\n")
    screen.until("goes on", seconds=5)
    screen.type("exit 9\n")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    os.close(master)
