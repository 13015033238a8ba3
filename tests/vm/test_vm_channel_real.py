"""The agent of a guest on its virtio-serial port, and a start from nothing in memory: one boot for both."""

import os

import pytest

from bench import calibration, residency
from bench.channel import Channel
from bench.clock import now
from bench.cold import chill
from bench.errors import BenchFault
from bench.ladder import climb
from bench.scenarios.startup import BOX
from bench.targets.drivers import Drivers
from bench.targets.variants import Version
from bench.variant import parse

pytestmark = [pytest.mark.vm, pytest.mark.timeout(180)]


@pytest.fixture
def drivers(data_root):
    with Drivers(data_root, data_root / "run", None, print) as opened:
        yield opened


def test_a_cold_guest_speaks_over_virtio(drivers):
    target = Version(parse("vm:channel=virtio-serial"), drivers)
    with target.launcher(BOX) as launcher:
        prepared = launcher.prepared
        assert prepared.channel == "virtio-serial"
        assert {path.name.partition("-")[0] for path in prepared.boots} >= {"vmlinuz"}
        read = residency.files([*prepared.storage, *prepared.boots])
        assert len(read) == 2  # the kernel and the initrd, which holds the image
        for file in read:
            file.path.read_bytes()
        chill(prepared)
        assert residency.resident(read) == 0
        with climb(launcher, f"virtio-{os.getpid()}") as running:
            assert all(residency.resident([file]) for file in read)
            rungs = running.ladder.durations()
            assert list(rungs) == ["created", "kernel", "init", "listening", "ready"]
            assert len(calibration.echoes(running.channel, 20)) == 20
            told = said(
                running.channel, "readlink /proc/$$/fd/1; readlink /proc/1/fd/0; ls /sys/class/virtio-ports"
            )
            with pytest.raises(BenchFault, match="would not be cold"):  # QEMU has the initrd mapped
                chill(prepared)
    assert told == ["/dev/vport0p1", "/dev/vport0p1", "vport0p1"]


def said(channel: Channel, command: str) -> list[str]:
    return channel.execute(command, now() + 30).output.split()
