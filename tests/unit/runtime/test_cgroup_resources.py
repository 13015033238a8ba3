"""linux.resources as steps, against directories that pose as cgroup trees of both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.cgroups import oci, tree
from runtime.cgroups.mounts import Mounts
from runtime.cgroups.resources.blockio import v2_weight
from runtime.cgroups.resources.cpu import weight
from runtime.errors import RuntimeFault

V1 = (
    "cpu",
    "cpuacct",
    "cpuset",
    "memory",
    "devices",
    "freezer",
    "blkio",
    "pids",
    "hugetlb",
    "net_cls",
    "net_prio",
    "rdma",
)
V2 = ("cpu", "cpuset", "memory", "blkio", "pids", "hugetlb", "rdma", "freezer", "devices")


@pytest.fixture
def v1(tmp_path):
    return Mounts({name: (1, f"{tmp_path}/{name}") for name in V1}, None)


@pytest.fixture
def v2(tmp_path):
    return Mounts(dict.fromkeys(V2, (2, f"{tmp_path}/u")), f"{tmp_path}/u")


@pytest.fixture(params=["v1", "v2"])
def either(request):
    return request.getfixturevalue(request.param)


def writes(mounts, resources):
    """Return what would be written into the container's files for its limits, in order."""
    steps = oci.plan(mounts, "/a/x", "x", resources).steps()
    return [step for step in short(steps) if not step[0].startswith("devices.")]


def short(steps):
    """Steps about control files, the directory shortened away."""
    kinds = {"write", "try", "either", "confirm"}
    return [(s[1].rpartition("/")[2], s[2]) for s in steps if s[0] in kinds]


def group_with(mounts):
    """Return a group whose directories exist."""
    group = oci.plan(mounts, "/a/x", "x", {})
    for path in group.paths:
        Path(path).mkdir(parents=True, exist_ok=True)
    return group


def set_files(group, controller, **files):
    for name, text in files.items():
        (Path(group.path(controller)) / name.replace("__", ".")).write_text(text)


def refused(mounts, resources):
    with pytest.raises(RuntimeFault) as caught:
        oci.plan(mounts, "/a/x", "x", resources)
    return str(caught.value)


MEGA = 1 << 20


