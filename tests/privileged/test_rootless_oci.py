"""tare-oci as an ordinary user: with his own id alone, and with the ranges that newuidmap gives."""

import json
import os
import shutil
import socket
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes.ordinary_user import COUNT, FIRST, UID, User

pytestmark = pytest.mark.privileged


class Bundle:
    """A bundle of the user, and tare-oci in it."""

    def __init__(self, user, name="bundle"):
        self.user, self.path = user, user.place / name
        self.path.mkdir()
        self.rootfs = user.rootfs(self.path / "rootfs")
        user.own(self.path)

    def configure(self, *args, change=None):
        (self.path / "config.json").unlink(missing_ok=True)
        self("spec", "--rootless")
        config = json.loads((self.path / "config.json").read_text())
        config["process"].update(terminal=False, args=list(args))
        (change or (lambda _: None))(config)
        (self.path / "config.json").write_text(json.dumps(config))

    def __call__(self, *words, code=0):
        return self.user.run(self.user.oci(*words), code=code, cwd=self.path)

    def sh(self, script, change=None):
        self.configure("sh", "-c", script, change=change)
        return self("run", "box").strip()

    def refused(self, change=None, args=("true",)):
        """Message of a run that must fail and leave nothing."""
        self.configure(*args, change=change)
        text = self("run", "box", code=1)
        assert not list((self.user.run_root / "tare-oci").glob("*"))
        return text


def user_with(*, ranges):
    place = Path(tempfile.mkdtemp(prefix="tare-user-", dir="/tmp"))
    try:
        user = User(place, ranges=ranges)
        yield user
        assert list((user.run_root / "tare-oci").glob("*")) == []
    finally:
        shutil.rmtree(place)


@pytest.fixture(scope="module")
def plain():
    yield from user_with(ranges=False)


@pytest.fixture(scope="module")
def ranged():
    yield from user_with(ranges=True)


@pytest.fixture(scope="module")
def alone(plain):
    return Bundle(plain)


@pytest.fixture(scope="module")
def many(ranged):
    return Bundle(ranged)


def use_ranges(config):
    """Map as podman does: root is the user, all others are subordinate ids."""
    for kind in ("uid", "gid"):
        config["linux"][f"{kind}Mappings"] = [
            {"containerID": 0, "hostID": UID, "size": 1},
            {"containerID": 1, "hostID": FIRST, "size": COUNT},
        ]


def test_one_id(alone):
    text = alone.sh("id -u; cat /proc/self/uid_map /proc/self/setgroups; echo x > /dev/shm/mine; echo $$")
    assert text.split() == ["0", "0", str(UID), "1", "deny", "1"]


def test_the_default_root_is_the_users_own(alone):
    alone.configure("sleep", "60")
    alone("create", "box")
    assert (alone.user.run_root / "tare-oci/box/state.json").stat().st_uid == UID
    alone("delete", "--force", "box")


def await_status(box, wanted):
    deadline = time.monotonic() + 5
    while json.loads(box("state", "box"))["status"] != wanted:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_every_verb(alone):
    alone.configure("sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.1; done")
    alone("create", "--pid-file", alone.path / "pid", "box")
    try:
        assert json.loads(alone("state", "box"))["status"] == "created"
        alone("start", "box")
        await_status(alone, "running")
        init = int((alone.path / "pid").read_text())
        assert alone("exec", "box", "sh", "-c", "id -u; cat /proc/1/comm").split() == ["0", "sh"]
        assert init in json.loads(alone("ps", "--format", "json", "box"))
        assert "sleep" in alone("ps", "box")
        assert [each["id"] for each in json.loads(alone("list", "--format", "json"))] == ["box"]
        alone("kill", "box", "TERM")
        await_status(alone, "stopped")
        alone("delete", "box")
    finally:
        alone("delete", "--force", "box")


def test_kill_all_finds_processes_without_a_cgroup(alone):
    alone.configure("sh", "-c", "sleep 60 & sleep 60 & wait")
    alone("run", "--detach", "box")
    try:
        deadline = time.monotonic() + 5
        while len(json.loads(alone("ps", "--format", "json", "box"))) < 3:
            assert time.monotonic() < deadline
        alone("kill", "--all", "box", "KILL")
        await_status(alone, "stopped")
        assert json.loads(alone("ps", "--format", "json", "box")) == []
    finally:
        alone("delete", "--force", "box")


@pytest.mark.parametrize(
    "words", ["pause box", "resume box", "update --pids-limit 5 box", "events --stats box"]
)
def test_what_needs_a_cgroup_says_so(alone, words):
    alone.configure("sleep", "60")
    alone("run", "--detach", "box")
    try:
        text = alone(*words.split(), code=1)
        assert "cgroup" in text
        assert json.loads(alone("state", "box"))["status"] == "running"
    finally:
        alone("delete", "--force", "box")


