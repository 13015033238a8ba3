import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.vm


@pytest.fixture
def tare(data_root):
    """Returns a function that runs `tare` and gives what it said and its exit code."""

    def run(*words, **environment):
        return subprocess.run(
            [sys.executable, "-c", "from bench.cli.main import main; main()", *words],
            env=os.environ | {"TARE_ROOT": str(data_root)} | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_check_tells_what_booted_and_what_did_not(tare):
    done = tare("vm", "check", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["name"] in {"kvm", "kvm-nested", "tcg"}
    assert any(attempt["booted"] for attempt in found["attempts"])
    assert "reached user space" in found["proof"]
    words = tare("vm", "check").stdout
    assert words.startswith(f"accelerator  {found['name']}  (recalled")
    assert ("emulated" in words) == (found["name"] == "tcg")


def test_run_gives_the_commands_output_and_status(tare):
    done = tare("vm", "run", "-m", "128m", "vm-micro", "nproc; exit 7")
    assert (done.stdout, done.returncode) == ("1\n", 7)
    assert tare("vm", "ls", "--format", "json").stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("destroy", "nobody"), 2, "there is no guest named nobody"),
        (("run", "vm-tiny"), 2, "vm-tiny"),
        (("run", "-m", "1m", "vm"), 2, "1048576 bytes of memory"),
        (("check", "--connect", "qemu+unix:///system?socket=/none"), 3, "connecting to qemu+unix"),
    ],
)
def test_bad_input_is_one_line_and_a_remedy(tare, words, code, said):
    done = tare("vm", *words)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_host_without_qemu_is_told_what_to_install(tare, tmp_path):
    done = tare("vm", "check", PATH=str(tmp_path))
    assert done.returncode == 3
    assert "qemu-system-x86_64 is not installed" in done.stderr
    assert "apt-get install" in done.stderr
