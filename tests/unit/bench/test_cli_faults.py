"""What a user sees of a fault: one line, a hint, an exit code."""

import errno
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import pytest

from bench.errors import BenchFault
from runtime.errors import RuntimeFault
from vmdriver.errors import MachineFault


@pytest.mark.parametrize("fault", [BenchFault, RuntimeFault, MachineFault])
@pytest.mark.parametrize(
    ("kind", "code"),
    {
        "usage": 2,
        "missing": 2,
        "host": 3,
        "failed": 1,
        "corrupt": 1,
        "not-executable": 126,
        "not-found": 127,
    }.items(),
)
def test_a_fault_is_a_line_a_hint_and_the_code_of_its_kind(probe, fault, kind, code):
    done = probe(fault("image x is gone", hint="pull it", kind=kind))
    assert (done.code, done.out) == (code, "")
    assert done.err == "tare: image x is gone\n  hint: pull it\n"


def test_without_a_hint_there_is_one_line(probe):
    assert probe(BenchFault("it broke", hint="", kind="failed")).err == "tare: it broke\n"


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EACCES, "run it as root"),
        (errno.EPERM, "run it as root"),
        (errno.EROFS, "can be written"),
        (errno.EIO, "see the path"),
    ],
)
def test_what_the_kernel_refuses_names_the_file_and_ends_with_3(probe, number, hint):
    done = probe(OSError(number, os.strerror(number), "/var/lib/tare/x"))
    assert done.code == 3
    assert done.err.splitlines()[0] == f"tare: /var/lib/tare/x: {os.strerror(number)}"
    assert re.fullmatch(rf"  hint: .*{hint}.*", done.err.splitlines()[1])
    assert len(done.err.splitlines()) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_ends_with_130(probe, error):
    done = probe(error)
    assert done.code == 130
    assert done.err.strip().splitlines() == [
        "tare: interrupted; everything that was started has been removed"
    ]


def test_a_usage_error_of_click_ends_with_2_and_says_why(probe):
    done = probe(click.UsageError("no such thing"))
    assert (done.code, "Error: no such thing" in done.err) == (2, True)


def test_a_status_that_a_command_returns_is_the_exit_code(probe):
    assert probe(SystemExit(7)).code == 7


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_a_signal_ends_by_way_of_every_context_manager(number, code):
    program = """
        import contextlib, sys, time, types, click
        from bench.cli import main as cli

        @contextlib.contextmanager
        def box():
            try:
                yield
            finally:
                print("removed", flush=True)

        @click.command()
        def command():
            with box():
                print("started", flush=True)
                time.sleep(30)

        cli.COMMANDS["probe"] = ""
        sys.modules["bench.cli.probe"] = types.SimpleNamespace(command=command)
        sys.argv = ["tare", "probe"]
        cli.main()
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, cwd=Path(__file__).parents[3]
    ) as child:
        assert child.stdout.readline() == "started\n"
        child.send_signal(number)
        said, complaints = child.communicate(timeout=20)
    assert (child.returncode, said) == (code, "removed\n")
    assert "Traceback" not in complaints


def test_a_reader_that_has_gone_ends_the_command_as_sigpipe_would():
    read, write = os.pipe()
    os.close(read)
    try:
        command = [sys.executable, "-c", "from bench.cli.main import main; main()", "run", "--dry-run"]
        place = Path(__file__).parents[3]
        done = subprocess.run(command, check=False, stdout=write, stderr=subprocess.PIPE, cwd=place)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")
