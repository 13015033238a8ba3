"""Real runs that are killed and taken up again, and real cold starts."""

import os
import random
import subprocess
import time
from collections import Counter

import pytest

from bench import residency
from bench.results import load
from tests.fakes.figures import all_samples
from tests.runs import TARE

pytestmark = [pytest.mark.privileged, pytest.mark.timeout(300)]
KILLS = 32 if os.environ.get("TARE_TORTURE") == "full" else 5
RUN = ("run", "startup", "-t", "native,container", "-r", "8", "--seed", "5", "-q")


def turns(run):
    return {
        (m.target, s.round, s.position) for m, s in all_samples(run) if not s.warmup and m.metric == "ready"
    }


@pytest.fixture(scope="module")
def whole(tare, tmp_path_factory):
    """A run that was left alone, and what it took."""
    file = tmp_path_factory.mktemp("whole") / "run.json"
    tare(*RUN, "--json", file)  # makes the images
    began = time.monotonic()
    done = tare(*RUN, "--json", file)
    assert done.returncode == 0, done.stderr
    return load(file), time.monotonic() - began


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_run_resumes_in_its_order(seed, whole, tare, data_root, tmp_path):
    run, took = whole
    file = tmp_path / "run.json"
    child = subprocess.Popen([TARE, *RUN, "--json", file], env={**os.environ, "TARE_ROOT": str(data_root)})
    try:
        while not file.exists() and child.poll() is None:
            time.sleep(0.01)
        time.sleep(random.Random(seed).uniform(0, took / 2))
    finally:
        child.kill()
        child.wait()
    before = load(file)
    done = tare("run", "--resume", file, "-q")
    if before.finished:
        assert done.returncode == 2
        return
    assert done.returncode == 0, done.stderr
    after = load(file)
    assert after.finished
    assert (after.id, after.seed, len(after.resumed)) == (before.id, 5, 1)
    assert turns(after) == turns(run)
    kept = {(m.target, m.metric, s.round): s.value for m, s in all_samples(before)}
    found = {(m.target, m.metric, s.round): s.value for m, s in all_samples(after)}
    assert kept.items() <= found.items()


def test_a_run_that_is_killed_over_and_over_ends_as_planned(whole, data_root, tare, tmp_path):
    """kill -9 at random moments of one run, each time taken up again: nothing that was there is lost."""
    file, moments = tmp_path / "run.json", random.Random(11)
    long = [*RUN[: RUN.index("8")], "60", *RUN[RUN.index("8") + 1 :]]
    command, kept = [TARE, *long, "--json", file], {}
    for _ in range(KILLS):
        child = subprocess.Popen(command, env={**os.environ, "TARE_ROOT": str(data_root)})
        try:
            while not file.exists() and child.poll() is None:
                time.sleep(0.01)
            time.sleep(moments.uniform(0.4, 1.4))
        finally:
            child.kill()
            child.wait()
        run = load(file)
        found = {(m.target, m.metric, s.round): s.value for m, s in all_samples(run)}
        assert kept.items() <= found.items()
        kept = found
        if run.finished:
            break
        command = [TARE, "run", "--resume", file, "-q"]
    if not load(file).finished:
        done = tare("run", "--resume", file, "-q")
        assert done.returncode == 0, done.stderr
    after = load(file)
    found = {(m.target, m.metric, s.round): s.value for m, s in all_samples(after)}
    assert kept.items() <= found.items()
    assert Counter(target for target, _, _ in turns(after)) == {"native": 60, "container": 60}


def test_cold_starts_are_cold_and_a_measurement_of_their_own(tare, data_root, tmp_path):
    kind = subprocess.run(["stat", "-f", "-c", "%T", data_root], check=True, capture_output=True, text=True)
    if kind.stdout.strip() in {"tmpfs", "ramfs"}:
        pytest.skip("the data root is in memory: there is no page cache to drop (set TARE_TEST_ROOT)")
    file = tmp_path / "run.json"
    done = tare("run", "--cold", "-t", "native,container", "-r", "3", "-q", "--json", file)
    assert done.returncode == 0, done.stderr
    run = load(file)
    assert {(m.scenario, m.target, m.params.get("cold")) for m in run.measurements} == {
        ("startup", "native", True), ("startup", "container", True),
    }  # fmt: skip
    assert {one.target for one in run.calibrations if one.kind == "echo"} >= {"native", "container"}


def test_what_a_start_reads_comes_back_into_the_page_cache(tare, data_root, tmp_path):
    """A start that read nothing from the disk would prove nothing: the layers must be what it reads."""
    layers = [path for path in (data_root / "images").rglob("*") if path.is_dir() and path.name == "bin"]
    files = residency.files(layers)
    assert files
    residency.evict(files)
    empty = residency.resident(files)
    done = tare("run", "startup", "-t", "native,container", "-r", "1", "-q", "--json", tmp_path / "run.json")
    assert done.returncode == 0, done.stderr
    assert residency.resident(files) > empty