def test_a_network_of_its_own_has_loopback_and_sysfs(alone):
    def change(config):
        config["linux"]["namespaces"].append({"type": "network"})
        config["mounts"][5] = {"destination": "/sys", "type": "sysfs", "options": ["ro", "nosuid"]}

    text = alone.sh("ls /sys/class/net; ip link show lo; stat -f -c %T /sys", change)
    assert text.split()[0] == "lo"
    assert "LOOPBACK,UP" in text
    assert text.split()[-1] == "sysfs"


def test_devices_are_the_hosts(alone):
    text = alone.sh(
        "echo gone > /dev/null; head -c 4 /dev/zero | wc -c; stat -c %t:%T /dev/null; ls -l /dev/fd"
    )
    assert text.split()[:2] == ["4", "1:3"]
    assert "/proc/self/fd" in text


def test_a_terminal(alone):
    with tempfile.TemporaryDirectory(dir=alone.path) as place, socket.socket(socket.AF_UNIX) as server:
        Path(place).chmod(0o777)
        server.bind(f"{place}/console")
        Path(f"{place}/console").chmod(0o777)
        server.listen()
        alone.configure("sh", "-c", "tty; stat -c '%u %g' $(tty)",
                        change=lambda config: config["process"].update(terminal=True))  # fmt: skip
        alone("run", "--detach", "--console-socket", f"{place}/console", "box")
        try:
            connection, _ = server.accept()
            _, (master, *_), _, _ = socket.recv_fds(connection, 100, 1)
            with connection, os.fdopen(master, "rb", buffering=0) as terminal:
                text = b""
                with suppress(OSError):
                    while chunk := terminal.read(1000):
                        text += chunk
            assert text.split() == [b"/dev/pts/0", b"0", b"0"]
        finally:
            alone("delete", "--force", "box")


def test_ranges(many):
    def change(config):
        use_ranges(config)
        config["process"]["user"] = {"uid": 33, "gid": 33, "additionalGids": [4, 7]}
        config["mounts"][2]["options"].append("gid=5")

    script = "id; cat /proc/self/setgroups; touch /dev/shm/x; stat -c %u /dev/shm/x; cat /proc/self/uid_map"
    text = many.sh(script, change)
    assert "uid=33(web) gid=33(web) groups=4(log),7" in text
    assert text.split()[3:] == ["allow", "33", "0", str(UID), "1", "1", str(FIRST), str(COUNT)]


def test_exec_as_another_user(many):
    many.configure("sleep", "60", change=use_ranges)
    many("run", "--detach", "box")
    try:
        text = many("exec", "--user", "33:33", "--additional-gids", "4", "box", "id")
        assert text.strip() == "uid=33(web) gid=33(web) groups=4(log)"
    finally:
        many("delete", "--force", "box")


# What can't be is refused by the name of its field.


def ask(path, value):
    """Return a change that sets one field of config.json."""

    def change(config):
        *above, last = path.split(".")
        for name in above:
            config = config.setdefault(name, {})
        config[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("linux.resources", {"memory": {"limit": 1 << 26}}, "linux.resources.memory.limit"),
        ("linux.resources", {"pids": {"limit": 20}}, "linux.resources.pids.limit"),
        ("linux.resources", {"cpu": {"shares": 512}}, "linux.resources.cpu.shares"),
        ("linux.cgroupsPath", "/somewhere/else", "linux.cgroupsPath"),
        ("linux.cgroupsPath", "somewhere", "linux.cgroupsPath"),
        ("process.user", {"uid": 33, "gid": 0}, "process.user.uid"),
        ("process.user", {"uid": 0, "gid": 33}, "process.user.gid"),
        ("process.user", {"uid": 0, "gid": 0, "additionalGids": [0]}, "additionalGids: who maps but his own"),
        ("process.oomScoreAdj", -100, "process.oomScoreAdj"),
        ("process.rlimits", [{"type": "RLIMIT_NOFILE", "soft": 1 << 22, "hard": 1 << 22}], "RLIMIT_NOFILE"),
        ("linux", {"namespaces": [{"type": "mount"}, {"type": "uts"}]}, "without root"),
        ("linux.uidMappings", [{"containerID": 0, "hostID": 0, "size": 1}], "linux.uidMappings"),
        ("linux.gidMappings", [{"containerID": 0, "hostID": UID, "size": 2}], "linux.gidMappings"),
        ("linux.sysctl", {"kernel.shmmax": "70000", "kernel.domainname": "x"}, "linux.sysctl"),
        (
            "mounts",
            [{"destination": "/dev/pts", "type": "devpts", "options": ["gid=5"]}],
            "mounts[0].options",
        ),
        ("mounts", [{"destination": "/run", "type": "tmpfs", "options": ["uid=33"]}], "mounts[0].options"),
        ("mounts", [{"destination": "/sys", "type": "sysfs"}], "mounts[0].type"),
    ],
)
def test_refused_by_name(alone, path, value, named):
    assert named in alone.refused(ask(path, value))


