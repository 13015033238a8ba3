"""Real containers: what is inside, and what it can see and reach."""

from __future__ import annotations

import errno
import os
import socket
import time
from os.path import lexists
from pathlib import Path

import pytest

from runtime.container import Bind
from runtime.container.started import ExitStatus
from runtime.errors import RuntimeFault
from runtime.linux import seccomp

pytestmark = pytest.mark.privileged


def test_every_namespace_is_its_own(box):
    names = ("pid", "mnt", "net", "uts", "ipc", "cgroup")
    inside = box.sh("for n in pid mnt net uts ipc cgroup user; do readlink /proc/self/ns/$n; done").split()
    own = [str(Path(f"/proc/self/ns/{name}").readlink()) for name in (*names, "user")]
    assert not set(inside[:6]) & set(own)
    assert inside[6] == own[6]


def test_process_one_sees_only_itself_and_its_children(box):
    text = box.sh("echo $$; ls /proc | grep -c '^[0-9]'")
    assert text.split()[0] == "1"
    assert int(text.split()[1]) <= 3


def test_host_name_and_loopback(box):
    text = box.sh("hostname; ip -o addr show lo; ls /sys/class/net", hostname="crate")
    assert text.split()[0] == "crate"
    assert "127.0.0.1/8" in text
    assert text.split()[-1] == "lo"


def test_writes_go_to_the_top_layer(box, layer):
    with box.start("sh", "-c", "echo x >/made; rm /bin/vi; sleep 100") as started:
        deadline = time.monotonic() + 5
        while not (lexists(started.upper / "made") and lexists(started.upper / "bin/vi")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert not (layer / "made").exists()
        upper = started.upper
    assert (layer / "bin/vi").is_symlink()
    assert not upper.exists()


def test_many_layers_with_long_and_odd_names(box, layer, tmp_path):
    layers = [layer]
    for number in range(100):
        path = tmp_path / f"layer:{number},{'x' * 60}"
        path.mkdir()
        (path / "which").write_text(f"{number}\n")
        (path / f"only{number}").touch()
        layers.append(path)
    assert box.sh("cat /which; ls / | grep -c only", layers=tuple(layers)).split() == ["99", "100"]


def test_a_layer_path_of_256_bytes_falls_back_to_mount(box, layer, tmp_path):
    path = tmp_path / ("x" * 200) / ("y:" * 60)
    path.mkdir(parents=True)
    (path / "found").touch()
    assert box.sh("ls /found", layers=(layer, path)) == "/found"


def test_devices_are_there_and_others_cannot_be_opened(box):
    text = box.sh(
        "echo x >/dev/null && head -c 3 /dev/zero | wc -c && head -c 3 /dev/urandom | wc -c;"
        "ls /dev; mknod /dev/disk b 254 0; mknod /disk b 254 0; mknod /dev/shm/disk b 254 0;"
        "for d in /dev/disk /disk /dev/shm/disk; do cat $d 2>&1; done; true"
    )
    assert text.split()[:2] == ["3", "3"]
    assert {
        "fd",
        "full",
        "mqueue",
        "null",
        "ptmx",
        "pts",
        "random",
        "shm",
        "stderr",
        "stdin",
        "stdout",
        "tty",
        "urandom",
        "zero",
    } <= set(text.split())
    assert text.count("Permission denied") == 3


def test_kernel_paths_are_masked_and_readonly(box):
    text = box.sh(
        "cat /proc/timer_list /proc/keys | wc -c; echo 1 2>&1 >/proc/sys/kernel/panic;"
        "mkdir /sys/fs/cgroup/x 2>&1; ls /sys/firmware | wc -l"
    )
    assert text.split()[0] == "0"
    assert text.lower().count("read-only file system") == 2
    assert text.split()[-1] == "0"


def test_capabilities_and_no_new_privileges(box):
    show = "grep -E 'Cap(Prm|Eff|Bnd|Inh|Amb)|NoNewPrivs' /proc/self/status"
    values = dict(line.split(":\t") for line in box.sh(show).splitlines())
    assert values["CapEff"] == values["CapPrm"] == values["CapBnd"] == "00000000a80425fb"
    assert values["CapInh"] == values["CapAmb"] == "0" * 16
    assert values["NoNewPrivs"] == "0"
    bare = dict(
        line.split(":\t") for line in box.sh(show, cap_drop=("ALL",), no_new_privileges=True).splitlines()
    )
    assert bare["CapEff"] == bare["CapBnd"] == "0" * 16
    assert bare["NoNewPrivs"] == "1"


def test_a_filter_of_system_calls_is_there_from_the_first_instruction_on(box):
    show = "grep Seccomp: /proc/1/status; mkdir /tmp/d 2>&1; mkdir -p /tmp/e; ls /tmp"
    assert box.sh(show).split()[1] == "0"
    refusing = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EDOM}
    allowing = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [refusing]}
    # As a user with no rights to load one any more.
    for user in ("", "33:33"):
        said = box.sh(show, seccomp=seccomp.compile(allowing).program, user=user)
        assert said.split()[1] == "2"
        assert os.strerror(errno.EDOM) in said
        assert said.split()[-1] != "e"
    assert box.sh(show).split()[1] == "0"  # it is of that kind, not of those that come after


