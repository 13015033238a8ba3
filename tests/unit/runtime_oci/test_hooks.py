"""Hooks are real programs: what they get, and what becomes of their failures."""

import json
import os
import time
from pathlib import Path

import pytest

from runtime.errors import RuntimeFault
from runtime.oci import hooks

STATE = {"ociVersion": "1.2.0", "id": "box", "status": "creating", "pid": 7, "bundle": "/b"}


def shell(script, **more):
    return {"path": "/bin/sh", "args": ["sh", "-c", script], **more}


def test_a_hook_gets_the_state_its_arguments_and_no_other_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAK", "1")
    script = f"cat >{tmp_path}/state; echo $0 >{tmp_path}/name; /usr/bin/env >{tmp_path}/env"
    hook = {"path": "/bin/sh", "args": ["other-name", "-c", script, "zero"], "env": ["A=b=c"]}
    assert hooks.run([hook], STATE, where="prestart") == []
    assert json.loads((tmp_path / "state").read_text()) == STATE
    assert (tmp_path / "name").read_text() == "zero\n"
    lines = (tmp_path / "env").read_text().splitlines()
    assert "A=b=c" in lines
    assert not [line for line in lines if line.split("=")[0] in {"LEAK", "PATH", "HOME"}]


def test_without_arguments_the_path_is_the_name():
    assert hooks.run([{"path": "/bin/true"}], STATE, where="createRuntime") == []


def test_hooks_run_in_order_up_to_the_first_failure(tmp_path):
    log = tmp_path / "log"
    listed = [
        shell(f"echo 1 >>{log}"),
        shell(f"echo 2 >>{log}; echo why >&2; exit 3"),
        shell(f"echo 3 >>{log}"),
    ]
    with pytest.raises(RuntimeFault, match=r"createRuntime hook 1 \(/bin/sh\) exited with 3: why"):
        hooks.run(listed, STATE, where="createRuntime")
    assert log.read_text().split() == ["1", "2"]


@pytest.mark.parametrize("where", ["poststart", "poststop"])
def test_late_hooks_warn_and_the_rest_still_runs(tmp_path, where):
    listed = [shell("exit 3"), {"path": "/no/such"}, shell(f"touch {tmp_path}/ran")]
    first, second = hooks.run(listed, STATE, where=where)
    assert "exited with 3" in first
    assert "No such file" in second
    assert (tmp_path / "ran").exists()


def test_a_hook_that_takes_too_long_is_killed_with_its_children(tmp_path):
    started = time.monotonic()
    with pytest.raises(RuntimeFault, match="took longer than 1 s"):
        hooks.run([shell(f"echo $$ >{tmp_path}/pid; sleep 60; true", timeout=1)], STATE, where="prestart")
    assert time.monotonic() - started < 5
    group = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while alive(group):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alive(group):
    """Whether a process of the group runs; orphans that nobody reaps may stay as zombies."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            return True
    return False


def test_a_killed_hook_is_named_by_its_signal():
    with pytest.raises(RuntimeFault, match="was killed by SIGTERM"):
        hooks.run([shell("kill $$")], STATE, where="startContainer")


def test_a_state_larger_than_a_pipe_that_nobody_reads_blocks_nobody():
    large = {**STATE, "annotations": {"x": "y" * (1 << 20)}}
    assert hooks.run([{"path": "/bin/true"}], large, where="prestart") == []


def test_a_daemon_that_a_hook_leaves_blocks_nobody(tmp_path):
    started = time.monotonic()
    assert hooks.run([shell(f"sleep 20 & echo $! >{tmp_path}/pid")], STATE, where="prestart") == []
    assert time.monotonic() - started < 5
    os.kill(int((tmp_path / "pid").read_text()), 9)


def test_a_hook_gets_no_descriptor_and_no_signal_of_ours(tmp_path):
    inherited = {fd for fd in range(3, 1024) if inheritable(fd)}  # from whoever started the tests
    script = f"ls /proc/self/fd; grep Sig /proc/self/status >{tmp_path}/signals; exit 1"
    with (tmp_path / "open").open("w"), pytest.raises(RuntimeFault) as caught:
        hooks.run([shell(script)], STATE, where="prestart")
    found = {int(word) for word in str(caught.value).split("exited with 1: ")[1].split()}
    assert found - inherited == {0, 1, 2, min(set(range(3, 1024)) - inherited)}  # the last is ls's own
    masks = dict(line.split(":") for line in (tmp_path / "signals").read_text().splitlines())
    libcs = (
        3 << 31
    )  # 32 and 33 are the C library's own (nptl(7)), and whoever started the tests may ignore them
    assert int(masks["SigIgn"], 16) & ~libcs == int(masks["SigBlk"], 16) == 0


def inheritable(fd):
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False


@pytest.mark.parametrize(
    ("hook", "path"),
    [
        ({"path": "bin/true"}, r"hooks.poststop\[1\].path"),
        ({"args": ["x"]}, r"hooks.poststop\[1\].path"),
        ({"path": "/bin/true", "timeout": 0}, r"hooks.poststop\[1\].timeout"),
        ({"path": "/bin/true", "env": ["A"]}, r"hooks.poststop\[1\].env"),
    ],
)
def test_wrong_hooks_are_refused_by_their_path(hook, path):
    with pytest.raises(RuntimeFault, match=path):
        hooks.check({"poststop": [{"path": "/bin/true", "timeout": 5}, hook]})
