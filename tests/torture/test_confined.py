"""T9: what a process in a container tries with the rights it has been given, through `tare-oci`.

Everything but the one defence that a test is about is taken away by its bundle.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from runtime.oci import airlock
from tests.fakes.busybox_layer import make_layer
from tests.privileged.test_oci_lifecycle import Oci, leftovers

pytestmark = pytest.mark.privileged
DENY_DEVICES = {"resources": {"devices": [{"allow": False, "access": "rwm"}]}}
# Loop device 0 exists wherever the module does; a node that is denied can't be told from a disk's.
NODE = "mknod /disk b 7 0"
FILTER = {
    "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
    "syscalls": [{"names": ["sethostname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 71}],
}  # fmt: skip


@pytest.fixture
def oci(tmp_path):
    made = Oci(tmp_path, make_layer(tmp_path / "rootfs"))
    yield made
    for record in made.root.iterdir() if made.root.exists() else ():
        made("delete", "--force", record.name)
    assert leftovers() == []


def given(*names):
    return {"capabilities": {key: [*names] for key in ("bounding", "effective", "permitted")}}


def test_no_node_without_its_capability(oci):
    # With no-new-privs, an exec would give nothing back in any case.
    kept = {**given(), "noNewPrivileges": False}
    oci.configure("sh", "-c", NODE, process=kept, root={"path": "rootfs"})
    assert "not permitted" in oci("run", "box", code=1)
    oci.configure("sh", "-c", NODE, process=given("CAP_MKNOD"), root={"path": "rootfs"})
    assert oci("run", "box") == ""


def test_a_node_that_was_made_opens_no_device(oci):
    kept = given("CAP_MKNOD", "CAP_DAC_OVERRIDE")
    script = f"{NODE} && cat /disk"
    oci.configure("sh", "-c", script, process=kept, linux=DENY_DEVICES, root={"path": "rootfs"})
    assert "can't open '/disk': Operation not permitted" in oci("run", "box", code=1)


def test_a_node_opens_no_device_where_no_rule_is_either(oci):
    kept = given("CAP_MKNOD", "CAP_DAC_OVERRIDE")
    unruled, root = {"resources": {}}, {"path": "rootfs"}
    oci.configure("sh", "-c", f"{NODE} && cat /disk", process=kept, linux=unruled, root=root)
    assert "can't open '/disk': Operation not permitted" in oci("run", "box", code=1)


def test_a_further_process_opens_no_device_either(oci):
    kept = given("CAP_MKNOD", "CAP_DAC_OVERRIDE")
    oci.configure("sleep", "100", process=kept, linux=DENY_DEVICES, root={"path": "rootfs"})
    oci("run", "-d", "box")
    assert "Operation not permitted" in oci("exec", "box", "sh", "-c", f"{NODE} && cat /disk", code=1)


def test_no_capability_but_the_given_ones(oci):
    oci.configure("grep", "Cap", "/proc/self/status", process=given("CAP_KILL"))
    found = {line.split(":\t")[0]: int(line.split(":\t")[1], 16) for line in oci("run", "box").splitlines()}
    assert found == {"CapInh": 0, "CapPrm": 1 << 5, "CapEff": 1 << 5, "CapBnd": 1 << 5, "CapAmb": 0}
    oci.configure("mount", "-t", "tmpfs", "none", "/tmp", process=given("CAP_KILL"))
    assert "denied" in oci("run", "box", code=1)


def test_an_exec_gets_no_capability_more(oci):
    oci.configure("sleep", "100", process=given("CAP_KILL"))
    oci("run", "-d", "box")
    text = oci("exec", "box", "grep", "-E", "Cap(Bnd|Eff)", "/proc/self/status")
    assert {int(line.split(":\t")[1], 16) for line in text.splitlines()} == {1 << 5}


# geteuid(2), and exit with that: 0 for root, 254 for user 65534; busybox would drop what the bit gives.
WHO = bytes.fromhex("b86b0000000f0589c7b8e70000000f05")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the program is x86_64's")
def test_a_set_user_id_program_gives_nothing(oci):
    program = oci.place / "rootfs/elevated"
    program.write_bytes(airlock.executable(WHO, 0))
    program.chmod(0o4755)
    user = {"user": {"uid": 65534, "gid": 65534}, **given("CAP_SETUID")}
    oci.configure("/elevated", process={**user, "noNewPrivileges": True})
    oci("run", "box", code=254)
    oci.configure("/elevated", process={**user, "noNewPrivileges": False})
    oci("run", "box", code=0)  # the bit is real


@pytest.mark.parametrize("forever", [True, False])
def test_a_filtered_call_fails(oci, forever):
    kept = {**given("CAP_SYS_ADMIN"), "noNewPrivileges": forever}
    oci.configure("hostname", "mine", process=kept, linux={"seccomp": FILTER})
    assert "Protocol error" in oci("run", "box", code=1)
    oci.configure("hostname", "mine", process=kept)
    assert oci("run", "box") == ""


@pytest.mark.parametrize("forever", [True, False])
def test_a_further_process_has_the_filter(oci, forever):
    kept = {**given("CAP_SYS_ADMIN"), "noNewPrivileges": forever}
    oci.configure("sleep", "100", process=kept, linux={"seccomp": FILTER})
    oci("run", "-d", "box")
    assert "Protocol error" in oci("exec", "box", "hostname", "mine", code=1)


def test_masked_and_readonly_paths(oci):
    assert Path("/proc/interrupts").read_text()
    script = "cat /proc/interrupts; ls /sys/firmware; echo x > /proc/sys/kernel/core_pattern"
    oci.configure("sh", "-c", script, process=given("CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"))
    said = "sh: can't create /proc/sys/kernel/core_pattern: Read-only file system\n"
    assert oci("run", "box", code=1) == said


def above(least=40):
    """Opens the host's root directory at a free number that is clear of those that it will be moved to."""
    fd = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, least)
    finally:
        os.close(fd)


