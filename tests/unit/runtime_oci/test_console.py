"""The relay between two terminals, with real ones on both sides."""

import os
import pty
import select
import signal
import socket
import subprocess
import sys
import termios
import time

import pytest

from runtime.errors import RuntimeFault
from runtime.oci import console, relay

# What `run -t` does: argv[1] is a command for the inner terminal, 0 and 1 are the user's.
RUNNER = """
import os, pty, signal, sys
from runtime.oci import relay
pid, master = pty.fork()
if not pid:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell can't trap what was ignored when it began
    os.execv("/bin/sh", ["sh", "-c", sys.argv[1]])
relay.relay(master, os.pidfd_open(pid))
os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


class User:
    """A person at a terminal, in which the runner runs."""

    def __init__(self, script):
        self.master, self.terminal = pty.openpty()
        console.resize(self.master, 30, 100)
        self.before = termios.tcgetattr(self.terminal)
        self.runner = subprocess.Popen(
            [sys.executable, "-c", RUNNER, script], stdin=self.terminal, stdout=self.terminal,
            start_new_session=True,
        )  # fmt: skip
        self.seen = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.runner.poll() is None:
            self.runner.kill()
        self.runner.wait()
        os.close(self.master)
        os.close(self.terminal)

    def type(self, text):
        os.write(self.master, text)

    def read_until(self, text, patience=10):
        deadline = time.monotonic() + patience
        while text not in self.seen:
            left = deadline - time.monotonic()
            assert left > 0, f"no {text!r} in {self.seen!r}"
            if select.select([self.master], [], [], left)[0]:
                self.seen += os.read(self.master, 65536)

    def restored(self):
        return termios.tcgetattr(self.terminal) == self.before


def test_what_is_typed_arrives_and_what_is_printed_is_shown():
    with User("read line; echo got-$line; exit 7") as user:
        user.type(b"hello\r")
        user.read_until(b"got-hello\r\n")
        assert user.runner.wait(10) == 7
        assert user.restored()


def test_control_c_is_the_containers():
    with User("trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.1; done") as user:
        user.read_until(b"ready")
        assert not user.restored()
        user.type(b"\x03")
        user.read_until(b"caught")
        assert user.runner.wait(10) == 3
        assert user.restored()


def test_the_size_follows():
    with User("stty size; trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.1; done") as user:
        user.read_until(b"30 100")
        user.read_until(b"ready")
        console.resize(user.master, 41, 123)
        os.kill(user.runner.pid, signal.SIGWINCH)  # the kernel's, if this were its controlling terminal
        user.read_until(b"41 123")
        assert user.runner.wait(10) == 0


def test_all_output_is_shown_before_the_end():
    with User("seq 1 20000; echo end-mark") as user:
        user.read_until(b"end-mark")
        assert b"\r\n19999\r\n20000\r\n" in user.seen


def test_a_program_that_does_not_read_does_not_stop_its_own_output():
    with User("stty raw -echo; echo ready; sleep 1; echo still-here; sleep 60") as user:
        user.read_until(b"ready")
        os.set_blocking(user.master, False)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:  # more than its terminal takes
            if select.select([], [user.master], [], 0.05)[1]:
                user.type(b"x" * 512)
        user.read_until(b"still-here")


def test_the_terminal_is_restored_after_an_error():
    master, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    with pytest.raises(ZeroDivisionError), relay.raw(terminal):
        assert termios.tcgetattr(terminal) != before
        raise ZeroDivisionError
    assert termios.tcgetattr(terminal) == before
    os.close(master)
    os.close(terminal)


def test_what_is_no_terminal_is_left_alone():
    read, write = os.pipe()
    with relay.raw(read), relay.sized(read, write):
        pass
    os.close(read)
    os.close(write)


def test_the_master_goes_over_the_console_socket_however_long_its_path(tmp_path):
    directory = tmp_path / ("x" * 200)
    directory.mkdir()
    held = os.open(directory, os.O_PATH)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(f"/proc/self/fd/{held}/console")
        listener.listen()
        connection = console.connect(str(directory / "console"))
        master, terminal = pty.openpty()
        console.send(connection, master)
        agent, _ = listener.accept()
        with agent:
            received = console.receive(agent)
        os.write(terminal, b"through")
        assert os.read(received, 7) == b"through"
        assert not os.get_inheritable(received)
    for fd in (received, terminal, held):
        os.close(fd)


def test_a_console_socket_that_is_none_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RuntimeFault, match=r"console socket .*file"):
        console.connect(str(tmp_path / "file"))
    with pytest.raises(RuntimeFault, match=r"console socket .*absent"):
        console.connect(str(tmp_path / "absent"))


def test_an_end_before_the_terminal_is_an_error():
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(RuntimeFault, match="no terminal"):
        console.receive(ours)
