"""What about a host spoils numbers: found, told with a remedy, and left as it is."""

import json

import pytest

from bench import exclusion
from bench.environment.check import REMEDIES, modes, observed
from bench.environment.host import Host
from bench.sentinels import Sentinels
from tests.fakes.clock import FakeClock


class Scripted(Sentinels):
    """Sentinels whose readings are given."""

    def __init__(self, *readings):
        super().__init__()
        self.readings, self.running = list(readings), False

    def start(self, pids=()):
        assert not self.running
        self.running = True

    def stop(self, pids=()):
        assert self.running
        self.running = False
        return self.readings.pop(0)


def codes(gap, seen):
    clock = FakeClock()
    found = observed(Scripted({}, gap, seen), clock)
    assert clock.now_ns() == 2e9
    assert all(caveat.remedy for caveat in found)
    return {caveat.code for caveat in found}


def test_a_quiet_host_has_nothing():
    assert codes({"load_other": 0.01}, {"psi_cpu_some": 0.001, "steal": 0.0}) == set()


@pytest.mark.parametrize(
    ("gap", "seen", "code"),
    [({"load_other": 1.5}, {}, "other-load"), ({}, {"steal": 0.2}, "steal"),
     ({}, {"throttled": 3.0}, "throttled"), ({}, {"psi_cpu_some": 0.4}, "cpu-pressure"),
     ({}, {"psi_io_some": 0.4}, "io-pressure")],
)  # fmt: skip
def test_each_disturbance_is_named(gap, seen, code):
    assert codes(gap, seen) == {code}


def test_our_own_load_in_the_second_look_is_nobody_elses():
    assert codes({"load_other": 0.0}, {"load_other": 2.0}) == set()


def test_every_exclusion_rule_has_a_remedy():
    assert set(REMEDIES) == {rule.code for rule in exclusion.rules()}


@pytest.mark.parametrize(
    ("path", "text", "code"),
    [("sys/devices/system/cpu/cpufreq/boost", "1", "boost"),
     ("sys/devices/system/cpu/intel_pstate/no_turbo", "0", "boost"),
     ("sys/devices/system/cpu/smt/active", "1", "smt"), ("proc/sys/kernel/nmi_watchdog", "1", "watchdog")],
)  # fmt: skip
def test_modes_of_the_processor(tmp_path, path, text, code):
    assert list(modes(Host(tmp_path))) == []
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(text)
    assert [caveat.code for caveat in modes(Host(tmp_path))] == [code]


def test_the_hottest_zone_is_a_sentinel(tmp_path):
    for zone, text in (("thermal_zone0", "41000\n"), ("thermal_zone1", "57500\n"), ("thermal_zone2", "")):
        (tmp_path / "sys/class/thermal" / zone).mkdir(parents=True)
        (tmp_path / "sys/class/thermal" / zone / "temp").write_text(text)
    watch = Sentinels(tmp_path)
    watch.start()
    assert watch.stop()["temperature"] == 57.5
    assert "temperature" not in watch.unavailable()


def test_the_command_tells_and_ends_well(tare):
    done = tare("system", "check", "--format", "json")
    assert done.code == 0
    assert all(row["text"] and row["remedy"] for row in json.loads(done.out))
    words = tare("system", "check")
    assert words.code == 0
    assert "changed" in words.err or "nothing was found" in words.err
