"""A child that shares its maker's memory and is killed midway: what is then left, and said."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from runtime.oci import together
from runtime.oci.spaces import plan
from tests.torture.oci import Oci

pytestmark = pytest.mark.privileged
ATTEMPTS = 60
KINDS = ("pid", "network", "ipc", "uts", "mount", "cgroup")
MAPPED = {name: [{"containerID": 0, "hostID": 1000, "size": 1}] for name in ("uidMappings", "gidMappings")}
PLAIN = {"hooks": {}, "handover": None, "terminal": False}


def config(*kinds, **linux):
    spaces = [{"type": kind} if isinstance(kind, str) else kind for kind in kinds]
    return {"linux": {"namespaces": spaces, **linux}}


def shares(found, **launched):
    return together.possible(plan(found), found, {**PLAIN, **launched})


def limited(memory):
    return config(*KINDS, resources={"memory": {"limit": memory}})


def test_who_shares():
    assert shares(config(*KINDS))
    assert shares(limited(256 << 20))
    assert shares(limited(-1))


@pytest.mark.parametrize(
    ("found", "launched"),
    [
        (config("mount", "uts"), {}),  # others see a process in their pid namespace
        (config("mount", {"type": "pid", "path": "/proc/self/ns/pid"}), {}),
        (config(*KINDS, "user", **MAPPED), {}),
        (limited(4 << 20), {}),  # the kernel would kill the runtime with it
        (config(*KINDS), {"hooks": {"prestart": [{}]}}),
        (config(*KINDS), {"terminal": True}),
        (config(*KINDS), {"handover": object()}),
    ],
)
def test_who_does_not(found, launched):
    assert not shares(found, **launched)


def struck(oci: Oci, name: str, delay: float) -> tuple[int, str]:
    """Run a container and kill its first process `delay` after it is there: exit code, and what was said."""
    words = oci.words("run", "-b", str(oci.bundle("sleep", "100")), name)
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as runtime:
        child = first_child(runtime)
        if child:
            end = time.monotonic() + delay
            while time.monotonic() < end:
                pass
            os.kill(child, signal.SIGKILL)
        _, said = runtime.communicate(timeout=30)
        return runtime.returncode, said


def first_child(runtime: subprocess.Popen[str]) -> int:
    tasks = Path(f"/proc/{runtime.pid}/task")
    while runtime.poll() is None:
        try:
            for task in tasks.iterdir():
                if found := (task / "children").read_text().split():
                    return int(found[0])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return 0


def test_a_killed_child_takes_nothing_with_it_but_the_container(tmp_path):
    oci = Oci(tmp_path)
    halfway = 0
    for attempt in range(ATTEMPTS):
        name = f"{oci.word}n{attempt}"
        code, said = struck(oci, name, delay=attempt % 12 * 0.0005)
        if "killed before it could start" in said:
            halfway += 1
            assert code == 1
        else:
            assert code == 128 + signal.SIGKILL, said
        assert oci.call("state", name).returncode == 1, "the record is left"
        if halfway >= 3:
            break
    assert halfway, "no kill came before the container was whole"
    oci.must("run", "-b", str(oci.bundle("true")), f"{oci.word}n0")  # and the name is free
