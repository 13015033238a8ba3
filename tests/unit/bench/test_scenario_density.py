"""The density scenario on fake targets."""

import pytest

from bench.scenarios import density as module
from bench.scenarios.density import Density
from bench.scenarios.registry import METRICS
from tests.fakes.fake_target import FakeTarget
from tests.fakes.figures import figures

MIB = 2**20


@pytest.fixture(autouse=True)
def no_wait(monkeypatch):
    monkeypatch.setattr(module, "WINDOW", 0.01)


@pytest.mark.parametrize(
    ("each", "fits", "by_memory"), [(100 * MIB, 2, 1.0), (64 * MIB, 4, 1.0), (MIB, 24, 0.0)]
)
def test_it_counts_what_fits_and_says_what_stopped_it(measure, monkeypatch, each, fits, by_memory):
    monkeypatch.setattr(module, "_memory", lambda running, _before: float(each * len(running)))
    target = FakeTarget("container", behaviour=None)
    run = measure(Density(), target, runs=1)
    found = figures(run, "container")
    assert set(found) == set(METRICS["density"])
    assert (found["instances"], found["by_memory"], found["memory_each"]) == ([fits], [by_memory], [each])
    assert len(target.instances) == (fits + 1 if by_memory else fits)
    assert all(instance.removed for instance in target.instances)


def test_the_memory_is_that_of_the_processes_and_what_the_kernel_is_charged(measure, monkeypatch, tmp_path):
    (tmp_path / "memory.current").write_text("1")
    (tmp_path / "memory.stat").write_text("anon 0\nfile 0\nkernel 50000000\nshmem 0\n")
    run = measure(Density(), FakeTarget("container", memory_cgroup=tmp_path), runs=1)
    found = figures(run, "container")
    assert found["instances"] == [5]  # 256 MiB hold five times 50 MB, and not six
    assert 50e6 < found["memory_each"][0] < 60e6


def test_a_busy_instance_takes_cpu_and_an_idle_one_none(measure, monkeypatch):
    monkeypatch.setitem(module.MOST, "fast", 2)
    seconds = iter((1.0, 1.5))
    monkeypatch.setattr(module, "_cpu", lambda _running: next(seconds))
    clock = iter((0.0, 1.0))
    monkeypatch.setattr(module, "now", lambda: next(clock))
    run = measure(Density(), FakeTarget("native"), runs=1)
    assert figures(run, "native")["cpu_each"] == [0.25]


def test_cpu_time_is_that_of_all_threads(tmp_path):
    class Instance:
        class instance:  # noqa: N801 - as the real one's attribute
            @staticmethod
            def members():
                return [type("Member", (), {"pid": 7})]

    for thread, nanoseconds in (("7", 1_500_000_000), ("8", 500_000_000)):
        folder = tmp_path / "7" / "task" / thread
        folder.mkdir(parents=True)
        (folder / "schedstat").write_text(f"{nanoseconds} 0 3\n")
    assert module._cpu([Instance], tmp_path) == 2.0