def opened(oci, *words, fds=1):
    """What a call prints that has further descriptors open, of the host's root directory."""
    left = [above() for _ in range(fds)]
    try:
        moved = " ".join(f"{3 + n}<&{fd} {fd}<&-" for n, fd in enumerate(left))
        return subprocess.run(
            ["bash", "-c", f'exec "$@" {moved}', "bash", *oci.command(*words)], cwd=oci.bundle, check=False,
            pass_fds=left, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
    finally:
        for fd in left:
            os.close(fd)


LIST = ("sh", "-c", "for fd in /proc/self/fd/*; do readlink $fd; done | grep -c '^/$'")


def test_as_many_descriptors_arrive_as_were_asked_for(oci):
    """Three are open, each the host's root directory; --preserve-fds says how many of them are meant."""
    oci.configure(*LIST)
    found = [opened(oci, "run", "--preserve-fds", str(n), "box", fds=3).stdout.split() for n in range(4)]
    assert found == [["0"], ["1"], ["2"], ["3"]]


def test_a_further_process_gets_no_more_of_them(oci):
    oci.configure("sleep", "100")
    oci("run", "-d", "box")
    found = [
        opened(oci, "exec", "--preserve-fds", str(n), "box", *LIST, fds=3).stdout.split() for n in range(4)
    ]
    assert found == [["0"], ["1"], ["2"], ["3"]]


@pytest.mark.parametrize("cwd", ["/proc/self/fd/3", "/proc/self/fd/3/../..", "/proc/thread-self/fd/3/tmp"])
def test_no_working_directory_through_a_preserved_descriptor(oci, cwd):  # CVE-2024-21626
    oci.configure("pwd", process={"cwd": cwd})
    done = opened(oci, "run", "--preserve-fds", "1", "box")
    assert done.returncode == 1
    assert f"process.cwd {cwd}" in done.stderr


def test_no_working_directory_of_an_exec_through_one(oci):  # CVE-2024-21626
    oci.configure("sleep", "100")
    oci("run", "-d", "box")
    done = opened(oci, "exec", "--preserve-fds", "1", "--cwd", "/proc/self/fd/3", "box", "pwd")
    assert done.returncode == 255
    assert "process.cwd /proc/self/fd/3" in done.stderr
