"""Cold starts: what is in the page cache is dropped, and what stays is no cold start."""

import mmap
import os

from bench import residency
from bench.scenarios.startup import Startup
from tests.fakes.fake_target import FakeTarget
from tests.fakes.figures import all_samples


def write(path):
    with path.open("wb") as stream:
        stream.write(os.urandom(2**20))
        os.fsync(stream.fileno())
    return path


def test_every_start_finds_nothing_of_the_image_in_memory(measure, disk):
    image = write(disk / "layer")
    seen = []

    def look(inside):
        seen.append(residency.resident(residency.files([image])))
        image.read_bytes()
        raise OSError

    target = FakeTarget("native", images=[image], behaviours={0: look, 1: look, 2: look})
    run = measure(Startup(), target, runs=4, cold=True)
    assert seen == [0, 0, 0]
    assert {m.params["cold"] for m, _ in all_samples(run)} == {True}
    assert len(run.failures) == 3


def test_a_guests_kernel_is_as_cold_as_its_disk(measure, disk):
    """Also where its path is a link, as /vmlinuz is: the file behind it has to go."""
    image, kernel = write(disk / "layer"), write(disk / "vmlinuz-6")
    (disk / "vmlinuz").symlink_to(kernel.name)
    seen = []

    def look(inside):
        seen.append(residency.resident(residency.files([image, kernel])))
        kernel.read_bytes()
        raise OSError

    target = FakeTarget(
        "vm", "vm", "tcg", images=[image], boots=[disk / "vmlinuz"], behaviours={0: look, 1: look}
    )
    measure(Startup(), target, runs=2, cold=True)
    assert seen == [0, 0]


def test_warm_starts_leave_the_page_cache_alone(measure, disk):
    image = write(disk / "layer")
    image.read_bytes()
    run = measure(Startup(), FakeTarget("native", images=[image]), runs=2)
    assert residency.resident(residency.files([image])) == image.stat().st_size
    assert all("cold" not in m.params for m in run.measurements)


def test_what_is_mapped_stays_and_is_no_cold_start(measure, disk):
    image = write(disk / "layer")
    with image.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped[0] is not None
        assert sum(mapped[:: mmap.PAGESIZE]) >= 0
        run = measure(Startup(), FakeTarget("native", images=[image]), runs=1, cold=True)
    assert not run.measurements
    assert all("would not be cold" in failure.text for failure in run.failures)


def test_a_scenario_without_a_cold_state_is_refused(tare):
    done = tare("run", "memory", "--cold", "--dry-run")
    assert done.code == 2
    assert "memory has no cold state; --cold goes with: startup" in " ".join(done.err.split())
    assert "startup" in tare("run", "--cold", "--dry-run", "-t", "native").out
