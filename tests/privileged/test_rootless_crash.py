"""kill -9 of tare-oci while a user's container starts: it has no cgroup, and yet nothing may stay behind."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.privileged.test_rootless_oci import Bundle, use_ranges, user_with

pytestmark = [pytest.mark.privileged, pytest.mark.slow]
KILLS = 20


def alive(*words):
    """Command lines of living processes that hold one of these words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if any(word.encode() in line for word in words):
            found.append(line)
    return found


@pytest.mark.parametrize("ranges", [False, True])
def test_nothing_stays(ranges):
    program = f"{50000 + os.getpid()}.5"
    for user in user_with(ranges=ranges):
        bundle = Bundle(user)
        bundle.configure("sleep", program, change=use_ranges if ranges else None)
        started = 0
        for count in range(KILLS):
            command = user.oci("run", "--detach", f"box{count}")
            process = subprocess.Popen(
                command, cwd=bundle.path, env=user.environment(), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            time.sleep(0.04 + 0.15 * count / KILLS)
            process.kill()
            process.wait()
            started += any(bundle.user.run_root.glob(f"tare-oci/box{count}"))
            bundle("delete", "--force", f"box{count}")
        assert started, "no kill hit a container"
        deadline = time.monotonic() + 5
        while alive(program, str(user.base)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert alive(program, str(user.base)) == []
        assert list(user.run_root.glob("tare-oci/*")) == []
