"""podman on tare-oci: run, limits, exec, pause, kill, exit codes, a terminal."""

import shutil
import subprocess

import pytest

from tests.fakes.busybox_layer import make_layer
from tests.fakes.podman import LIMITS, at
from tests.torture import traces
from tests.torture.oci import settled

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("podman"), reason="needs podman: apt-get install podman"),
]


@pytest.fixture(scope="module")
def podman(tmp_path_factory):
    place = tmp_path_factory.mktemp("podman")
    made = at(place)
    layer = make_layer(place / "layer")
    subprocess.run(["tar", "-C", layer, "-cf", place / "layer.tar", "."], check=True)
    made("import", str(place / "layer.tar"), "box:1")
    yield made
    made("rm", "-a", "-f", "-t", "0")
    made("rmi", "-a", "-f")


def test_run_gives_output_and_code(podman):
    assert podman.run("box:1", "sh", "-c", "id -u; exit 4", code=4) == "0\n"


def test_limits_reach_the_cgroup(podman):
    script = "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes pids/pids.max || cat memory.max pids.max"
    text = podman.run("-m", "64m", "--pids-limit", "30", "box:1", "sh", "-c", script)
    assert text.splitlines()[-2:] == ["67108864", "30"]


def test_what_is_missing_is_127_and_what_is_no_program_126(podman):
    podman.run("box:1", "nowhere", code=127)
    podman.run("box:1", "/notexec", code=126)


def test_a_terminal(podman):
    assert podman.run("-t", "box:1", "tty") == "/dev/pts/0\n"


def test_a_detached_container_takes_exec_pause_and_kill(podman):
    podman("run", *LIMITS, "-d", "--name", "x", "--network", "none", "box:1", "sleep", "100")
    assert podman("inspect", "-f", "{{.OCIRuntime}}", "x").strip().endswith("/tare-oci")
    number = podman("inspect", "-f", "{{.Id}}", "x").strip()
    assert [trace for trace in traces.of(number) if trace.startswith("cgroup")]
    assert podman("exec", "x", "sh", "-c", "cat /proc/1/comm; exit 6", code=6) == "sleep\n"
    assert podman("exec", "-t", "x", "tty").strip().startswith("/dev/pts/")
    podman("pause", "x")
    assert podman("inspect", "-f", "{{.State.Status}}", "x") == "paused\n"
    podman("unpause", "x")
    podman("kill", "x")
    assert podman("wait", "x") == "137\n"
    podman("rm", "x")
    assert podman("ps", "-a", "-q") == ""
    assert settled(lambda: not traces.of(number)), traces.of(number)
