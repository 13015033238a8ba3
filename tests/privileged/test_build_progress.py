"""`--progress`: what a terminal shows, and what a pipe gets."""

import os
import pty
import re
import subprocess

import pytest

from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store
from tests.privileged.building import ROOT, TARE, Lab

pytestmark = pytest.mark.privileged


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    root = tmp_path_factory.mktemp("tare")
    bootstrap(Store(root / "images"), "busybox")
    return Lab.at(root, tmp_path_factory.mktemp("place"))


def on_terminal(lab, text, *options):
    """Build with a terminal of 80 columns for standard error; returns the exit code and what it got."""
    (lab.context / "Dockerfile").write_text(text)
    ours, theirs = pty.openpty()
    command = [*TARE, "--root", str(lab.home), "image", "build", *options, str(lab.context)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=theirs
    ) as process:
        os.close(theirs)
        got = b""
        try:
            while chunk := os.read(ours, 65536):
                got += chunk
        except OSError:  # EIO: nobody has the other end any more
            pass
    os.close(ours)
    return process.returncode, got.decode()


def screen(text):
    """Return the lines as a terminal without end shows them at last."""
    lines = []
    for part in re.split(r"(\x1b\[\d+A\x1b\[J|\r\n)", text):
        if part.startswith("\x1b["):
            del lines[len(lines) - int(part[2:].split("A")[0]) :]
        elif part and part != "\r\n":
            lines.append(part)
    return lines


def test_a_terminal_keeps_what_has_ended(lab):
    text = "FROM busybox\nCOPY a /\nRUN echo said; sleep 0.3; printf '\\033[9A\\tmoved\\n'\n"
    code, got = on_terminal(lab, text, "--no-cache")
    assert code == 0, got
    shown = screen(got)
    assert [re.sub(r" in \d+\.\d s$", "", line.rpartition(": ")[2]) for line in shown] == ["done", "done"]
    assert " | said\r\n" in got  # for as long as the step was under way
    assert "\x1b[9A" not in got


def test_a_terminal_shows_the_end_of_what_failed(lab):
    code, got = on_terminal(lab, "FROM busybox\nRUN seq 100; exit 3\n")
    assert code == 1
    shown = screen(got)
    numbers = [int(line.split()[-1]) for line in shown if re.fullmatch(r"#\d+ \d+", line)]
    assert numbers == list(range(81, 101))
    assert any(line.endswith("the command ended with exit code 3") for line in shown)


def test_a_pipe_gets_plain_lines(lab):
    done = lab.build("FROM busybox\nRUN printf 'no end'; exit 3\n")
    assert "\x1b" not in done.stderr
    assert re.search(r"^#1 no end$", done.stderr, re.MULTILINE)


def test_a_long_line_arrives_whole(lab):
    text = "FROM busybox\nRUN head -c 200000 /dev/zero | tr '\\0' x; echo; echo after\n"
    done = lab.build(text, "--no-cache")
    assert done.stderr.count("x") >= 200000
    assert re.search(r"^#1 after$", done.stderr, re.MULTILINE)


def test_quiet_says_nothing(lab):
    for option in (["-q"], ["--progress", "quiet"]):
        assert lab.build("FROM busybox\nRUN echo said\n", "--no-cache", *option).stderr == ""


def test_a_terminal_that_is_none_is_refused(lab):
    done = lab.build("FROM busybox\n", "--progress", "tty")
    assert done.returncode == 2
    assert "--progress tty: standard error is no terminal" in done.stderr
