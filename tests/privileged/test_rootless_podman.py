"""podman of an ordinary user on tare-oci: as root of podman's user namespace, without a cgroup to limit."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes.ordinary_user import COUNT, FIRST, UID
from tests.privileged.test_rootless_oci import user_with

pytestmark = [pytest.mark.privileged, pytest.mark.slow]
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]


class Podman:
    def __init__(self, user):
        self.user = user
        runtime = user.base / "tare-oci"
        program = f"import sys; sys.path.insert(0, {str(user.code)!r})\nfrom runtime.oci.main import main\n"
        runtime.write_text(f"#!{user.interpreter} -ISB\n{program}sys.exit(main())\n")
        runtime.chmod(0o755)
        self.rootfs = user.rootfs(user.place / "rootfs")
        self.base = [
            "podman", "--root", user.place / "storage", "--runroot", user.run_root / "podman",
            "--cgroup-manager", "cgroupfs", "--storage-driver", "vfs", "--events-backend", "none",
            "--runtime", runtime,
        ]  # fmt: skip

    def __call__(self, *words, code=0):
        text = self.user.run(self.user.command(*self.base, *words), code=code)
        # On hosts whose root is no shared mount podman says so, once.
        return "\n".join(line for line in text.splitlines() if "level=warning" not in line)

    def run(self, *words, options=(), code=0):
        fixed = ["--network", "none", *LIMITS]
        return self("run", *fixed, *options, "--rootfs", self.rootfs, *words, code=code)


def end(user):
    """End the process that keeps podman's namespaces, which outlives its containers."""
    for path in user.run_root.rglob("pause.pid"):
        pid = int(path.read_text())
        assert Path(f"/proc/{pid}").stat().st_uid == UID
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    # podman's monitors clean up after themselves, for a moment longer than its command takes.
    deadline = time.monotonic() + 10
    while left := mentioning(str(user.base)):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def mentioning(word):
    """Command lines of living processes that hold the word."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            line = path.read_bytes()
            found += [line] if word.encode() in line else []
    return found


@pytest.fixture(scope="module")
def podman():
    for user in user_with(ranges=True):
        try:
            yield Podman(user)
        finally:
            end(user)
            # What podman stored belongs to subordinate ids.
            subprocess.run(["rm", "-rf", user.place / "storage"], check=True)


def test_ids_and_exit_code(podman):
    text = podman.run("sh", "-c", "id -u; cat /proc/self/uid_map; exit 7", options=["--rm"], code=7)
    assert text.split() == ["0", "0", str(UID), "1", "1", str(FIRST), str(COUNT)]


def test_another_user_and_a_terminal(podman):
    assert podman.run("id", "-u", options=["--rm", "-u", "33:33"]) == "33"
    assert podman.run("tty", options=["--rm", "-t"]) == "/dev/pts/0"


def test_a_detached_container_takes_exec_and_kill(podman):
    podman.run("sleep", "100", options=["-d", "--name", "x"])
    try:
        records = podman.user.run_root / "tare-oci"
        assert len(list(records.iterdir())) == 1
        assert podman("exec", "x", "sh", "-c", "cat /proc/1/comm; exit 6", code=6) == "sleep"
        assert podman("exec", "-t", "x", "tty") == "/dev/pts/0"
        assert podman("exec", "-u", "33", "x", "id", "-u") == "33"
        podman("kill", "x")
        assert podman("wait", "x") == "137"
    finally:
        podman("rm", "-f", "-t", "0", "x")
    assert list(records.iterdir()) == []
