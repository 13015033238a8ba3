"""docker on tare-oci, by a dockerd of our own: run, limits, exec, pause, update, exit codes, a terminal."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fakes.busybox_layer import make_layer

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("dockerd"), reason="needs dockerd: apt-get install docker.io"),
]
ROOT = Path(__file__).resolve().parents[2]


class Docker:
    """A daemon in a mount namespace of its own, with all its state below `place`."""

    def __init__(self, place):
        self.place, self.socket = place, f"unix://{place}/s"
        runtime = place / "tare-oci"
        start = f"sys.path.insert(0, {str(ROOT)!r})"
        program = f"import sys; {start}\nfrom runtime.oci.main import main\nsys.exit(main())\n"
        runtime.write_text(f"#!{sys.executable} -IS\n{program}")
        runtime.chmod(0o755)
        with (place / "log").open("w") as log:
            self.daemon = subprocess.Popen(
                ["unshare", "-m", "dockerd", "--add-runtime", f"tare={runtime}", "--bridge=none",
                 "--iptables=false", "--data-root", place / "data", "--exec-root", place / "exec",
                 "-H", self.socket, "-p", place / "pid", "--storage-driver", "vfs"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def await_ready(self):
        deadline = time.monotonic() + 30
        while subprocess.run(
            ["docker", "-H", self.socket, "version"], capture_output=True, check=False
        ).returncode:
            assert self.daemon.poll() is None, (self.place / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "dockerd does not answer"
            time.sleep(0.2)

    def close(self):
        self.daemon.terminate()
        self.daemon.wait(30)

    def __call__(self, *words, code=0):
        done = subprocess.run(
            ["docker", "-H", self.socket, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout.replace("\r\n", "\n")

    def run(self, *words, code=0):
        return self("run", "--runtime", "tare", "--rm", "--network", "none", *words, code=code)


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


def test_what_is_missing_is_127_and_what_is_no_program_126(docker):
    docker.run("box:1", "nowhere", code=127)
    docker.run("box:1", "/notexec", code=126)


def test_a_terminal(docker):
    assert docker.run("-t", "box:1", "tty") == "/dev/pts/0\n"


def test_a_detached_container_takes_exec_pause_update_and_kill(docker):
    docker("run", "--runtime", "tare", "-d", "--name", "idle", "--network", "none", "box:1", "sleep", "100")
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
