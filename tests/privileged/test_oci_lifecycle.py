"""tare-oci from create to delete, on real bundles: what it takes, gives back, and shows of itself."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.oci.verbs.spec import specification
from tests.fakes.busybox_layer import make_layer
from tests.fakes.engine import until

pytestmark = pytest.mark.privileged
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom runtime.oci.main import main\nsys.exit(main())"
)
GROUP = "core-tests"


class Oci:
    """tare-oci with a root and a bundle of its own."""

    def __init__(self, place, rootfs):
        self.place, self.root, self.bundle = place, place / "run", place / "bundle"
        self.bundle.mkdir()
        (self.bundle / "rootfs").symlink_to(rootfs)

    def command(self, *words):
        return [sys.executable, "-I", "-S", "-c", PROGRAM, "--root", str(self.root), *words]

    def configure(self, *args, name="box", **changes):
        config = specification()
        config["process"].update(terminal=False, args=list(args), **changes.pop("process", {}))
        config["linux"].update(cgroupsPath=f"/{GROUP}/{name}", **changes.pop("linux", {}))
        (self.bundle / "config.json").write_text(json.dumps({**config, **changes}))

    def __call__(self, *words, code=0):
        # A file, not pipes: a created container keeps its standard streams.
        with (self.place / "output").open("w+") as output:
            done = subprocess.run(
                self.command(*words), cwd=self.bundle, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                timeout=20, check=False,
            )  # fmt: skip
            output.seek(0)
            text = output.read()
        assert done.returncode == code, text
        return text

    def status(self, name="box"):
        return json.loads(self("state", name))["status"]

    def await_start(self, name="box"):
        until((self.root / name / "state.json").exists)
        self.await_status("running", name)

    def await_status(self, wanted, name="box"):
        deadline = time.monotonic() + 20
        while self.status(name) != wanted:
            assert time.monotonic() < deadline, f"{name} is {self.status(name)}, not {wanted}"
            time.sleep(0.01)


def leftovers():
    trees = [path for path in Path("/sys/fs/cgroup").iterdir() if path.is_dir()]
    return [str(tree / GROUP) for tree in trees if (tree / GROUP).exists()]


@pytest.fixture(scope="module")
def rootfs(tmp_path_factory):
    return make_layer(tmp_path_factory.mktemp("oci") / "rootfs")


@pytest.fixture
def oci(tmp_path, rootfs):
    made = Oci(tmp_path, rootfs)
    yield made
    for record in made.root.iterdir() if made.root.exists() else ():
        made("delete", "--force", record.name)
    assert leftovers() == []
    assert not made.root.exists() or not list(made.root.iterdir())


def test_run_returns_the_code_and_leaves_nothing(oci):
    oci.configure("sh", "-c", "id -u; exit 7")
    assert oci("run", "box", code=7) == "0\n"


def test_a_signal_is_128_and_its_number(oci):
    oci.configure("sleep", "100")
    with subprocess.Popen(oci.command("run", "box"), cwd=oci.bundle) as runner:
        oci.await_start()
        oci("kill", "box", "KILL")
        assert runner.wait(10) == 137


def test_the_life_of_a_container(oci):
    oci.configure("sleep", "100")
    oci("create", "--pid-file", str(oci.place / "pid"), "box")
    state = json.loads(oci("state", "box"))
    assert (state["status"], state["id"], state["bundle"]) == ("created", "box", str(oci.bundle))
    assert state["pid"] == int((oci.place / "pid").read_text())
    assert "exists" in oci("create", "box", code=1)
    oci("start", "box")
    oci.await_status("running")
    assert "cannot start" in oci("start", "box", code=1)
    assert "not stopped" in oci("delete", "box", code=1)
    oci("pause", "box")
    assert oci.status() == "paused"
    oci("resume", "box")
    assert json.loads(oci("list", "-f", "json"))[0]["status"] == "running"
    oci("kill", "box", "KILL")
    oci.await_status("stopped")
    oci("delete", "box")
    assert "does not exist" in oci("state", "box", code=1)


def test_exec_joins_the_container(oci):
    oci.configure("sleep", "100")
    oci("run", "--detach", "box")
    script = "hostname; pwd; id -u; cat /proc/1/comm; echo $A; exit 5"
    options = ["--cwd", "/bin", "--user", "33:33", "--env", "A=b"]
    assert oci("exec", *options, "box", "sh", "-c", script, code=5) == "tare\n/bin\n33\nsleep\nb\n"
    members = json.loads(oci("ps", "-f", "json", "box"))
    assert members == [json.loads(oci("state", "box"))["pid"]]


def test_what_cannot_be_found_is_said_as_podman_reads_it(oci):
    oci.configure("nowhere")
    assert "executable file not found in $PATH" in oci("run", "box", code=1)
    oci.configure("/notexec")
    assert "permission denied" in oci("run", "box", code=1)


def test_the_interpreter_is_out_of_reach(oci):
    """CVE-2019-5736: what waits for start, and what /proc/self/exe leads to, is a sealed file."""
    oci.configure("sleep", "100")
    oci("create", "box")
    pid = json.loads(oci("state", "box"))["pid"]
    exe = Path(f"/proc/{pid}/exe")
    assert "memfd:" in os.readlink(exe)  # noqa: PTH115
    with pytest.raises(OSError, match=r"Operation not permitted|Text file busy"):
        fd = os.open(exe, os.O_WRONLY)
        os.write(fd, b"x")
    # A running file is busy anyway; the seals hold when it is idle too.
    fd = os.open(exe, os.O_RDONLY)
    assert fcntl.fcntl(fd, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE
    os.close(fd)
    assert not [fd for fd in Path(f"/proc/{pid}/fd").iterdir() if "python" in os.readlink(fd)]  # noqa: PTH115


def test_a_working_directory_through_a_descriptor_is_refused(oci):
    """CVE-2024-21626."""
    outside = os.open("/", os.O_RDONLY)
    try:
        os.set_inheritable(outside, True)  # noqa: FBT003
        for number in (outside, 7, 8, 9):
            oci.configure("pwd", process={"cwd": f"/proc/self/fd/{number}"})
            command = oci.command("run", "box")
            done = subprocess.run(
                command, cwd=oci.bundle, pass_fds=(outside,), capture_output=True, text=True, check=False
            )
            assert done.returncode == 1, done.stdout
            assert "process.cwd" in done.stderr
    finally:
        os.close(outside)


def test_only_the_asked_descriptors_arrive(oci):
    """CVE-2024-21626: what the caller left open, without a mark to close it, is none of the container's."""
    oci.configure("sh", "-c", "ls /proc/self/fd | wc -l")
    left = os.open("/", os.O_RDONLY)
    try:
        done = subprocess.run(
            oci.command("run", "box"),
            cwd=oci.bundle,
            pass_fds=(left,),
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        os.close(left)
    assert int(done.stdout) <= 4


@pytest.mark.parametrize("delay", [5, 15, 25, 35, 45, 60, 80, 100])
def test_a_killed_create_leaves_nothing_that_delete_does_not_remove(oci, delay):
    """T5 in short: kill -9 at any moment, then delete -f, then the id is free."""
    oci.configure("sleep", "100")
    with subprocess.Popen(oci.command("create", "box"), cwd=oci.bundle, stderr=subprocess.DEVNULL) as maker:
        time.sleep(delay / 1000)
        maker.kill()
    oci("delete", "--force", "box")
    assert leftovers() == []
    oci("create", "box")
    assert oci.status() == "created"


@pytest.mark.parametrize("delay", [20, 40, 60])
def test_a_terminated_create_leaves_nothing(oci, delay):
    oci.configure("sleep", "100")
    with subprocess.Popen(oci.command("create", "box"), cwd=oci.bundle, stderr=subprocess.DEVNULL) as maker:
        time.sleep(delay / 1000)
        maker.send_signal(signal.SIGTERM)
        maker.wait(10)
    if maker.returncode > 0:
        assert leftovers() == []
        assert "does not exist" in oci("state", "box", code=1)


def test_errors_are_in_the_log_as_json(oci):
    log = oci.place / "log"
    done = subprocess.run(oci.command("--log", str(log), "--log-format", "json", "state", "no"), check=False)
    entry = json.loads(log.read_text())
    assert (done.returncode, entry["level"]) == (1, "error")
    assert "does not exist" in entry["msg"]


def test_a_user_namespace(oci):
    maps = [{"containerID": 0, "hostID": 0, "size": 65536}]
    kinds = [{"type": kind} for kind in ("user", "pid", "ipc", "uts", "mount", "network", "cgroup")]
    oci.configure(
        "cat", "/proc/self/uid_map", linux={"namespaces": kinds, "uidMappings": maps, "gidMappings": maps}
    )
    assert oci("run", "box").split() == ["0", "0", "65536"]


def test_namespaces_of_another_are_joined_by_path(oci):
    with subprocess.Popen(["unshare", "--ipc", "--uts", "--net", "sleep", "20"]) as other:
        try:
            until(
                lambda: Path(f"/proc/{other.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
            )
            there = {kind: f"/proc/{other.pid}/ns/{file}" for kind, file in
                     (("ipc", "ipc"), ("uts", "uts"), ("network", "net"))}  # fmt: skip
            kinds = [{"type": kind, "path": path} for kind, path in there.items()]
            kinds += [{"type": "pid"}, {"type": "mount"}]
            oci.configure("readlink", "/proc/self/ns/net", linux={"namespaces": kinds}, hostname="")
            assert oci("run", "box").strip() == os.readlink(there["network"])  # noqa: PTH115
            kinds[0]["path"] = there["uts"]
            oci.configure("true", linux={"namespaces": kinds}, hostname="")
            assert "no namespace of type ipc" in oci("run", "box", code=1)
        finally:
            other.kill()


def test_an_environment_that_no_program_takes_is_an_error_about_the_program(oci):
    oci.configure("true", process={"env": ["PATH=/bin", f"A={'x' * 140_000}"]})
    assert 'exec: "true": argument list too long' in oci("run", "box", code=1)
    assert oci("list", "-q") == ""


def test_a_negative_number_of_descriptors_is_refused(oci):
    oci.configure("true")
    assert "--preserve-fds takes a number from 0 on" in oci("run", "--preserve-fds", "-1", "box", code=1)
