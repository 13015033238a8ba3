"""io, network and density on real boxes: a bare process and a container, with fio, iperf3 and sockperf."""

import pytest

from bench.errors import BenchFault
from bench.results import load
from bench.scenarios import io, network
from bench.targets.drivers import Drivers
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