@pytest.mark.parametrize(
    ("resources", "on_v1", "on_v2"),
    [
        (
            {"memory": {"limit": 64 * MEGA}},
            [("memory.limit_in_bytes", "67108864")],
            [("memory.max", "67108864")],
        ),
        (
            {"memory": {"limit": 100, "swap": 150, "reservation": 50}},
            [
                ("memory.limit_in_bytes", "100"),
                ("memory.memsw.limit_in_bytes", "150"),
                ("memory.soft_limit_in_bytes", "50"),
            ],
            [("memory.swap.max", "50"), ("memory.max", "100"), ("memory.low", "50")],
        ),
        (
            {"memory": {"limit": -1}},
            [("memory.memsw.limit_in_bytes", "-1"), ("memory.limit_in_bytes", "-1")],
            [("memory.swap.max", "max"), ("memory.max", "max")],
        ),
        ({"memory": {"limit": 0, "disableOOMKiller": False}}, [], []),
        ({"cpu": {"shares": 1024}}, [("cpu.shares", "1024")], [("cpu.weight", "100")]),
        (
            {"cpu": {"quota": 5000, "period": 10000, "burst": 1000}},
            [("cpu.cfs_period_us", "10000"), ("cpu.cfs_quota_us", "5000"), ("cpu.cfs_burst_us", "1000")],
            [("cpu.max", "5000 10000"), ("cpu.max.burst", "1000")],
        ),
        ({"cpu": {"quota": -1}}, [("cpu.cfs_quota_us", "-1")], [("cpu.max", "max")]),
        ({"cpu": {"period": 5000}}, [("cpu.cfs_period_us", "5000")], [("cpu.max", "max 5000")]),
        ({"cpu": {"idle": 1}}, [("cpu.idle", "1")], [("cpu.idle", "1")]),
        (
            {"cpu": {"cpus": "0-1", "mems": "0"}},
            [("cpuset.cpus", "0-1"), ("cpuset.mems", "0")],
            [("cpuset.cpus", "0-1"), ("cpuset.mems", "0")],
        ),
        ({"pids": {"limit": 7}}, [("pids.max", "7")], [("pids.max", "7")]),
        ({"pids": {"limit": -1}}, [("pids.max", "max")], [("pids.max", "max")]),
        (
            {"blockIO": {"weight": 1000, "weightDevice": [{"major": 8, "minor": 0, "weight": 10}]}},
            [("blkio.bfq.weight", "1000"), ("blkio.bfq.weight_device", "8:0 10")],
            [("io.bfq.weight", "default 1000"), ("io.bfq.weight", "8:0 10")],
        ),
        (
            {
                "blockIO": {
                    "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}],
                    "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 0}],
                    "throttleReadIOPSDevice": [{"major": 8, "minor": 1, "rate": 3}],
                    "throttleWriteIOPSDevice": [{"major": 8, "minor": 2, "rate": 4}],
                }
            },
            [
                ("blkio.throttle.read_bps_device", "8:0 600"),
                ("blkio.throttle.write_bps_device", "8:0 0"),
                ("blkio.throttle.read_iops_device", "8:1 3"),
                ("blkio.throttle.write_iops_device", "8:2 4"),
            ],
            [
                ("io.max", "8:0 rbps=600"),
                ("io.max", "8:0 wbps=max"),
                ("io.max", "8:1 riops=3"),
                ("io.max", "8:2 wiops=4"),
            ],
        ),
        (
            {"hugepageLimits": [{"pageSize": "2MB", "limit": 209715200}]},
            [("hugetlb.2MB.limit_in_bytes", "209715200"), ("hugetlb.2MB.rsvd.limit_in_bytes", "209715200")],
            [("hugetlb.2MB.max", "209715200"), ("hugetlb.2MB.rsvd.max", "209715200")],
        ),
        (
            {"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}, "rxe3": {"hcaObjects": 0}}},
            [("rdma.max", "mlx5_1 hca_handle=3 hca_object=10000"), ("rdma.max", "rxe3 hca_object=0")],
            [("rdma.max", "mlx5_1 hca_handle=3 hca_object=10000"), ("rdma.max", "rxe3 hca_object=0")],
        ),
    ],
)
def test_each_field_on_both_versions(v1, v2, resources, on_v1, on_v2):
    assert writes(v1, resources) == on_v1
    assert writes(v2, resources) == on_v2


@pytest.mark.parametrize(
    ("resources", "on_v1"),
    [
        ({"memory": {"swappiness": 0}}, [("memory.swappiness", "0")]),
        ({"memory": {"disableOOMKiller": True}}, [("memory.oom_control", "1")]),
        ({"memory": {"kernel": 100}}, [("memory.kmem.limit_in_bytes", "100")]),
        ({"memory": {"kernelTCP": 100}}, [("memory.kmem.tcp.limit_in_bytes", "100")]),
        ({"memory": {"useHierarchy": False}}, [("memory.use_hierarchy", "0")]),
        (
            {"cpu": {"realtimeRuntime": 95, "realtimePeriod": 100}},
            [("cpu.rt_period_us", "100"), ("cpu.rt_runtime_us", "95")],
        ),
        ({"blockIO": {"leafWeight": 10}}, [("blkio.leaf_weight", "10")]),
        ({"network": {"classID": 1048577}}, [("net_cls.classid", "1048577")]),
        ({"network": {"priorities": [{"name": "eth0", "priority": 5}]}}, [("net_prio.ifpriomap", "eth0 5")]),
    ],
)
def test_what_v2_has_no_counterpart_of_is_refused_there_by_name(v1, v2, resources, on_v1):
    assert writes(v1, resources)[: len(on_v1)] == on_v1
    (name,) = resources
    (field,) = list(resources[name])[:1]
    assert f"linux.resources.{name}.{field}" in refused(v2, resources)


@pytest.mark.parametrize(
    ("resources", "path"),
    [
        ({"memory": {"limit": "64m"}}, "linux.resources.memory.limit"),
        ({"memory": {"limit": True}}, "linux.resources.memory.limit"),
        ({"memory": {"limit": 100, "swap": 50}}, "linux.resources.memory.swap"),
        ({"memory": {"swappiness": 101}}, "linux.resources.memory.swappiness"),
        ({"memory": []}, "linux.resources.memory"),
        ({"cpu": {"quota": 1000, "burst": 2000}}, "linux.resources.cpu.burst"),
        ({"cpu": {"idle": 2}}, "linux.resources.cpu.idle"),
        ({"cpu": {"cpus": "0;1"}}, "linux.resources.cpu.cpus"),
        ({"cpu": {"cpus": "0\n1"}}, "linux.resources.cpu.cpus"),
        ({"pids": {}}, "linux.resources.pids.limit"),
        ({"blockIO": {"weight": 5}}, "linux.resources.blockIO.weight"),
        (
            {"blockIO": {"weightDevice": [{"major": 8, "minor": 0}]}},
            "linux.resources.blockIO.weightDevice[0]",
        ),
        (
            {"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0}]}},
            "linux.resources.blockIO.throttleReadBpsDevice[0].rate",
        ),
        (
            {"hugepageLimits": [{"pageSize": "../2MB", "limit": 1}]},
            "linux.resources.hugepageLimits[0].pageSize",
        ),
        ({"hugepageLimits": [{"pageSize": "2MB"}]}, "linux.resources.hugepageLimits[0].limit"),
        ({"rdma": {"mlx5": {}}}, "linux.resources.rdma.mlx5"),
        ({"devices": [{"access": "rwm"}]}, "linux.resources.devices[0].allow"),
        ({"devices": [{"allow": True, "access": "x"}]}, "linux.resources.devices[0].access"),
        ({"devices": [{"allow": True, "type": "p"}]}, "linux.resources.devices[0].type"),
        ({"unified": {"memory.high/../x": "1"}}, "linux.resources.unified"),
        ({"unified": {"memory": "1"}}, "linux.resources.unified"),
        ({"unified": {"memory.high": 1}}, "linux.resources.unified"),
    ],
)
def test_wrong_values_are_refused_by_their_path(either, resources, path):
    assert refused(either, resources).startswith(path)


def test_unknown_properties_are_told_and_ignored(either):
    asked = {"colour": {}, "memory": {"limits": 1, "limit": 64 * MEGA}, "devices": [{"allow": True, "x": 1}]}
    group = oci.plan(either, "/a/x", "x", asked)
    assert sorted(group.warnings) == [
        f"linux.resources.{name} is unknown, and ignored"
        for name in ("colour", "devices[0].x", "memory.limits")
    ]
    assert str(64 * MEGA) in [text for _, text in short(group.steps())]


def test_unified_is_written_as_given_line_by_line(v2):
    unified = {"io.max": "8:0 rbps=1\n8:16 rbps=2", "memory.high": "7", "cgroup.max.depth": "3"}
    assert writes(v2, {"unified": unified}) == [
        ("io.max", "8:0 rbps=1"),
        ("io.max", "8:16 rbps=2"),
        ("memory.high", "7"),
        ("cgroup.max.depth", "3"),
    ]


def test_unified_is_an_error_on_v1_and_for_an_absent_controller(v1, v2):
    assert "cgroup v1" in refused(v1, {"unified": {"memory.high": "7"}})
    assert "misc" in refused(v2, {"unified": {"misc.max": "res 1"}})


def test_unified_enables_the_controller_it_needs(v2):
    steps = oci.plan(v2, "/a/x", "x", {"unified": {"hugetlb.2MB.max": "1"}}).steps()
    assert [s[2] for s in steps if s[0] in {"enable", "settle"}] == ["+hugetlb", "+hugetlb"]


def test_a_limit_without_its_controller_is_refused(tmp_path):
    mounts = Mounts({name: (1, f"{tmp_path}/{name}") for name in ("memory", "devices")}, None)
    assert (
        refused(mounts, {"pids": {"limit": 5}})
        == "linux.resources.pids.limit: this host has no pids cgroup controller"
    )
    assert writes(mounts, {"pids": {"limit": -1}}) == []


def test_shares_become_the_published_weights():
    assert [weight(n) for n in (2, 1024, 22000, 262144)] == [1, 100, 1204, 10000]
    assert sorted(map(weight, range(2, 5000))) == [weight(n) for n in range(2, 5000)]


def test_block_weights_are_converted_linearly():
    assert [v2_weight(n) for n in (10, 500, 1000)] == [1, 4950, 10000]


def update(group, **resources):
    return short(oci.update(group, resources))


@pytest.fixture
def v1_group(v1):
    group = group_with(v1)
    set_files(group, "memory", memory__limit_in_bytes="100", memory__memsw__limit_in_bytes="200")
    set_files(group, "cpu", cpu__cfs_period_us="10000", cpu__cfs_quota_us="5000", cpu__cfs_burst_us="1000")
    return group


@pytest.fixture
def v2_group(v2):
    group = group_with(v2)
    set_files(
        group,
        "memory",
        memory__max="100",
        memory__current="90",
        cpu__max="5000 10000",
        cpu__max__burst="1000",
    )
    return group


def test_memory_rises_from_the_sum_and_falls_from_the_limit(v1_group):
    limit, both = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"
    assert update(v1_group, memory={"limit": 300, "swap": 400}) == [(both, "400"), (limit, "300")]
    assert update(v1_group, memory={"limit": 50, "swap": 60}) == [(limit, "50"), (both, "60")]
    assert update(v1_group, memory={"limit": 150, "swap": 400}) == [(limit, "150"), (both, "400")]
    assert update(v1_group, memory={"limit": -1}) == [(both, "-1"), (limit, "-1")]


def test_the_longer_period_is_in_force_while_the_quota_changes(v1_group):
    quota, period, burst = "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.cfs_burst_us"
    assert update(v1_group, cpu={"quota": 9000, "period": 20000}) == [(period, "20000"), (quota, "9000")]
    assert update(v1_group, cpu={"quota": 900, "period": 2000}) == [(quota, "900"), (period, "2000")]
    assert update(v1_group, cpu={"quota": 900, "burst": 500}) == [(burst, "500"), (quota, "900")]
    assert update(v1_group, cpu={"quota": 9000, "burst": 5000}) == [(quota, "9000"), (burst, "5000")]


def test_v2_update_keeps_what_is_not_named(v2_group):
    assert update(v2_group, cpu={"period": 20000}) == [("cpu.max", "5000 20000")]
    assert update(v2_group, cpu={"quota": 700}) == [("cpu.max", "700")]
    assert update(v2_group, memory={"swap": 150}) == [("memory.swap.max", "50")]
    assert update(v2_group, cpu={"quota": 700, "burst": 500}) == [
        ("cpu.max.burst", "500"),
        ("cpu.max", "700"),
    ]


def test_a_check_before_the_update_stands_in_for_v1s_refusal(v2_group):
    assert update(v2_group, memory={"limit": 80}) == [("memory.max", "80")]
    with pytest.raises(RuntimeFault, match="90 in use"):
        oci.update(v2_group, {"memory": {"limit": 80, "checkBeforeUpdate": True}})


def test_swap_needs_a_limit_on_memory(v2):
    assert "linux.resources.memory.swap" in refused(v2, {"memory": {"swap": 100}})


def test_swap_that_can_not_be_accounted_for_is_refused_and_unlimited_is_not(v1):
    group = group_with(v1)
    set_files(group, "memory", memory__limit_in_bytes="")
    oci.make([s for s in oci.update(group, {"memory": {"limit": -1}}) if "memory" in s[1]])
    with pytest.raises(RuntimeFault, match="memsw"):
        oci.make(oci.update(group, {"memory": {"limit": 5, "swap": 6}}))


def test_a_value_that_the_kernel_drops_is_reported(v1_group, monkeypatch):
    set_files(v1_group, "memory", memory__kmem__limit_in_bytes="")
    steps = oci.update(v1_group, {"memory": {"kernel": 100}})
    oci.make(steps)
    monkeypatch.setattr(tree, "_read", lambda _path: "9223372036854771712")
    with pytest.raises(RuntimeFault, match="does not take '100'"):
        oci.make(steps)


def test_the_first_weight_file_that_exists_is_written(v2_group):
    steps = oci.update(v2_group, {"blockIO": {"weight": 1000}})
    with pytest.raises(RuntimeFault, match=r"io\.weight"):
        oci.make([s for s in steps if s[0] == "either"])
    set_files(v2_group, "blkio", io__weight="")
    oci.make([s for s in steps if s[0] == "either"])
    assert (Path(v2_group.path("blkio")) / "io.weight").read_text() == "default 10000"
