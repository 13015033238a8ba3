"""T5: kill -9 in the middle of a start, a hundred times. What is left is removed, and the name is free again.

runc 1.1.5 leaves a cgroup in nearly every second one.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.container import ContainerSpec, Spawner
from runtime.container.kind import key
from runtime.container.prune import prune
from runtime.linux import processes
from tests.torture import traces
from tests.torture.oci import Oci, settled

pytestmark = [pytest.mark.privileged, pytest.mark.torture, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[2]
EARLIEST, LATEST = 0.005, 0.120  # seconds from the first instruction to the kill

# Starts and removes the same name for ever, so that a kill strikes at any stage of either.
CLIENT = """
import os, sys
from pathlib import Path
from runtime.container import ContainerSpec, Resources, Spawner
run, data, layer = map(Path, sys.argv[1:4])
null = os.open("/dev/null", os.O_RDWR)
with Spawner(run, data) as spawner:
    print(spawner.pid, flush=True)
    while True:
        spec = ContainerSpec("box", (layer,), ("sleep", sys.argv[4]), resources=Resources(pids=10))
        spawner.start(spec, stdin=null, stdout=null, stderr=null).remove()
"""


def test_kills_of_client_and_spawner_leave_nothing(tmp_path, layer, null, rounds, figure):
    chance, kills, leaks = random.Random(5), rounds(100, 6), []
    run, data, word = tmp_path / "run", tmp_path / "data", f"77{os.getpid()}"
    hit = 0
    for number in range(kills):
        command = [sys.executable, "-c", CLIENT, str(run), str(data), str(layer), word]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as client:
            spawner = int(client.stdout.readline())
            start = processes.start_time(spawner)
            time.sleep(chance.uniform(EARLIEST, LATEST))
            victims = [[client.pid], [spawner], [spawner, client.pid]][number % 3]
            for victim in victims:
                os.kill(victim, signal.SIGKILL)
            client.kill()
        assert settled(lambda: not processes.alive(spawner, start))  # noqa: B023 - called at once
        hit += bool(traces.files(run, data))
        prune(run, data)
        leaks += [*_in_process(run, data, word)]
        _starts_again(run, data, layer, null)
    figure("T5", runtime="in process", kills=kills, struck_halfway=hit, leaks=len(leaks))
    assert leaks == []


def _in_process(run, data, word):
    settled(lambda: not traces.of(word))
    return [*traces.of(word), *traces.of(f"{key(run)}-box"), *traces.files(run, data)]


def _starts_again(run, data, layer, null):
    with Spawner(run, data) as spawner:
        spec = ContainerSpec("box", (layer,), ("true",))
        with spawner.start(spec, stdin=null, stdout=null, stderr=null) as started:
            assert started.wait(10).code == 0


@pytest.mark.parametrize("verb", ["run", "create"])
def test_kills_of_the_oci_runtime_leave_nothing(verb, tmp_path, rounds, figure):
    oci = Oci(tmp_path)
    chance, kills, leaks, refused = random.Random(5), rounds(100, 6), [], []
    for number in range(kills):
        name = f"{oci.word}{verb}"
        words = oci.words(verb, "-b", str(oci.bundle("sleep", "1000")), name)
        with subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as started:  # fmt: skip
            time.sleep(chance.uniform(EARLIEST, LATEST))
            # Alone, as the kernel kills for want of memory; or with all of its session, as a service manager.
            (os.killpg if number % 2 else os.kill)(started.pid, signal.SIGKILL)
        done = oci.call("delete", "-f", name)
        if done.returncode:
            refused.append(done.stderr.strip())
        settled(lambda: not traces.of(name))  # noqa: B023 - called at once
        leaks += [*traces.of(name), *oci.records()]
        if number % 10 == 0:
            again = oci.call("run", "-b", str(oci.bundle("true")), name)
            assert again.returncode == 0, again.stderr
    figure("T5", runtime=oci.program, verb=verb, kills=kills, leaks=len(leaks), refused=len(refused))
    assert leaks == []
    assert refused == []
