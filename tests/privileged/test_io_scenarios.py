"""io, network and density on real boxes: a bare process and a container, with fio, iperf3 and sockperf."""

import re
import subprocess
from pathlib import Path

import pytest

from bench.clock import now
from bench.errors import BenchFault
from bench.ladder import climb
from bench.results import load
from bench.scenarios import io, network
from bench.scenarios.io import Work
from bench.targets.container import Container
from bench.targets.drivers import Drivers
from bench.targets.native import Native
from bench.workloads.images import provide
from runtime.errors import RuntimeFault
from tests.fakes.figures import figures

pytestmark = [pytest.mark.privileged, pytest.mark.slow, pytest.mark.timeout(600)]
BOXES = ("native", "container")


@pytest.fixture(scope="module")
def run(tare, data_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("io")
    with Drivers(data_root, folder / "run", None, lambda _: None) as drivers:
        try:
            provide(drivers, "io")
        except (BenchFault, RuntimeFault) as fault:
            pytest.skip(f"no image with fio, iperf3 and sockperf can be made here: {fault}")
    json, html = folder / "run.json", folder / "run.html"
    words = ("io", "network", "density", "-t", ",".join(BOXES), "--fast", "-r", "1", "-q")
    done = tare("run", *words, "--json", json, "--html", html)
    assert done.returncode == 0, done.stderr
    return load(json)


@pytest.mark.parametrize("target", BOXES)
def test_every_class_of_access_has_a_rate_that_a_disk_can_have(run, target):
    for place in io.PLACES:
        for work in io.WORKS:
            direct, buffered = (
                figures(run, target, work=f"{prefix}{work.name}", place=place) for prefix in ("", "buffered ")
            )
            (rate,) = (direct or buffered)["rate"]
            assert 1 < rate < 1e8


@pytest.mark.parametrize("kind", [Native, Container])
@pytest.mark.parametrize("place", io.PLACES)
def test_what_comes_from_the_page_cache_comes_from_no_disk(run, data_root, tmp_path, kind, place):
    """/proc/PID/io counts what children have read from storage, once they have been waited for (proc(5))."""
    direct_write, cached = (work for work in io.WORKS if work.name in {"random-write", "page-cache-read"})
    with (
        Drivers(data_root, tmp_path / "run", None, lambda _: None) as drivers,
        kind(drivers).launcher(io.Io.box) as launcher,
        climb(launcher, f"io-{kind.__name__.lower()}-{place}") as running,
    ):
        (agent,) = (member for member in running.instance.members() if member.pid)
        path = io._path(place)
        direct = io._laid_out(running.channel, place, 3)
        io.perform(running.channel, direct_write, place, 200, direct=direct)
        running.channel.execute(io.WARM.format(path=path) + "true", now() + 60)
        before = _from_storage(agent.pid)
        io.perform(running.channel, cached, place, 200, direct=False)
        between = _from_storage(agent.pid)
        assert between - before < io.MIB  # of fio's own program
        io.perform(running.channel, Work("from disk", "randread", "4k"), place, 200, direct=False)
        assert _from_storage(agent.pid) - between > io.MIB  # the count does see what fio reads


@pytest.mark.parametrize("kind", [Native, Container])
@pytest.mark.parametrize("place", io.PLACES)
def test_a_file_lies_elsewhere_on_the_disk_each_time(run, data_root, tmp_path, kind, place):
    with (
        Drivers(data_root, tmp_path / "run", None, lambda _: None) as drivers,
        kind(drivers).launcher(io.Io.box) as launcher,
        climb(launcher, f"io-{kind.__name__.lower()}-{place}") as running,
    ):
        (agent,) = (member for member in running.instance.members() if member.pid)
        path = Path(f"/proc/{agent.pid}/root{io._path(place)}")
        found = set()
        for apart in (70, 30, 50, 90, 10, 110):
            io._laid_out(running.channel, place, apart)
            assert path.stat().st_size == io.FILE * io.MIB
            assert [one.name for one in path.parent.iterdir() if "apart" in one.name] == []
            found.add(_first_block(path))
        assert len(found) > 3


def _first_block(path):
    """Return where on its file system's device a file begins (FIEMAP, by filefrag(8))."""
    said = subprocess.run(["filefrag", "-e", path], capture_output=True, text=True, check=True).stdout
    return re.search(r"^ +0: +\d+\.\. +\d+: +(\d+)\.\.", said, re.MULTILINE).group(1)


def _from_storage(pid):
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["read_bytes"])


@pytest.mark.parametrize("target", BOXES)
def test_every_path_carries_round_trips_and_bytes(run, target):
    for path in network.PATHS:
        (trips,), (bytes_,) = (figures(run, target, work=w.name, path=path)["rate"] for w in network.WORKS)
        assert 10 < trips < 1e7
        assert 2**20 < bytes_ < 1e12


def test_containers_are_dense_and_each_takes_less_than_10_mib(run):
    found = figures(run, "container")
    assert found["instances"] == [24]
    assert found["by_memory"] == [0]
    assert 0 < found["memory_each"][0] < 10 * 2**20
    assert 0 <= found["cpu_each"][0] < 0.5