def test_a_filter_that_the_kernel_does_not_take_is_a_fault_and_leaves_nothing(box):
    with pytest.raises(RuntimeFault, match=r"cannot start .* \(seccomp\): Invalid argument"):
        box.sh("true", seccomp=bytes(8))


@pytest.mark.parametrize(
    ("user", "expected"),
    [("web", "33:33:33 4:/var/www"), ("33:4", "33:4:4:/var/www"), ("1234", "1234:0:0:/")],
)
def test_users(box, user, expected):
    show = "echo $(id -u):$(id -g):$(id -G):$HOME; grep -E 'CapEff|Groups' /proc/self/status"
    text = box.sh(show, user=user).splitlines()
    assert text[0] == expected
    groups = expected.split(":")[2].split()
    assert text[1].split()[1:] == (sorted(groups, key=int) if groups != ["0"] else [])
    assert text[2].endswith("0" * 16)


def test_an_unknown_user_is_refused(box):
    with pytest.raises(RuntimeFault, match="nobody-here") as caught:
        box.start("true", user="nobody-here")
    assert caught.value.kind == "usage"


def test_environment_directory_and_arguments(box):
    text = box.sh('pwd; echo "$A"; umask', env=("PATH=/bin", "A=1", "A=two words"), cwd="/made/here")
    assert text.splitlines() == ["/made/here", "two words", "0022"]


def test_signals_and_descriptors_are_as_a_new_program_expects(box):
    text = box.run("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status")[1]
    assert text.split()[1::2] == ["0" * 16, "0" * 16]
    assert box.run("ls", "/proc/self/fd")[1].split() == ["0", "1", "2", "3"]  # 3 is the directory itself


def test_readonly_root(box):
    text = box.sh("touch /x 2>&1; touch /tmp/x 2>&1; touch /dev/shm/x && echo fine", readonly=True)
    assert text.lower().count("read-only file system") == 2
    assert text.endswith("fine")


def test_binds_stay_inside_and_obey_readonly(box, tmp_path):
    shared, file = tmp_path / "shared", tmp_path / "file"
    shared.mkdir()
    file.write_text("content")
    binds = (Bind(shared, "/mnt/a"), Bind(shared, "/mnt/b", readonly=True), Bind(file, "/etc/made/file"))
    text = box.sh("touch /mnt/a/x && ls /mnt/b; touch /mnt/b/y 2>&1; cat /etc/made/file", mounts=binds)
    assert text.split()[0] == "x"
    assert "Read-only" in text
    assert text.endswith("content")
    assert (shared / "x").exists()


def test_a_hostile_link_in_the_image_cannot_redirect_a_mount(box, layer, tmp_path):
    evil, victim, source = tmp_path / "evil", tmp_path / "victim", tmp_path / "source"
    for path in (evil, victim, source):
        path.mkdir()
    (evil / "data").symlink_to(victim)
    box.sh("touch /data/x", layers=(layer, evil), mounts=(Bind(source, "/data"),))
    assert list(victim.iterdir()) == []
    assert (source / "x").exists()
    (evil / "file").symlink_to("real")
    (evil / "real").touch()
    (source / "f").write_text("bound")
    bound = (Bind(source / "f", "/file"),)
    assert box.sh("cat /real; readlink /file", layers=(layer, evil), mounts=bound) == "boundreal"


def test_host_network(box):
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect = f"echo hello | nc -w 2 127.0.0.1 {server.getsockname()[1]}"
        assert box.run("sh", "-c", connect)[0].code != 0
        with box.start("sh", "-c", connect, network="host") as started:
            with server.accept()[0] as peer:
                assert peer.recv(10) == b"hello\n"
            assert started.wait(5).code == 0
    hosts = Path("/etc/hosts").read_text()
    text = box.sh("cat /etc/hosts; echo 2>/dev/null >>/etc/hosts || echo refused", network="host")
    assert text == f"{hosts}refused".strip()
    assert Path("/etc/hosts").read_text() == hosts


def test_a_long_command_is_passed_whole(box):
    long = [str(number) * 100_000 for number in range(6)]
    for _ in range(2):  # the second time by what is remembered
        status, text = box.run("sh", "-c", "echo ${#1} $#", "sh", *long)
        assert (status.code, text) == (0, "100000 6\n")


def test_a_command_that_is_too_long_is_refused_and_nobody_else_ends(box):
    with box.start("sleep", "60") as other:
        with pytest.raises(RuntimeFault, match="command and environment are too long") as caught:
            box.start("true", *(chr(97 + number) * 100_000 for number in range(12)))
        assert caught.value.kind == "usage"
        assert not other.cgroup.oom_kills()
        assert box.run("echo", "still here") == (ExitStatus(0, None, oom=False), "still here\n")
        assert Path(f"/proc/{other.pid}").exists()
