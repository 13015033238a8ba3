"""`tare container` of an ordinary user, with ranges of ids and with his own alone; and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store
from tests.fakes.engine import until
from tests.fakes.ordinary_user import FIRST, UID
from tests.privileged.test_build_rootless import PACKAGES
from tests.privileged.test_rootless_oci import user_with

pytestmark = pytest.mark.privileged
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "from bench.cli.main import main; main()"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    bootstrap(Store(root / "images"), "busybox")
    return root / "images"


@pytest.fixture(scope="module", params=["ranges", "one id"])
def user(request, store):
    for made in user_with(ranges=request.param == "ranges"):
        made.packages(*PACKAGES)
        for name in ("bench", "vmdriver"):
            shutil.copytree(ROOT / name, made.code / name, ignore=shutil.ignore_patterns("__pycache__"))
        made.many = request.param == "ranges"
        for name in ("blobs", "index.json", "oci-layout"):
            target = made.place / "tare/images" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if name == "blobs" else shutil.copy)(store / name, target)
        made.own(made.place / "tare")
        yield made


class Engine:
    """`engine("run", …)` is the user's `tare container run …`, and returns what it printed."""

    def __init__(self, user):
        self.user, self.home = user, user.place / "tare"

    def command(self, *words):
        return self.user.python(PROGRAM, "--root", self.home, "container", *words)

    def __call__(self, *words, code=0):
        return self.user.run(self.command(*words), code=code)

    def inspect(self, name):
        return json.loads(self("inspect", name))[0]

    def keeper(self):
        """Pid of a process of the user's that keeps containers, 0 without one."""
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words = (path / "cmdline").read_bytes()
            except OSError:
                continue
            if b"engine.keeper" in words and os.fsencode(self.home) in words:
                return int(path.name)
        return 0

    def kill_keeper(self):
        keeper = self.keeper()
        assert keeper  # 0 would be our own process group
        os.kill(keeper, signal.SIGKILL)


@pytest.fixture
def engine(user):
    made = Engine(user)
    yield made
    for name in made("ps", "-aq").split():
        made("rm", "-f", name)
    until(lambda: not made.keeper())
    assert "rootfs" not in Path("/proc/self/mountinfo").read_text()
    assert not list((made.home / "engine/containers").iterdir())
    assert not list((made.home / "run/engine/oci").iterdir())


def test_a_command_and_its_code(engine):
    script = "id -u; cat /proc/self/uid_map; echo err >&2; exit 5"
    first, *rest = engine("run", "busybox", "sh", "-c", script, code=5).splitlines()
    assert first == "0"
    outside = [line.split()[1] for line in rest if line != "err"]
    assert outside == ([str(UID), str(FIRST)] if engine.user.many else [str(UID)])
    assert "err" in rest


def test_a_detached_life(engine):
    script = "trap 'exit 6' TERM; echo out; while :; do sleep 0.02; done"
    engine("run", "-d", "--name", "web", "-e", "A=1", "busybox", "sh", "-c", script)
    until(lambda: engine("logs", "web") == "out\n")
    assert "web" in engine("ps")
    assert engine("exec", "-e", "B=2", "web", "sh", "-c", "echo $A$B; exit 7", code=7) == "12\n"
    assert "sh -c" in engine("top", "web")
    engine("rename", "web", "other")
    engine("stop", "other")
    assert engine.inspect("other")["State"]["ExitCode"] == 6
    assert engine("wait", "other") == "6\n"
    engine("start", "other")
    assert engine.inspect("other")["State"]["Running"]
    engine("kill", "other")
    assert engine("wait", "other") == "137\n"


def test_what_is_written_belongs_to_the_user_and_is_removed(engine):
    engine("run", "-d", "--name", "writes", "busybox", "sh", "-c", "echo x > /n; chown 0:0 /n")
    engine("wait", "writes")
    written = engine.home / "engine/containers" / engine.inspect("writes")["Id"] / "upper/n"
    assert written.stat().st_uid == UID
    assert engine("start", "-a", "writes") == ""


def test_a_user_of_the_image(engine):
    if engine.user.many:
        said = engine(
            "run", "-u", "33:44", "busybox", "sh", "-c", "id -u; id -g; grep ^Groups /proc/1/status"
        )
        assert said.split() == ["33", "44", "Groups:", "44"]
    else:
        assert "--user 33:44 needs more ids" in engine("run", "-u", "33:44", "busybox", "id", code=125)


