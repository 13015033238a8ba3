"""`tare container` as an engine: detached containers, their logs and ends, restarts, and a killed keeper."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store
from runtime.linux.processes import alive, start_time
from tests.fakes.engine import engine, until

pytestmark = pytest.mark.privileged


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    root = tmp_path_factory.mktemp("engine")
    bootstrap(Store(root / "images"), "busybox")
    return root


@pytest.fixture(name="engine")
def one(home):
    with engine(home) as made:
        yield made


def test_detached_life_of_a_container(engine):
    script = "trap 'exit 6' TERM; echo out; echo err >&2; while :; do sleep 0.02; done"
    name = engine("run", "-d", "--name", "web", "-e", "A=1", "busybox", "sh", "-c", script).strip()
    assert len(name) == 64
    until(lambda: "err" in engine.tare("container", "logs", "web").stderr)
    shown = engine.inspect("web")
    assert shown["Id"] == name
    assert shown["State"]["Running"]
    assert shown["State"]["Pid"]
    assert "A=1" in shown["Config"]["Env"]
    done = engine.tare("container", "logs", "web")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    assert engine("exec", "-e", "B=2", "web", "sh", "-c", "echo $A$B; exit 7", code=7) == "12\n"
    engine("stop", "web")
    assert engine.inspect("web")["State"]["ExitCode"] == 6
    assert engine("wait", "web") == "6\n"
    assert "web" not in engine("ps")
    assert "Exited (6)" in engine("ps", "-a")
    until(lambda: not engine.keeper())  # it ends by itself
    engine("start", "web")
    assert engine.inspect("web")["State"]["Running"]
    engine("rm", "web", code=2)
    engine("rm", "-f", "web")
    assert engine("ps", "-aq") == ""


def test_what_was_written_stays_until_it_is_removed(engine):
    engine("run", "-d", "--name", "keeps", "busybox", "sh", "-c", "cat /n; echo more >> /n")
    engine("wait", "keeps")
    assert engine("start", "-a", "keeps") == "more\n"
    assert engine("logs", "keeps", "--tail", "1") == "more\n"


def test_restarts_as_often_as_the_policy_says(engine):
    engine(
        "run", "-d", "--restart", "on-failure:2", "--name", "again", "busybox", "sh", "-c", "echo x; exit 3"
    )
    until(lambda: engine.inspect("again")["State"]["Status"] == "exited")
    until(lambda: engine.inspect("again")["RestartCount"] == 2)
    until(lambda: engine("logs", "again") == "x\nx\nx\n")
    assert engine.inspect("again")["State"]["ExitCode"] == 3


def test_a_policy_that_is_changed_while_it_runs_holds_from_then_on(engine):
    engine("run", "-d", "--restart", "always", "--name", "once", "busybox", "sleep", "1000")
    engine("update", "--restart", "no", "once")
    os.kill(engine.inspect("once")["State"]["Pid"], signal.SIGKILL)  # not by a command of ours
    until(lambda: engine.inspect("once")["State"]["Status"] == "exited")
    assert engine.inspect("once")["RestartCount"] == 0


def test_rm_removes_it_at_its_end(engine):
    engine("run", "-d", "--rm", "--name", "brief", "busybox", "true")
    until(lambda: engine("ps", "-aq") == "")
    assert not list((engine.home / "engine/containers").iterdir())


@pytest.mark.parametrize("detached", [(), ("-d",)])
def test_a_policy_and_rm_are_refused_together(engine, detached):
    words = ("run", *detached, "--rm", "--restart", "always", "busybox", "true")
    assert "--restart and --rm" in engine.fails("container", *words)
    assert engine("ps", "-aq") == ""


def test_pause_update_and_stats(engine):
    engine("run", "-d", "--name", "still", "busybox", "sh", "-c", "while :; do :; done")
    assert "still is not paused" in engine.fails("container", "unpause", "still")
    engine("pause", "still")
    assert engine.inspect("still")["State"]["Paused"]
    assert "still is paused already" in engine.fails("container", "pause", "still")
    assert json.loads(engine("stats", "--no-stream", "--format", "json"))[0]["cpu_percent"] == 0
    engine("unpause", "still")
    engine("update", "-m", "64m", "still")
    row = json.loads(engine("stats", "--no-stream", "--format", "json", "still"))[0]
    assert row["memory_limit"] == 64 << 20
    assert row["cpu_percent"] > 0
    engine("kill", "still")
    assert engine("wait", "still") == "137\n"


def test_a_volume_outlives_its_container(engine):
    engine("volume", "create", "kept")
    engine("run", "-v", "kept:/data", "busybox", "sh", "-c", "echo 1 > /data/x")
    assert engine("run", "-v", "kept:/data:ro", "busybox", "cat", "/data/x") == "1\n"
    engine("volume", "rm", "kept")
    assert engine("volume", "ls") == ""


def test_an_unstartable_program_is_told_apart(engine):
    engine("create", "--name", "no", "busybox", "nothing-here")
    done = engine.tare("container", "start", "no")
    assert done.returncode == 127
    assert engine.inspect("no")["State"]["ExitCode"] == 127
    assert engine.inspect("no")["State"]["Status"] == "created"


def test_a_killed_keeper_leaves_nothing_after_a_prune(engine):
    engine("run", "-d", "--name", "orphan", "busybox", "sleep", "1000")
    state, keeper = engine.inspect("orphan")["State"], engine.keeper()
    assert keeper  # 0 would be our own process group
    started = start_time(state["Pid"])
    os.kill(keeper, signal.SIGKILL)
    until(lambda: not engine.keeper())
    assert "orphan" in engine.tare("system", "prune").stdout
    until(lambda: not alive(state["Pid"], started))
    assert not list((engine.home / "engine/containers").iterdir())
    assert not list((engine.home / "run/engine/oci").iterdir())


def test_the_next_keeper_ends_what_a_killed_one_left_and_restarts_what_asks_for_it(engine):
    engine("run", "-d", "--name", "lost", "busybox", "sleep", "1000")
    engine("run", "-d", "--restart", "always", "--name", "back", "busybox", "sleep", "1000")
    lost, back = (engine.inspect(name)["State"]["Pid"] for name in ("lost", "back"))
    started = start_time(lost)
    keeper = engine.keeper()
    assert keeper
    os.kill(keeper, signal.SIGKILL)
    until(lambda: not engine.keeper())
    assert engine("wait", "lost") == "137\n"
    assert not alive(lost, started)
    until(
        lambda: engine.inspect("back")["State"]["Running"] and engine.inspect("back")["State"]["Pid"] != back
    )


def test_a_killed_client_does_not_end_the_container(engine):
    client = engine.begin(
        "container", "run", "--name", "stays", "busybox", "sleep", "1000", stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    until(lambda: "Up" in engine("ps"))
    client.kill()
    client.wait()
    assert engine.inspect("stays")["State"]["Running"]


def test_a_restart_that_fails_is_tried_again(engine, tmp_path):
    script = tmp_path / "run"
    script.write_text("#!/bin/sh\nsleep 0.05\n")
    script.chmod(0o755)
    engine("run", "-d", "--restart", "always", "--name", "back", "-v", f"{tmp_path}:/v", "busybox", "/v/run")
    script.rename(tmp_path / "away")
    until(lambda: engine.inspect("back")["State"]["Error"])
    failed = engine.inspect("back")["RestartCount"]
    until(lambda: engine.inspect("back")["RestartCount"] > failed)
    (tmp_path / "away").write_text("#!/bin/sh\nsleep 1000\n")  # long enough to be seen on a busy host
    (tmp_path / "away").rename(script)
    until(lambda: engine.inspect("back")["State"]["Running"])
    engine("rm", "-f", "back")
