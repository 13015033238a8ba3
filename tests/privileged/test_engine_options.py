"""Options of `tare container run` that docker's users bring along: seen from inside, and in `inspect`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store
from runtime.linux import capabilities
from tests.fakes.engine import engine, until

pytestmark = pytest.mark.privileged
# One that no container gets by itself, and that anybody may open.
DEVICE = next(filter(os.path.exists, ("/dev/loop-control", "/dev/fuse", "/dev/net/tun")), "")
needs_device = pytest.mark.skipif(not DEVICE, reason="the host has no device to give")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    root = tmp_path_factory.mktemp("options")
    bootstrap(Store(root / "images"), "busybox")
    return root


@pytest.fixture(name="engine")
def one(home):
    with engine(home) as made:
        yield made


def sh(engine, *options, script, code=0):
    return engine("run", *options, "busybox", "sh", "-c", script, code=code)


def test_the_default_profile_and_what_lifts_it(engine, tmp_path):
    script = "unshare -U true 2>/dev/null && echo made || echo refused"
    assert sh(engine, script=script) == "refused\n"
    assert sh(engine, "--security-opt", "seccomp=unconfined", script=script) == "made\n"
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 71}]}))  # fmt: skip
    said = sh(engine, "--security-opt", f"seccomp={profile}", script=f"mkdir /x 2>&1; {script}")
    assert said == "mkdir: can't create directory '/x': Protocol error\nmade\n"


def test_init_reaps_and_passes_signals_on(engine):
    # A shell that has no trap would not hear SIGTERM as process 1; its orphan would stay a zombie.
    script = "(sleep 0.05 & ) ; sleep 1000"
    engine("run", "-d", "--init", "--name", "box", "busybox", "sh", "-c", script)
    until(lambda: engine("exec", "box", "pidof", "sleep").split() != [])
    assert engine("exec", "box", "cat", "/proc/1/comm") == "docker-init\n"
    until(lambda: "Z" not in engine("exec", "box", "sh", "-c", "grep -h State /proc/[0-9]*/status"))
    assert engine.inspect("box")["HostConfig"]["Init"] is True
    engine("stop", "-t", "1000", "box")
    assert engine.inspect("box")["State"]["ExitCode"] == 143


def test_without_init_zombies_are_the_commands_own(engine):
    engine("run", "-d", "--name", "box", "busybox", "sleep", "1000")
    engine("exec", "box", "sh", "-c", "(sleep 0.01 &)")
    until(lambda: "Z (zombie)" in engine("exec", "box", "sh", "-c", "cat /proc/[0-9]*/status"))


def test_init_and_a_program_that_is_not_there(engine):
    engine("run", "--init", "busybox", "nothing-here", code=127)
    assert engine("run", "--init", "busybox", "sh", "-c", "exit 4", code=4) == ""


@needs_device
def test_a_device_that_was_not_given(engine):
    number = os.stat(DEVICE).st_rdev  # noqa: PTH116
    assert Path(DEVICE).name not in sh(engine, script="ls /dev").split()
    script = f"mknod /dev/x c {os.major(number)} {os.minor(number)} && echo made && : < /dev/x"
    done = engine.tare("container", "run", "busybox", "sh", "-c", script)
    assert done.stdout == "made\n"
    assert "Operation not permitted" in done.stderr


@needs_device
def test_a_device_that_was_given(engine):
    number = os.stat(DEVICE).st_rdev  # noqa: PTH116
    script = "stat -c %t:%T /dev/mine; : < /dev/mine && echo read; : > /dev/mine"
    done = engine.tare("container", "run", "--name", "box", "--no-rm", "--device", f"{DEVICE}:/dev/mine:rm",
                       "busybox", "sh", "-c", script)  # fmt: skip
    assert done.stdout.split() == [f"{os.major(number):x}:{os.minor(number):x}", "read"]
    assert "Operation not permitted" in done.stderr
    assert engine.inspect("box")["HostConfig"]["Devices"] == [
        {"PathOnHost": DEVICE, "PathInContainer": "/dev/mine", "CgroupPermissions": "rm"}
    ]


@pytest.mark.parametrize("text", ["/dev/nothing", "dev/null", "/dev/null:/x:rwx", "/etc/passwd"])
def test_a_device_that_is_none(engine, text):
    assert f"--device {text}" in engine.fails("container", "run", "--device", text, "busybox", "true")


def test_limits_of_a_process(engine):
    options = ("--ulimit", "nofile=100:200", "--ulimit", "core=-1", "--oom-score-adj", "77")
    script = "ulimit -Sn; ulimit -Hn; ulimit -c; cat /proc/self/oom_score_adj"
    assert sh(engine, *options, script=script) == "100\n200\nunlimited\n77\n"
    for text in ("nofile", "nofile=a", "nothing=1", "nofile=2:1"):
        assert f"--ulimit {text}" in engine.fails("container", "run", "--ulimit", text, "busybox", "true")


def test_privileged(engine):
    script = "grep CapBnd /proc/self/status; mount -t tmpfs none /mnt && echo mounted; ls /dev | wc -l"
    bounding, mounted, count = sh(engine, "--privileged", script=script).splitlines()
    assert int(bounding.split()[1], 16) == capabilities.held()
    assert mounted == "mounted"
    plain = sh(engine, script="mount -t tmpfs none /mnt 2>/dev/null; ls /dev | wc -l")
    assert int(count) > int(plain)
    assert "/proc/sys ro" not in sh(engine, "--privileged", script="cut -d' ' -f2,4 /proc/mounts | tr , ' '")


def test_kernel_parameters_and_shared_memory(engine):
    options = ("--sysctl", "net.ipv4.ip_forward=1", "--shm-size", "8m")
    script = "cat /proc/sys/net/ipv4/ip_forward; df -m /dev/shm | tail -1"
    forward, shared = sh(engine, *options, script=script).splitlines()
    assert (forward, shared.split()[1]) == ("1", "8")


def test_groups(engine):
    said = sh(engine, "-u", "33", "--group-add", "44", "--group-add", "daemon", script="id -G")
    assert sorted(map(int, said.split())) == [0, 1, 44]
    assert "group nobody-here" in engine.fails(
        "container", "run", "--group-add", "nobody-here", "busybox", "id"
    )


@pytest.mark.parametrize("how", ["named", "declared"])
def test_a_new_volume_begins_with_what_the_image_has_there(engine, how):
    script = "mkdir -p /d/s; echo 1 > /d/s/x; ln -s s/x /d/l; chmod 1770 /d/s; chown 3:4 /d/s"
    engine("run", "-d", "--name", "filled", "busybox", "sh", "-c", script)
    engine("wait", "filled")
    engine("commit", *(["-c", "VOLUME /d"] if how == "declared" else []), "filled", "with-files")
    engine("rm", "filled")
    options = ["-v", "begun:/d"] if how == "named" else []
    said = engine("run", "--rm", *options, "with-files", "sh", "-c",
                  "cat /d/l; stat -c '%a %u:%g' /d/s; grep -c ' /d ' /proc/self/mountinfo")  # fmt: skip
    assert said == "1\n1770 3:4\n1\n"
    if how == "named":
        assert engine("run", "--rm", *options, "busybox", "cat", "/d/l") == "1\n"
        engine("volume", "rm", "begun")


def test_mounts_at_length(engine, tmp_path):
    (tmp_path / "x").write_text("1\n")
    options = ("--mount", f"type=bind,src={tmp_path},dst=/a,readonly", "--mount", "source=kept,target=/b")
    assert sh(engine, *options, script="cat /a/x; touch /a/y 2>/dev/null || echo ro; touch /b/z") == "1\nro\n"
    assert sh(engine, "-v", "kept:/b", script="ls /b") == "z\n"
    engine("volume", "rm", "kept")
    for text in ("type=tmpfs,target=/x", "target=x", "source=a,target=/b,other=1", "type=bind,target=/x"):
        assert engine.fails("container", "run", "--mount", text, "busybox", "true")


def test_labels_and_variables_from_files(engine, tmp_path):
    (tmp_path / "labels").write_text("# a comment\ntier=web\nempty\n")
    (tmp_path / "env").write_text("A=1\n\nB=two words\n")
    options = ("--label-file", str(tmp_path / "labels"), "-l", "tier=db", "--env-file", str(tmp_path / "env"))
    engine("run", "-d", "--name", "box", *options, "-e", "A=3", "busybox", "sleep", "1000")
    labels = engine.inspect("box")["Config"]["Labels"]
    assert (labels["tier"], labels["empty"]) == ("db", "")
    assert engine("exec", "box", "sh", "-c", 'echo "$A $B"') == "3 two words\n"


def test_stop_signal_and_timeout(engine):
    script = "trap 'exit 3' USR1; trap '' TERM; while :; do sleep 0.02; done"
    engine("run", "-d", "--stop-signal", "USR1", "--name", "box", "busybox", "sh", "-c", script)
    until(lambda: _traps(engine, "box"))
    engine("stop", "box")
    assert engine.inspect("box")["State"]["ExitCode"] == 3
    engine("run", "-d", "--stop-timeout", "0", "--name", "deaf", "busybox", "sh", "-c", script)
    until(lambda: _traps(engine, "deaf"))
    engine("stop", "deaf")
    assert engine.inspect("deaf")["State"]["ExitCode"] == 137


def _traps(engine, name):
    status = Path(f"/proc/{engine.inspect(name)['State']['Pid']}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return int(caught, 16) >> 9 & 1  # SIGUSR1


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (["--gpus", "all"], "--gpus is docker's, and tare has nothing for it"),
        (["--volumes-from", "x"], "--volumes-from is docker's"),
        (["--nothing"], "No such option '--nothing'"),
        (["--log-driver", "syslog"], "--log-driver syslog is not supported"),
        (["--log-opt", "tag=x"], "--log-opt tag is not supported"),
        (["--log-opt", "max-size=7"], "--log-opt max-size=7 is no size"),
        (["--security-opt", "label=disable"], "--security-opt label=disable is not supported"),
        (["--detach-keys", "ctrl-,"], "there is no key"),
        (["--sysctl", "x"], "--sysctl x is not NAME=VALUE"),
    ],
)
def test_what_is_not_offered_is_refused_by_name(engine, option, says):
    done = engine.tare("container", "run", *option, "busybox", "true")
    assert says in done.stderr
    assert done.returncode == 125
    assert engine.names() == []


def test_the_file_of_the_id(engine, tmp_path):
    engine("run", "-d", "--name", "box", "--cidfile", str(tmp_path / "id"), "busybox", "sleep", "1000")
    assert (tmp_path / "id").read_text() == engine.inspect("box")["Id"]


def test_every_option_is_in_the_help():
    text = subprocess.run(
        [sys.executable, "-c", "from bench.cli.main import main; main()", "container", "run", "--help"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in ("--init", "--device", "--ulimit", "--privileged", "--log-opt", "--detach-keys", "--mount"):
        assert name in text


def test_a_log_that_takes_turns(engine):
    options = ("--log-opt", "max-size=4k", "--log-opt", "max-file=3")
    engine(
        "run", "-d", "--name", "box", *options, "busybox", "sh", "-c", "for n in $(seq 400); do echo $n; done"
    )
    engine("wait", "box")
    place = Path(engine.inspect("box")["LogPath"]).parent
    assert sorted(path.name for path in place.glob("log.json*")) == ["log.json", "log.json.1", "log.json.2"]
    assert all(path.stat().st_size <= 4096 for path in place.glob("log.json*"))
    found = [int(line) for line in engine("logs", "box").split()]
    assert found == list(range(401 - len(found), 401))
    assert engine.inspect("box")["HostConfig"]["LogConfig"] == {
        "Type": "json-file", "Config": {"max-size": "4k", "max-file": "3"},
    }  # fmt: skip


def test_no_log(engine):
    assert engine("run", "--name", "box", "--no-rm", "--log-driver", "none", "busybox", "echo", "x") == "x\n"
    assert "keeps no log" in engine.fails("container", "logs", "box")
    assert not Path(engine.inspect("box")["LogPath"]).exists()
