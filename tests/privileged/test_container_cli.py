"""`tare container` as a user meets it: separate processes, a real image store, exit codes, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.container.started import handles
from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store
from tests.fakes.engine import until

pytestmark = pytest.mark.privileged
ROOT = Path(__file__).resolve().parents[2]
TARE = [sys.executable, "-c", "from bench.cli.main import main; main()"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A root with one image, shared by the tests here."""
    root = tmp_path_factory.mktemp("tare")
    root.chmod(0o755)  # one test looks at it as another user
    bootstrap(Store(root / "images"), "busybox")
    return root


@pytest.fixture
def tare(home):
    environment = {**os.environ, "TARE_ROOT": str(home)}

    def run(*args, **options):
        command = [*TARE, "container", *args]
        return subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            **options,
        )

    run.environment = environment
    return run


@pytest.fixture
def background(tare):
    """Start `tare container run` without waiting; whatever still runs at the end is killed."""
    running = []

    def start(*args):
        command = [*TARE, "container", "run", *args]
        process = subprocess.Popen(
            command, cwd=ROOT, env=tare.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def nothing_left(home):
    return not [*home.glob("containers/*"), *home.glob("run/containers/*")]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("busybox", "true"), 0),
        (("busybox", "sh", "-c", "exit 42"), 42),
        (("busybox", "nothing-here"), 127),
        (("busybox", "/etc"), 126),
        (("no-such-image", "true"), 125),
        (("--memory", "lots", "busybox", "true"), 125),
        (("--cap-add", "NOPE", "busybox", "true"), 125),
        (("-v", "/no/such/path:/x", "busybox", "true"), 125),
        (("--cpus", "0", "busybox", "true"), 125),
        (("--no-such-option", "busybox"), 125),
    ],
)
def test_exit_codes_follow_docker(tare, home, args, code):
    done = tare("run", *args)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code >= 125:
        assert done.stderr
    assert nothing_left(home)


def test_input_output_and_options(tare):
    options = ("--rm", "-e", "A=1", "-w", "/tmp", "--hostname", "crate", "-u", "1234", "--read-only")
    done = tare(
        "run", *options, "busybox", "sh", "-c", "cat; pwd; hostname; id -u; echo $A; echo e >&2", input="in\n"
    )
    assert done.stdout.split() == ["in", "/tmp", "crate", "1234", "1"]
    assert done.stderr == "e\n"


def test_options_after_the_image_belong_to_the_command(tare):
    assert tare("run", "busybox", "echo", "--memory", "-v").stdout == "--memory -v\n"


def test_out_of_memory_says_so_and_ends_with_137(tare):
    done = tare("run", "--memory", "32m", "--name", "greedy", "busybox", "tail", "/dev/zero")
    assert done.returncode == 137
    assert "out of memory" in done.stderr
    assert "32 MiB" in done.stderr


def test_an_unknown_image_names_the_known_and_the_way_to_one(tare):
    done = tare("run", "no-such-image", "true")
    assert "busybox" in done.stderr
    assert "bootstrap" in done.stderr


def wait_for(process, tare, name):
    deadline = time.monotonic() + 20
    while True:
        shown = {row["id"]: row for row in json.loads(tare("ps", "--format", "json").stdout)}
        if shown.get(name, {}).get("status") == "running":
            return shown[name]
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()


def test_ps_stop_kill_and_rm(tare, background, home):
    process = background("--name", "one", "busybox", "sleep", "100")
    row = wait_for(process, tare, "one")
    assert row["args"] == ["sleep", "100"]
    assert row["labels"] == {"image": "busybox"}
    assert "busybox" in tare("ps").stdout
    assert tare("rm", "one").returncode != 0
    assert tare("stop", "one").returncode == 0
    assert process.wait(20) == 137
    again = background(
        "--name", "two", "busybox", "sh", "-c", "trap 'exit 5' USR1; while :; do sleep 0.02; done"
    )
    row = wait_for(again, tare, "two")
    until(lambda: handles(row["pid"], signal.SIGUSR1))
    assert tare("kill", "-s", "USR1", "two").returncode == 0
    assert again.wait(20) == 5
    assert tare("stop", "two").returncode != 0
    assert nothing_left(home)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_program_without_handlers(tare, background, home, number, code):
    process = background("--name", "deaf", "busybox", "sleep", "100")
    wait_for(process, tare, "deaf")
    process.send_signal(number)
    assert process.wait(20) == code
    assert nothing_left(home)


def test_a_signal_reaches_the_handler(tare, background):
    script = "trap 'exit 9' INT; while :; do sleep 0.02; done"
    process = background("--name", "hears", "busybox", "sh", "-c", script)
    row = wait_for(process, tare, "hears")
    until(lambda: handles(row["pid"], signal.SIGINT))
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 9


def test_without_a_root_of_ones_own_it_says_so(tare, home):
    # The modules are loaded as root, since the interpreter may live where nobody else may read.
    code = "import os; from bench.cli import container; from bench.cli.main import main\n"
    command = [sys.executable, "-c", code + "os.setgid(65534); os.setuid(65534); main()"]
    done = subprocess.run(
        [*command, "container", "run", "busybox", "true"],
        cwd=ROOT,
        env=tare.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 125
    assert f"{home}/run/engine" in done.stderr
    assert "Permission denied" in done.stderr
    assert "Traceback" not in done.stderr
