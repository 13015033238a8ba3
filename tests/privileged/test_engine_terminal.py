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


def test_a_shell_at_a_terminal(tmp_path):
    bootstrap(Store(tmp_path / "images"), "busybox")
    command = [
        sys.executable,
        "-c",
        MAIN,
        "--root",
        str(tmp_path),
        "container",
        "run",
        "-it",
        "busybox",
        "sh",
    ]
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execv(command[0], command)
    screen = Screen(master)
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
