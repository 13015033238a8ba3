"""The airlock that asks for a profile: its bytes are its source, and it asks before it runs anything.

A directory with a file `exec` stands for a process's own attributes; the kernel's are in test_apparmor.py.
"""

import os
import platform
import shutil
import subprocess

import pytest

from runtime.errors import RuntimeFault
from runtime.linux import apparmor
from runtime.oci import airlock, confinement

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="there is an airlock for x86_64 only")


@pytest.fixture
def attributes(tmp_path, monkeypatch):
    (tmp_path / "exec").touch()
    monkeypatch.setattr(apparmor, "check", lambda _: None)
    monkeypatch.setattr(apparmor, "directory", lambda: str(tmp_path))
    return tmp_path


def run(asked, waits_on, *args):
    pid = os.fork()
    if pid == 0:
        try:
            asked.open()
            door = airlock.build(waits_on, asked)
            if waits_on is not None:
                os.set_inheritable(waits_on, True)  # noqa: FBT003
            airlock.enter(door, args[0], list(args), {})
        finally:
            os._exit(99)
    return pid


def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.skipif(not (shutil.which("as") and shutil.which("objcopy")), reason="needs binutils")
def test_the_bytes_are_the_source_assembled(tmp_path):
    (tmp_path / "a.s").write_text(f".intel_syntax noprefix\n{confinement.SOURCE_X86_64}")
    subprocess.run(["as", "a.s", "-o", "a.o"], cwd=tmp_path, check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", "a.o", "a.bin"], cwd=tmp_path, check=True)
    assert (tmp_path / "a.bin").read_bytes() == confinement.CODE_X86_64
    names = subprocess.run(["nm", "a.o"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    found = {line.split()[-1]: int(line.split()[0], 16) for line in names.splitlines()}
    assert found["ask"] == confinement._ASK
    assert found["asked"] == len(confinement.CODE_X86_64)


@pytest.mark.parametrize("profile", ["docker-default", "ü" * 100, "//&outer//&inner"])
def test_it_asks_and_then_runs_with_no_descriptor_more(attributes, profile):
    asked = confinement.Confinement(profile)
    script = "set -- /proc/self/fd/*; exit $#"
    plain = os.spawnv(os.P_WAIT, "/bin/sh", ["sh", "-c", script])
    assert ended(run(asked, None, "/bin/sh", "-c", script)) == plain
    assert (attributes / "exec").read_bytes() == b"exec " + profile.encode()


def test_it_asks_only_after_it_has_waited(attributes):
    hear, tell = os.pipe()
    pid = run(confinement.Confinement("p"), hear, "/bin/sh", "-c", "exit 5")
    assert os.waitpid(pid, os.WNOHANG) == (0, 0)
    assert (attributes / "exec").read_bytes() == b""
    os.write(tell, b"0")
    assert ended(pid) == 5
    assert (attributes / "exec").read_bytes() == b"exec p"
    os.close(hear)
    os.close(tell)


def test_what_can_not_be_asked_for_is_not_run(attributes):
    asked = confinement.Confinement("p")
    (attributes / "exec").unlink()
    assert ended(run(asked, None, "/bin/sh", "-c", "exit 0")) == 126


def test_a_kernel_without_it_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(apparmor, "_ENABLED", str(tmp_path / "enabled"))
    with pytest.raises(RuntimeFault, match=r"process\.apparmorProfile web: this kernel has no AppArmor"):
        confinement.Confinement("web")
    (tmp_path / "enabled").write_text("N\n")
    assert not apparmor.enabled()
    (tmp_path / "enabled").write_text("Y\n")
    assert apparmor.enabled()


def test_a_profile_that_can_not_be_had_is_named_with_the_reason(monkeypatch, tmp_path):
    monkeypatch.setattr(apparmor, "enabled", lambda: True)
    monkeypatch.setattr(apparmor, "directory", lambda: str(tmp_path / "nowhere"))
    with pytest.raises(RuntimeFault, match=r"process\.apparmorProfile web: No such file or directory"):
        confinement.Confinement("web")
