"""kill -9 at random moments, of client and spawner: a prune then leaves nothing, and takes nothing else."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.cgroups.hierarchy import detect
from runtime.container import ContainerSpec, Spawner, records
from runtime.container.kind import key
from runtime.container.prune import prune
from runtime.container.started import handles
from runtime.linux import processes
from tests.fakes.busybox_layer import make_layer
from tests.fakes.engine import until

pytestmark = pytest.mark.privileged
ROOT = Path(__file__).resolve().parents[2]

CLIENT = """
import itertools, os, sys
from pathlib import Path
from runtime.container import ContainerSpec, NativeSpec, Resources, Spawner
from runtime.container.prune import prune
run, data, layer = map(Path, sys.argv[1:4])
null = os.open("/dev/null", os.O_RDWR)
with Spawner(run, data) as spawner:
    print(spawner.pid, flush=True)
    kept = []
    for number in itertools.count():
        args = ("sh", "-c", f"echo x >/written; sleep 1{os.getpid()}{number} & sleep 1{os.getpid()}{number}")
        if number % 3 == 2:
            bare = ("/bin/sh", *args[1:2], f"sleep 1{os.getpid()}{number} & wait")
            spec = NativeSpec(f"native{number}", bare, root=layer, resources=Resources())
            kept.append(spawner.start_native(spec, stdin=null, stdout=null, stderr=null))
        else:
            spec = ContainerSpec(f"box{number}", (layer,), args, resources=Resources(pids=10))
            kept.append(spawner.start(spec, stdin=null, stdout=null, stderr=null))
        if len(kept) > 3:
            kept.pop(0).remove()
"""


@pytest.fixture(scope="module")
def layer(tmp_path_factory):
    return make_layer(tmp_path_factory.mktemp("busybox") / "layer")


def sleepers(client: int) -> list[str]:
    """Processes of this client's containers, by the argument that no other process has."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if any(word.startswith(b"1%d" % client) for word in words[1:]):
            found.append(str(path))
    return found


def cgroups(run: Path) -> list[Path]:
    mounts = {tree.mount for tree in detect().trees.values()}
    return [path for mount in mounts for path in mount.glob(f"tare/{key(run)}-*")]


def what_is_left(client: int, run: Path, data: Path) -> list[str]:
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    files = [*run.glob("containers/*"), *run.glob("containers/.*"), *data.glob("containers/*")]
    left = [*sleepers(client), *cgroups(run), *files, *(line for line in mounts if str(data) in line)]
    return list(map(str, left))


def wait_until_dead(pid: int, start: int) -> None:
    deadline = time.monotonic() + 10
    while processes.alive(pid, start):
        assert time.monotonic() < deadline, f"process {pid} lives on"
        time.sleep(0.005)


def wait_for_work(run: Path) -> None:
    deadline = time.monotonic() + 10
    while not list(run.glob("containers/*")):
        assert time.monotonic() < deadline, "the client starts no container"
        time.sleep(0.001)


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["client", "spawner", "both"])
def test_nothing_is_left_after_kill_nine(victim, tmp_path, layer):
    chance = random.Random(7)
    run, data = tmp_path / "run", tmp_path / "data"
    seen_work = 0
    for number in range(12):
        command = [sys.executable, "-c", CLIENT, str(run), str(data), str(layer)]
        client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT)
        with client:
            spawner = int(client.stdout.readline())
            start = processes.start_time(spawner)
            if number % 2:  # the other rounds hit the first moments, before any container
                wait_for_work(run)
                seen_work += 1
            time.sleep(chance.uniform(0, 0.12))
            if victim in {"spawner", "both"}:
                os.kill(spawner, signal.SIGKILL)
            if victim in {"client", "both"}:
                client.kill()
            client.wait(20)
            wait_until_dead(spawner, start)
            if victim == "client":  # the spawner itself has cleaned up
                assert what_is_left(client.pid, run, data) == []
            prune(run, data)
            assert what_is_left(client.pid, run, data) == []
            assert prune(run, data) == []
    assert seen_work == 6


def test_containers_die_with_the_spawner_even_before_a_prune(tmp_path, layer):
    null = os.open("/dev/null", os.O_RDWR)
    spawner = Spawner(tmp_path / "run", tmp_path / "data")
    started = spawner.start(
        ContainerSpec("a", (layer,), ("sleep", "100"), user="web"), stdin=null, stdout=null, stderr=null
    )
    start = processes.start_time(started.pid)
    os.kill(spawner.pid, signal.SIGKILL)
    wait_until_dead(started.pid, start)
    spawner.close()
    os.close(null)
    assert [r.status for r in records.records(tmp_path / "run")] == ["abandoned"]
    assert prune(tmp_path / "run", tmp_path / "data") == ["a"]
    assert started.leftovers() == []


def test_prune_leaves_the_living_and_other_roots_alone(tmp_path, layer):
    null = os.open("/dev/null", os.O_RDWR)
    run, data = tmp_path / "run", tmp_path / "data"
    with Spawner(run, data) as spawner:
        started = spawner.start(
            ContainerSpec("a", (layer,), ("sleep", "100")), stdin=null, stdout=null, stderr=null
        )
        assert prune(run, data) == []
        assert prune(tmp_path / "run2", tmp_path / "data2") == []
        assert started.cgroup.stats().pids == 1
        assert records.records(run)[0].status == "running"
        started.remove()
        assert records.records(run) == []
    os.close(null)


def test_cgroups_whose_record_is_lost_are_found_by_their_name(tmp_path, layer):
    null = os.open("/dev/null", os.O_RDWR)
    run, data = tmp_path / "run", tmp_path / "data"
    spawner = Spawner(run, data)
    started = spawner.start(
        ContainerSpec("a-b", (layer,), ("sleep", "100")), stdin=null, stdout=null, stderr=null
    )
    start = processes.start_time(started.pid)
    os.kill(spawner.pid, signal.SIGKILL)
    wait_until_dead(started.pid, start)
    spawner.close()
    os.close(null)
    shutil.rmtree(run)
    assert cgroups(run)
    assert prune(run, data) == ["a-b"]
    assert what_is_left(os.getpid(), run, data) == []


def test_sigterm_to_the_spawner_cleans_up(tmp_path, layer):
    null = os.open("/dev/null", os.O_RDWR)
    run, data = tmp_path / "run", tmp_path / "data"
    spawner = Spawner(run, data)
    started = spawner.start(
        ContainerSpec("a", (layer,), ("sleep", "100")), stdin=null, stdout=null, stderr=null
    )
    os.kill(spawner.pid, signal.SIGTERM)
    spawner.close()
    os.close(null)
    assert started.leftovers() == []


def test_another_process_can_stop_it(tmp_path, layer):
    null = os.open("/dev/null", os.O_RDWR)
    run, data = tmp_path / "run", tmp_path / "data"
    with Spawner(run, data) as spawner:
        trap = "trap 'exit 7' TERM; while :; do sleep 0.02; done"
        spec = ContainerSpec("a", (layer,), ("sh", "-c", trap))
        started = spawner.start(spec, stdin=null, stdout=null, stderr=null)
        until(lambda: handles(started.pid, signal.SIGTERM))
        records.stop(records.find(run, "a"), 5)
        assert started.wait(5).code == 7
        with pytest.raises(records.RuntimeFault, match="not running"):
            records.send(records.find(run, "a"), signal.SIGTERM)
        with pytest.raises(records.RuntimeFault, match="exited"):
            records.remove(records.find(run, "a"))
        started.remove()
    os.close(null)
