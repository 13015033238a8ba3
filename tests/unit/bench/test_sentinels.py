import os
import subprocess
import time
from pathlib import Path

import pytest

from bench import exclusion, pressure, processes
from bench.sentinels import Sentinels
from bench.session import QUIET


class Host:
    """A directory that poses as the host's proc and sys."""

    def __init__(self, root):
        self.root = root
        self.cpu = [0] * 8
        self.load("0.25")

    def put(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def load(self, one):
        self.put("proc/loadavg", f"{one} 0.10 0.05 1/91 77\n")

    def spend(self, *, user=0, idle=0, iowait=0, steal=0):
        for index, ticks in ((0, user), (3, idle), (4, iowait), (7, steal)):
            self.cpu[index] += ticks
        self.put("proc/stat", f"cpu  {' '.join(map(str, self.cpu))} 0 0\ncpu0 1 2 3\n")

    def stall(self, resource, some, full):
        lines = [
            f"{k} avg10=0.00 avg60=0.00 avg300=0.00 total={t}" for k, t in (("some", some), ("full", full))
        ]
        self.put(f"proc/pressure/{resource}", "\n".join(lines) + "\n")

    def core(self, number, *, kilohertz, throttled):
        self.put(f"sys/devices/system/cpu/cpu{number}/cpufreq/scaling_cur_freq", f"{kilohertz}\n")
        self.put(f"sys/devices/system/cpu/cpu{number}/thermal_throttle/core_throttle_count", f"{throttled}\n")


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_an_idle_window_meets_no_rule(host):
    host.spend(idle=100)
    sentinels = Sentinels(root=host.root)
    sentinels.start()
    host.spend(idle=100)
    found = sentinels.stop()
    assert found["steal"] == 0
    assert found["load_1m"] == 0.25
    assert exclusion.reason(found) is None


def test_steal_is_a_share_of_all_time(host):
    host.spend(idle=1)
    sentinels = Sentinels(root=host.root, ticks_per_second=100)
    sentinels.start()
    host.spend(user=60, idle=30, steal=10)
    found = sentinels.stop()
    assert found["steal"] == pytest.approx(0.1)
    assert found["steal_seconds"] == pytest.approx(0.1)
    assert exclusion.reason(found) == "steal"


def test_one_stolen_tick_in_a_short_window_is_no_share(host):
    host.spend(idle=1)
    sentinels = Sentinels(root=host.root, ticks_per_second=100)
    sentinels.start()
    host.spend(user=3, steal=1)
    found = sentinels.stop()
    assert "steal" not in found
    assert found["steal_seconds"] == pytest.approx(0.01)
    assert exclusion.reason(found) is None


def test_others_load_is_looked_for_in_the_gap_and_not_in_the_sample(host):
    host.spend(idle=1)
    sentinels = Sentinels(root=host.root)
    sentinels.start()
    host.spend(user=100)  # the sample's own work
    assert "load_other" not in sentinels.stop()
    time.sleep(0.05)
    host.spend(user=50, idle=50)  # somebody else, in between
    sentinels.start()
    host.spend(idle=100)
    found = sentinels.stop()
    assert found["load_other"] > 0.5
    assert exclusion.reason(found) == "other-load"


def test_one_cpu_shows_others_load_in_a_quiet_moment_too(host):
    host.spend(idle=1)
    sentinels = Sentinels(root=host.root, ticks_per_second=100)
    sentinels.start()
    sentinels.stop()
    host.spend(user=round(100 * QUIET))
    sentinels.start()
    assert exclusion.reason(sentinels.stop()) == "other-load"


def test_a_quiet_gap_has_no_load(host):
    host.spend(idle=1)
    sentinels = Sentinels(root=host.root)
    sentinels.start()
    sentinels.stop()
    host.spend(idle=40, iowait=40, steal=20)
    sentinels.start()
    assert sentinels.stop()["load_other"] == 0


def test_the_harness_own_work_in_the_gap_is_no_others_load(host):
    host.spend(idle=1)
    sentinels = Sentinels(root=host.root, ticks_per_second=100)
    sentinels.start()
    sentinels.stop()
    begin = time.process_time()
    while time.process_time() - begin < 0.1:
        pass
    host.spend(user=10, idle=20)
    sentinels.start()
    assert sentinels.stop()["load_other"] < 0.1


def test_a_suspended_host_is_noticed(host, monkeypatch):
    sentinels = Sentinels(root=host.root)
    sentinels.start()
    read = time.clock_gettime
    monkeypatch.setattr(
        time, "clock_gettime", lambda clock: read(clock) + 30 * (clock == time.CLOCK_BOOTTIME)
    )
    found = sentinels.stop()
    assert found["suspended"] == pytest.approx(30, abs=0.05)
    assert found["window"] < 1
    assert exclusion.reason(found) == "suspended"


def test_stalls_are_shares_of_the_window(host):
    for resource in ("cpu", "memory", "io"):
        host.stall(resource, 0, 0)
    sentinels = Sentinels(root=host.root)
    begin = time.monotonic()  # before the first reading, so that no window can be longer
    sentinels.start()
    time.sleep(0.05)
    host.stall("memory", 30_000, 20_000)
    found = sentinels.stop()
    longest = time.monotonic() - begin
    assert 0.02 / longest <= found["psi_memory_full"] <= 0.02 / 0.05
    assert found["psi_memory_some"] == pytest.approx(1.5 * found["psi_memory_full"])
    assert found["psi_cpu_some"] == 0
    assert exclusion.reason(found) == "memory-stall"


def test_frequency_is_the_mean_and_throttling_the_sum_over_cores(host):
    host.core(0, kilohertz=1_000_000, throttled=4)
    host.core(1, kilohertz=3_000_000, throttled=1)
    sentinels = Sentinels(root=host.root)
    sentinels.start()
    host.core(1, kilohertz=3_000_000, throttled=3)
    found = sentinels.stop()
    assert found["frequency"] == 2e9
    assert found["throttled"] == 2
    assert exclusion.reason(found) == "throttled"
    assert sentinels.unavailable() == (
        "pressure stall information", "CPU time of the whole host", "temperature",
    )  # fmt: skip


def test_a_missing_source_is_absent_and_named(tmp_path):
    sentinels = Sentinels(root=tmp_path)
    sentinels.start()
    found = sentinels.stop()
    assert found.keys() == {"involuntary_switches", "major_faults", "suspended", "window"}
    assert len(sentinels.unavailable()) == 5


def test_stop_needs_a_start(tmp_path):
    with pytest.raises(RuntimeError, match="before start"):
        Sentinels(root=tmp_path).stop()


def test_this_host_answers():
    sentinels = Sentinels()
    sentinels.start()
    begin = time.monotonic()
    time.sleep(0.12)
    middle = time.monotonic() - begin
    found = sentinels.stop()
    assert found["window"] >= middle
    assert found["suspended"] < 0.1
    assert found["steal_seconds"] >= 0
    assert "CPU time of the whole host" not in sentinels.unavailable()


def test_a_process_of_the_sample_counts_from_its_birth_over_all_its_threads(host):
    def live(pid, *, faults, switches):
        host.put(f"proc/{pid}/stat", f"{pid} (a (b) c) S 1 1 1 0 -1 0 5 0 {faults} 0 30 20 0 0\n")
        for thread, count in enumerate(switches):
            host.put(f"proc/{pid}/task/{thread}/status", f"Name:\tc\nnonvoluntary_ctxt_switches:\t{count}\n")

    sentinels = Sentinels(root=host.root)
    live(70, faults=2, switches=[10])
    sentinels.start([70])
    live(70, faults=5, switches=[100])
    live(71, faults=1000, switches=[2000, 3000])
    found = sentinels.stop([70, 71, 72])
    own = 500  # what this test itself may have met meanwhile
    assert 3 + 1000 <= found["major_faults"] < 3 + 1000 + own
    assert 90 + 5000 <= found["involuntary_switches"] < 90 + 5000 + own


def test_cpu_seconds_of_a_process_agree_with_the_clock():
    begin = time.process_time()
    while time.process_time() - begin < 0.05:
        pass
    mine = processes.of(os.getpid(), Path("/proc"))
    assert mine.cpu == pytest.approx(time.process_time(), abs=0.03)
    assert processes.own().cpu >= 0.05


def test_a_process_that_is_gone_has_no_usage():
    with subprocess.Popen(["true"]) as child:
        child.wait()
    assert processes.of(child.pid, Path("/proc")) is None


def test_a_kernel_with_psi_turned_off(tmp_path):
    assert pressure.stalls(tmp_path) == {}


def test_rules_are_written_down_with_their_thresholds():
    records = [rule.record() for rule in exclusion.rules()]
    assert len({record.code for record in records}) == len(records) == 5
    assert all(record.text for record in records)


@pytest.mark.parametrize("rule", exclusion.rules(), ids=lambda rule: rule.code)
def test_a_rule_is_met_above_its_threshold_only(rule):
    assert exclusion.reason({rule.key: rule.threshold}) is None
    assert exclusion.reason({rule.key: rule.threshold + 0.01}) == rule.code
