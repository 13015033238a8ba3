"""kill -9 of a run at random moments: the file reads, and one prune later nothing of ours is left."""

import json
import os
import random
import subprocess
import time

import pytest

from bench.results import load
from tests.conftest import residue
from tests.runs import TARE

pytestmark = [pytest.mark.privileged, pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(300)]
TARGETS = "native,container,vm,vm-micro"


@pytest.fixture(scope="module")
def warm(tare):
    """Images, kernel and proof are there, so that the moments fall into the run itself."""
    done = tare("run", "startup", "-t", "native,container,vm-micro", "-r", "1", "-q")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("seed", range(3))
def test_prune_after_kill(seed, warm, tare, data_root, tmp_path):
    before, held = residue(), _held(data_root)
    file = tmp_path / "run.json"
    command = [TARE, "run", "startup", "memory", "-t", TARGETS, "--fast", "-q", "--json", file]
    run = subprocess.Popen(command, env={**os.environ, "TARE_ROOT": str(data_root)})
    try:
        _wait_for(file, run)
        time.sleep(random.Random(seed).uniform(0.2, 12))
    finally:
        run.kill()
        run.wait()
    pruned = tare("system", "prune")
    assert pruned.returncode == 0, pruned.stderr
    assert residue() - before == set()
    assert _held(data_root) - held == set()
    found = load(file)
    assert found.finished is None
    assert json.loads(file.read_text())["id"] == found.id


def test_interrupt_cleans_up_and_ends_with_130(warm, data_root, tmp_path):
    before = residue()
    file = tmp_path / "run.json"
    command = [TARE, "run", "startup", "-t", "container,vm", "--fast", "-q", "--json", file]
    run = subprocess.Popen(command, env={**os.environ, "TARE_ROOT": str(data_root)}, stderr=subprocess.PIPE)
    _wait_for(file, run)
    time.sleep(3)
    run.send_signal(2)
    _, complaints = run.communicate(timeout=60)
    assert run.returncode == 130, complaints
    assert b"Traceback" not in complaints
    assert residue() - before == set()
    assert load(file).finished is None


def _wait_for(file, run):
    deadline = time.monotonic() + 60
    while not file.exists():
        assert run.poll() is None, "the run ended before its file was there"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _held(data_root):
    """What runs and boxes keep under the data root; the container engine's own lock and log may be older."""
    return {path for place in ("run/*", "containers", "scratch") for path in data_root.glob(f"{place}/*")}