def test_a_range_that_is_not_the_users(many):
    def change(config):
        use_ranges(config)
        config["linux"]["uidMappings"][1]["hostID"] = FIRST + COUNT

    text = many.refused(change)
    assert "linux.uidMappings" in text
    assert "/etc/subuid" in text


def test_ranges_need_newuidmap(many):
    few = many.path / "few"
    few.mkdir()
    many.configure("true", change=use_ranges)
    many.user.search = few
    try:
        text = many("run", "box", code=1)
    finally:
        many.user.search = None
    assert "newuidmap is missing" in text
    assert "package uidmap" in text


def test_a_time_namespace(alone, many):
    def change(config):
        config["linux"]["namespaces"].append({"type": "time"})
        config["linux"]["timeOffsets"] = {"boottime": {"secs": 1000000}}

    def change_all(config):
        change(config)
        for kind in ("uid", "gid"):  # not even root is the user himself
            config["linux"][f"{kind}Mappings"] = [{"containerID": 0, "hostID": FIRST, "size": COUNT}]

    for bundle, wanted in ((alone, change), (many, change_all)):
        bundle.path.chmod(0o755)
        bundle.user.place.chmod(0o755)
        assert float(bundle.sh("cut -d ' ' -f 1 /proc/uptime", wanted)) > 1000000


def test_namespaces_of_another_container_are_joined(alone):
    """As in a pod: the second container lives in the first one's user, network and pid namespaces."""
    alone.configure("sleep", "60", change=lambda c: c["linux"]["namespaces"].append({"type": "network"}))
    alone("run", "--detach", "first")
    pid = json.loads(alone("state", "first"))["pid"]

    def change(config):
        paths = {
            kind: f"/proc/{pid}/ns/{file}"
            for kind, file in (("user", "user"), ("network", "net"), ("pid", "pid"))
        }
        kept = [space for space in config["linux"]["namespaces"] if space["type"] not in paths]
        config["linux"]["namespaces"] = kept + [{"type": kind, "path": path} for kind, path in paths.items()]
        del config["linux"]["uidMappings"], config["linux"]["gidMappings"]

    try:
        script = "id -u; cat /proc/1/comm; readlink /proc/self/ns/user; readlink /proc/self/ns/net"
        spaces = [str(Path(f"/proc/{pid}/ns/{name}").readlink()) for name in ("user", "net")]
        assert alone.sh(script, change).split() == ["0", "sleep", *spaces]
    finally:
        alone("delete", "--force", "first")


def test_oom_score_may_rise(alone):
    assert alone.sh("cat /proc/self/oom_score_adj", lambda c: c["process"].update(oomScoreAdj=500)) == "500"


def test_binds_of_the_users_files(alone):
    data = alone.path / "data"
    data.mkdir()
    (data / "file").write_text("mine")
    alone.user.own(data)

    def change(config):
        for name, option in (("w", "rw"), ("r", "ro")):
            mount = {
                "destination": f"/tmp/{name}",
                "type": "bind",
                "source": str(data),
                "options": ["bind", option],
            }
            config["mounts"].append(mount)
        config["root"]["readonly"] = False

    script = "cat /tmp/r/file; echo new > /tmp/w/file; echo x > /tmp/r/file || echo refused"
    text = alone.sh(script, change)
    assert text.startswith("mine")
    assert text.endswith("refused")
    assert (data / "file").read_text() == "new\n"


def test_a_filter(alone):
    names = ["mkdir", "mkdirat"]
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": names, "action": "SCMP_ACT_ERRNO"}]}

    def change(config, *, no_new_privileges):
        config["linux"]["seccomp"] = profile
        config["process"]["noNewPrivileges"] = no_new_privileges

    for value in (True, False):
        text = alone.sh("mkdir /dev/shm/x || echo refused", lambda c, v=value: change(c, no_new_privileges=v))
        assert text.endswith("refused")


def test_a_root_that_is_not_the_users(alone):
    alone.configure("true")
    text = alone("--root", "/run/tare-oci-of-root", "run", "box", code=1)
    assert "put box on record in /run/tare-oci-of-root: Permission denied" in text
    assert "XDG_RUNTIME_DIR" in text


def test_rootless_is_a_word_of_three(alone):
    alone.configure("true")
    assert "--rootless perhaps is unknown" in alone("--rootless", "perhaps", "run", "box", code=1)
    alone("--rootless", "true", "run", "box")
