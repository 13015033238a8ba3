"""docker on tare-oci, by a dockerd of our own: run, limits, exec, pause, update, exit codes, a terminal."""

import shutil
import subprocess

import pytest

from runtime.linux import apparmor
from tests.fakes.busybox_layer import make_layer
from tests.fakes.docker import Docker
from tests.torture import traces
from tests.torture.oci import settled

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("dockerd"), reason="needs dockerd: apt-get install docker.io"),
]


@pytest.fixture(scope="module")
def docker(tmp_path_factory):
    place = tmp_path_factory.mktemp("d")
    made = Docker(place)
    try:
        made.await_ready()
        layer = make_layer(place / "layer")
        subprocess.run(["tar", "-C", layer, "-cf", place / "layer.tar", "."], check=True)
        made("import", str(place / "layer.tar"), "box:1")
        yield made
    finally:
        made.close()


def test_run_gives_output_and_code(docker):
    assert docker.run("box:1", "sh", "-c", "id -u; exit 4", code=4) == "0\n"


def test_limits_reach_the_cgroup(docker):
    script = "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes pids/pids.max || cat memory.max pids.max"
    text = docker.run("-m", "64m", "--pids-limit", "30", "box:1", "sh", "-c", script)
    assert text.splitlines()[-2:] == ["67108864", "30"]


@pytest.mark.skipif(not apparmor.enabled(), reason="this kernel has no AppArmor enabled")
def test_its_profile_is_applied(docker):
    assert docker.run("box:1", "cat", "/proc/self/attr/current") == "docker-default (enforce)\n"
    docker("run", "--runtime", "tare", "-d", "--name", "held", "--network", "none", "box:1", "sleep", "100")
    assert docker("exec", "held", "cat", "/proc/self/attr/current") == "docker-default (enforce)\n"
    docker("rm", "-f", "held")


def test_what_is_missing_is_127_and_what_is_no_program_126(docker):
    docker.run("box:1", "nowhere", code=127)
    docker.run("box:1", "/notexec", code=126)


def test_a_terminal(docker):
    assert docker.run("-t", "box:1", "tty") == "/dev/pts/0\n"


def test_a_detached_container_takes_exec_pause_update_and_kill(docker):
    docker("run", "--runtime", "tare", "-d", "--name", "idle", "--network", "none", "box:1", "sleep", "100")
    assert docker("inspect", "-f", "{{.HostConfig.Runtime}}", "idle") == "tare\n"
    number = docker("inspect", "-f", "{{.Id}}", "idle").strip()
    assert [trace for trace in traces.of(number) if trace.startswith("cgroup")]
    assert docker("exec", "idle", "sh", "-c", "cat /proc/1/comm; exit 6", code=6) == "sleep\n"
    assert docker("exec", "-t", "idle", "tty").startswith("/dev/pts/")
    docker("pause", "idle")
    assert docker("inspect", "-f", "{{.State.Status}}", "idle") == "paused\n"
    docker("unpause", "idle")
    docker("update", "--pids-limit", "41", "idle")
    script = "cat /sys/fs/cgroup/pids/pids.max || cat /sys/fs/cgroup/pids.max"
    assert docker("exec", "idle", "sh", "-c", script) == "41\n"
    docker("kill", "idle")
    assert docker("wait", "idle") == "137\n"
    docker("rm", "idle")
    assert docker("ps", "-a", "-q") == ""
    assert settled(lambda: not traces.of(number)), traces.of(number)
