"""Figures in the shape of runc's events, of directories that pose as cgroups of both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.cgroups import events, members, oci
from runtime.cgroups.mounts import Mounts

MOST = (1 << 64) - 1


def put(group, controller, text):
    """Write "name: content" blocks into the controller's directory; `;` separates lines."""
    directory = Path(group.path(controller))
    directory.mkdir(parents=True, exist_ok=True)
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, content = line.partition(": ")
        (directory / name).write_text(content.replace(";", "\n") + "\n")


@pytest.fixture
def v1(tmp_path):
    names = ("cpu", "cpuacct", "cpuset", "memory", "blkio", "pids", "hugetlb", "freezer", "devices")
    limits = {"hugepageLimits": [{"pageSize": "2MB", "limit": 1}]}
    group = oci.plan(Mounts({name: (1, f"{tmp_path}/{name}") for name in names}, None), "/x", "x", limits)
    put(group, "cpu", "cpu.stat: nr_periods 10;nr_throttled 4;throttled_time 500")
    put(
        group,
        "cpuacct",
        """cpuacct.usage: 1500
        cpuacct.stat: user 3;system 2
        cpuacct.usage_percpu: 1000 500
        cpuacct.usage_all: cpu user system;0 900 100;1 400 100""",
    )
    put(
        group,
        "cpuset",
        "cpuset.cpus: 0-1,3\ncpuset.mems: 0\ncpuset.sched_relax_domain_level: -1",
    )
    put(
        group,
        "memory",
        """memory.usage_in_bytes: 1000
        memory.max_usage_in_bytes: 1200
        memory.limit_in_bytes: 9223372036854771712
        memory.failcnt: 3
        memory.stat: cache 300;total_rss 500
        memory.oom_control: oom_kill_disable 0;under_oom 0;oom_kill 2""",
    )
    put(
        group,
        "blkio",
        """blkio.bfq.io_service_bytes_recursive: Total 0
        blkio.throttle.io_service_bytes_recursive: 8:0 Read 4096;8:0 Total 4096;Total 4096
        blkio.throttle.io_serviced_recursive: 8:0 Write 2""",
    )
    put(group, "pids", "pids.current: 5\npids.max: max")
    put(
        group,
        "hugetlb",
        "hugetlb.2MB.usage_in_bytes: 7\nhugetlb.2MB.rsvd.usage_in_bytes: 8\nhugetlb.2MB.failcnt: 1",
    )
    return group


@pytest.fixture
def v2(tmp_path):
    names = ("cpu", "cpuset", "memory", "blkio", "pids", "hugetlb", "freezer", "devices")
    mounts = Mounts(dict.fromkeys(names, (2, f"{tmp_path}/u")), f"{tmp_path}/u")
    group = oci.plan(mounts, "/x", "x", {})
    put(
        group,
        "memory",
        """cpu.stat: usage_usec 1500;user_usec 1000;system_usec 500;nr_throttled 4;throttled_usec 500
        cpu.pressure: some avg10=1.50 avg60=0.00 avg300=0.25 total=1234
        cpuset.cpus.effective: 0-1
        memory.current: 1000
        memory.max: 2000
        memory.peak: 1200
        memory.swap.current: 10
        memory.swap.max: max
        memory.stat: anon 500;file 300
        memory.events: low 0;max 7;oom 2;oom_kill 1
        io.stat: 8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=9 dios=9
        pids.current: 5
        pids.max: 7
        hugetlb.2MB.current: 7
        hugetlb.2MB.events: max 1""",
    )
    return group


def test_v1_figures(v1):
    found = events.stats(v1)
    assert found["cpu"]["throttling"] == {"periods": 10, "throttledPeriods": 4, "throttledTime": 500}
    usage = found["cpu"]["usage"]
    assert (usage["total"], usage["percpu"]) == (1500, [1000, 500])
    assert (usage["percpu_user"], usage["percpu_kernel"]) == ([900, 400], [100, 100])
    assert (usage["user"], usage["kernel"]) == (3 * events._TICK, 2 * events._TICK)
    assert found["memory"]["usage"] == {
        "limit": 9223372036854771712,
        "usage": 1000,
        "max": 1200,
        "failcnt": 3,
    }
    assert found["memory"]["cache"] == 300
    assert found["memory"]["raw"]["total_rss"] == 500
    assert found["pids"] == {"current": 5, "limit": 0}
    assert (found["cpuset"]["cpus"], found["cpuset"]["sched_relax_domain_level"]) == ([0, 1, 3], -1)
    read = {"major": 8, "minor": 0, "op": "Read", "value": 4096}
    assert found["blkio"]["ioServiceBytesRecursive"][0] == read
    assert found["hugetlb"] == {"2MB": {"usage": 7, "max": 0, "failcnt": 1}}
    assert events.oom_kills(v1) == 2


def test_v2_figures(v2):
    found = events.stats(v2)
    assert found["cpu"]["usage"] == {"total": 1_500_000, "user": 1_000_000, "kernel": 500_000}
    assert found["cpu"]["throttling"]["throttledTime"] == 500_000
    assert found["cpu"]["psi"] == {"some": {"avg10": 1.5, "avg60": 0.0, "avg300": 0.25, "total": 1234}}
    assert found["memory"]["usage"] == {"limit": 2000, "usage": 1000, "max": 1200, "failcnt": 7}
    assert found["memory"]["swap"]["usage"] == 1010
    assert found["memory"]["swap"]["limit"] == MOST
    assert "psi" not in found["memory"]
    assert found["pids"] == {"current": 5, "limit": 7}
    assert [row["value"] for row in found["blkio"]["ioServiceBytesRecursive"]] == [4096, 0]
    assert [row["op"] for row in found["blkio"]["ioServicedRecursive"]] == ["Read", "Write"]
    assert found["hugetlb"]["2MB"] == {"usage": 7, "max": 0, "failcnt": 1}
    assert events.oom_kills(v2) == 1


def test_a_container_without_cgroups_has_figures_of_zero():
    group = oci.Group({}, [], [], [])
    found = events.stats(group)
    assert set(found) == {
        "cpu",
        "cpuset",
        "memory",
        "pids",
        "blkio",
        "hugetlb",
        "intel_rdt",
        "network_interfaces",
    }
    assert (found["cpu"]["usage"]["total"], found["memory"]["usage"]["usage"], events.oom_kills(group)) == (
        0,
        0,
        0,
    )


def test_one_more_process_goes_beside_the_first_in_a_divided_cgroup(v1, v2, tmp_path, monkeypatch):
    assert members.entrances(v1, 1) == (None, v1.joined)
    leaf = Path(v2.born_in)
    (leaf / "cgroup.subtree_control").write_text("\n")
    assert members.entrances(v2, 1) == (str(leaf), [])
    (leaf / "cgroup.subtree_control").write_text("memory\n")
    monkeypatch.setattr(members, "find", lambda: Mounts({}, str(tmp_path / "u")))
    monkeypatch.setattr(members, "_v2_path", lambda _pid: "/x/init.scope")
    assert members.entrances(v2, 1) == (str(leaf / "init.scope"), [])