def test_volumes_read_only_and_tmpfs(engine):
    engine("run", "-v", "kept:/data", "busybox", "sh", "-c", "echo 1 > /data/x")
    script = "cat /data/x; echo 2 > /data/x; echo 3 > /y; touch /t/z && echo made"
    said = engine("run", "--read-only", "--tmpfs", "/t", "-v", "kept:/data:ro", "busybox", "sh", "-c", script)
    # Two streams: what of one comes before what of the other is not said.
    assert {"1", "made"} <= set(said.splitlines())
    assert said.count("Read-only file system") == 2
    engine("volume", "rm", "kept")


@pytest.mark.parametrize("network", ["none", "host"])
def test_networks(engine, network):
    inside = engine("run", "--network", network, "busybox", "readlink", "/proc/self/ns/net").strip()
    assert (inside == str(Path("/proc/self/ns/net").readlink())) == (network == "host")
    assert "lo" in engine("run", "--network", network, "busybox", "ls", "/sys/class/net").split()


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (["--network", "bridge"], "--network bridge needs root"),
        (["-p", "8080:80"], "--publish 8080:80 needs root"),
        (["--memory", "64m"], "--memory needs a cgroup that is delegated"),
        (["--cpus", "0.5"], "--cpus needs a cgroup that is delegated"),
        (["--pids-limit", "10"], "--pids-limit needs a cgroup that is delegated"),
    ],
)
def test_what_takes_root_is_refused_by_name(engine, option, says):
    assert says in engine("run", *option, "busybox", "true", code=125)


def test_filters_and_capabilities(engine):
    script = "grep -E 'Seccomp:|CapBnd' /proc/self/status; unshare -U true || echo refused"
    said = engine("run", "--cap-drop", "ALL", "busybox", "sh", "-c", f"({script}) 2>/dev/null").splitlines()
    assert said == ["CapBnd:\t0000000000000000", "Seccomp:\t2", "refused"]


def test_a_killed_keeper_is_followed_by_another(engine):
    engine("run", "-d", "--name", "lost", "busybox", "sleep", "1000")
    engine("run", "-d", "--restart", "always", "--name", "back", "busybox", "sleep", "1000")
    before = engine.inspect("back")["State"]["Pid"]
    engine.kill_keeper()
    assert engine("wait", "lost") == "137\n"
    until(lambda: engine.inspect("back")["State"]["Pid"] not in {0, before})


def test_a_prune_after_a_killed_keeper(engine):
    script = "echo x > /n; chown 33:33 /n 2>/dev/null; sleep 1000"
    engine("run", "-d", "--name", "lost", "busybox", "sh", "-c", script)
    pid = engine.inspect("lost")["State"]["Pid"]
    engine.kill_keeper()
    until(lambda: not engine.keeper())
    said = engine.user.run(engine.user.python(PROGRAM, "--root", engine.home, "system", "prune"))
    assert "removed container lost" in said
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_files_are_copied(engine):
    engine("run", "-d", "--name", "box", "busybox", "sh", "-c", "echo 1 > /one; sleep 1000")
    until(lambda: engine("exec", "box", "ls", "/one") == "/one\n")
    engine("cp", "box:/one", engine.home / "one")
    assert (engine.home / "one").stat().st_uid == UID
    engine("cp", engine.home / "one", "box:/two")
    assert engine("exec", "box", "stat", "-c", "%u", "/two") == "0\n"
    engine("kill", "box")
    engine("wait", "box")
    engine("cp", "box:/two", engine.home / "back")
    assert (engine.home / "back").read_text() == "1\n"


def test_two_first_commands_at_once_share_one_keeper(engine):
    commands = [engine.command("run", "-d", "--name", f"b{n}", "busybox", "sleep", "1000") for n in range(4)]
    started = [
        subprocess.Popen(words, cwd=engine.user.place, env=engine.user.environment(),
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for words in commands
    ]  # fmt: skip
    for one in started:
        assert one.communicate(timeout=60)[1] == b""
    pids = [engine.inspect(f"b{n}")["State"]["Pid"] for n in range(4)]
    assert len({Path(f"/proc/{pid}/ns/user").readlink() for pid in pids}) == 1
    assert engine("exec", "b3", "echo", "hello") == "hello\n"


def test_what_takes_a_cgroup_is_refused_by_name(engine):
    engine("run", "-d", "--name", "box", "busybox", "sleep", "1000")
    assert "it has no cgroup" in engine("pause", "box", code=3)
    assert "it has no cgroup" in engine("stats", "--no-stream", "box", code=3)
    assert "--memory needs a cgroup" in engine("update", "-m", "64m", "box", code=3)
