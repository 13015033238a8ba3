"""linux.cgroupsPath and linux.resources, as the host's cgroups show them (config-linux.md)."""

from pathlib import Path

import pytest

from tests.conformance import groups
from tests.conformance.must import must
from tests.conformance.test_config import drop, put

HELD = "echo ready; exec sleep 60"


def limited(oci, **resources):
    """A container that runs with these resources."""
    box = oci.box(HELD)
    box.linux["resources"] = resources
    box.launch()
    return box


def needs(controller):
    if not groups.has(controller):
        pytest.skip(f"the host has no {controller} controller")


v1, v2 = pytest.mark.cgroup_version(1), pytest.mark.cgroup_version(2)


@must("config-linux.md#cgroups-path", "an absolute path MUST be taken as relative to the cgroups mount point")
def test_an_absolute_path(oci):
    box = limited(oci)
    pid = box.state()["pid"]
    wanted = ["cgroup"] if groups.is_v2() else [name for name in groups.CONTROLLERS if groups.has(name)]
    found = {}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        found.update(dict.fromkeys(names.split(",") if names else ["cgroup"], path))
    assert {found[name] for name in wanted} == {box.cgroups_path}


@must("config-linux.md#cgroups-path", "MUST consistently attach to the same place given the same value")
def test_the_same_place(oci):
    box = oci.box(HELD)
    places = []
    for _ in range(2):
        box.launch()
        places.append(Path(f"/proc/{box.state()['pid']}/cgroup").read_text())
        box.kill("KILL").must_work()
        box.wait()
        box.delete().must_work()
    assert places[0] == places[1]
    assert box.cgroups_path in places[0]


@must("config-linux.md#cgroups-path", "if not specified, the runtime MAY define the default path: it works")
def test_no_path(oci):
    assert oci.output("echo fine", drop("linux", "cgroupsPath")) == "fine\n"


@must(
    "config-linux.md#cgroups-path",
    "a container is not to leave the cgroups' mount point: .. is invalid or harmless",
)
def test_a_path_that_leaves(oci):
    box = oci.box("grep -c -F '/../' /proc/self/cgroup; echo end")
    box.linux["cgroupsPath"] = f"{box.cgroups_path}/../../../../{box.cgroups_path}"
    result = box.run()
    assert result.code != 0 or result.out == "0\nend\n"
    assert result.code == 0 or result.err.strip()


MEMORY = 64 << 20


@must("config-linux.md#memory", "limit, reservation: limit and soft limit of memory usage, in bytes")
def test_memory(oci):
    needs("memory")
    box = limited(oci, memory={"limit": MEMORY, "reservation": MEMORY // 2})
    assert box.groups.read("memory/memory.limit_in_bytes", "memory.max") == str(MEMORY)
    assert box.groups.read("memory/memory.soft_limit_in_bytes", "memory.low") == str(MEMORY // 2)


@must("config-linux.md#memory", "swap: limit of memory+Swap usage")
def test_swap(oci):
    needs("memory")
    box = limited(oci, memory={"limit": MEMORY, "swap": MEMORY * 2})
    expected = MEMORY if groups.is_v2() else MEMORY * 2
    assert box.groups.read("memory/memory.memsw.limit_in_bytes", "memory.swap.max") == str(expected)


@must("config-linux.md#memory", "values specify the limit in bytes, or -1 for unlimited memory")
def test_unlimited_memory(oci):
    needs("memory")
    box = limited(oci, memory={"limit": -1})
    value = box.groups.read("memory/memory.limit_in_bytes", "memory.max")
    assert value == "max" or int(value) > 1 << 60


@v1
@must("config-linux.md#memory", "swappiness, disableOOMKiller: covered by the memory controller")
def test_other_memory_values(oci):
    box = limited(oci, memory={"limit": MEMORY, "swappiness": 33, "disableOOMKiller": True})
    assert box.groups.read("memory/memory.swappiness") == "33"
    assert "oom_kill_disable 1" in box.groups.read("memory/memory.oom_control")


@v1
@must("config-linux.md#memory", "kernelTCP: hard limit of the kernel's memory for TCP buffers")
def test_kernel_tcp(oci):
    box = limited(oci, memory={"limit": MEMORY, "kernelTCP": 8 << 20})
    assert box.groups.read("memory/memory.kmem.tcp.limit_in_bytes") == str(8 << 20)


@must("config-linux.md#memory", "tasks that attempt to consume more are killed by the OOM killer")
def test_the_oom_killer(oci):
    needs("memory")
    box = oci.box("head -c 100000000 /dev/zero | tail | wc -c")
    box.linux["resources"] = {"memory": {"limit": 16 << 20, "swap": 16 << 20}}
    assert box.run().out.strip() != "100000000"
    assert oci.output("head -c 1000000 /dev/zero | tail | wc -c").strip() == "1000000"


@must("config-linux.md#cpu", "shares, quota, period")
def test_cpu(oci):
    needs("cpu")
    box = limited(oci, cpu={"shares": 512, "quota": 30000, "period": 60000})
    if groups.is_v2():
        assert box.groups.read("", "cpu.max") == "30000 60000"
        assert 1 < int(box.groups.read("", "cpu.weight")) < 100
    else:
        names = ("cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us")
        assert [box.groups.read(f"cpu/{name}") for name in names] == ["512", "30000", "60000"]


@must("config-linux.md#cpu", "burst: the time that may be accumulated (1.2)")
def test_cpu_burst(oci):
    needs("cpu")
    box = limited(oci, cpu={"quota": 30000, "period": 60000, "burst": 10000})
    assert box.groups.read("cpu/cpu.cfs_burst_us", "cpu.max.burst") == "10000"


@must("config-linux.md#cpu", "idle: 1 is SCHED_IDLE (1.1)")
def test_cpu_idle(oci):
    needs("cpu")
    assert limited(oci, cpu={"idle": 1}).groups.read("cpu/cpu.idle", "cpu.idle") == "1"


@must("config-linux.md#cpu", "cpus, mems: list of CPUs and memory nodes the container will run in")
def test_cpuset(oci):
    needs("cpuset")
    box = limited(oci, cpu={"cpus": "0", "mems": "0"})
    assert box.groups.read("cpuset/cpuset.cpus", "cpuset.cpus") == "0"
    assert box.groups.read("cpuset/cpuset.mems", "cpuset.mems") == "0"


@must("config-linux.md#cpu", "a value that the kernel refuses is an error")
@pytest.mark.parametrize(
    "cpu", [{"cpus": "9999"}, {"cpus": "no"}, {"mems": "63"}, {"quota": 5, "period": 10}]
)
def test_an_invalid_cpu_value(oci, cpu):
    oci.refused(put("linux", "resources", value={"cpu": cpu}))


@must("config-linux.md#pids", "limit: the maximum number of tasks in the cgroup")
@pytest.mark.parametrize(("limit", "shown"), [(17, "17"), (-1, "max")])
def test_pids(oci, limit, shown):
    needs("pids")
    assert limited(oci, pids={"limit": limit}).groups.read("pids/pids.max", "pids.max") == shown


@must("config-linux.md#pids", "the limit holds for the program")
def test_the_limit_of_pids(oci):
    needs("pids")
    box = oci.box("for n in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 3 & done; echo forked")
    box.linux["resources"] = {"pids": {"limit": 10}}
    result = box.run()
    assert "forked" not in result.out
    assert "fork" in result.err


@must("config-linux.md#block-io", "throttleReadBpsDevice and the other three: rate limits by device")
def test_block_io(oci):
    needs("io" if groups.is_v2() else "blkio")
    device = {"major": 7, "minor": 0}
    limits = {
        "throttleReadBpsDevice": [{**device, "rate": 1048576}],
        "throttleWriteBpsDevice": [{**device, "rate": 2097152}],
        "throttleReadIOPSDevice": [{**device, "rate": 200}],
        "throttleWriteIOPSDevice": [{**device, "rate": 300}],
    }
    box = limited(oci, blockIO=limits)
    if groups.is_v2():
        assert "rbps=1048576 wbps=2097152 riops=200 wiops=300" in box.groups.read("", "io.max")
    else:
        assert box.groups.read("blkio/blkio.throttle.read_bps_device") == "7:0 1048576"
        assert box.groups.read("blkio/blkio.throttle.write_bps_device") == "7:0 2097152"
        assert box.groups.read("blkio/blkio.throttle.read_iops_device") == "7:0 200"
        assert box.groups.read("blkio/blkio.throttle.write_iops_device") == "7:0 300"


@must("config-linux.md#huge-page-limits", "pageSize must match a size of the host: another is an error")
def test_an_unknown_page_size(oci):
    limit = {"pageSize": "3MB", "limit": 3 << 20}
    oci.refused(put("linux", "resources", value={"hugepageLimits": [limit]}))


@must(
    "config-linux.md#network", "classID of a controller that the host lacks is an unsupported value: an error"
)
def test_a_network_class(oci):
    if groups.has("net_cls"):
        pytest.skip("the host has net_cls")
    oci.refused(put("linux", "resources", value={"network": {"classID": 1048577}}))


@must("config-linux.md#rdma", "rdma of a controller that the host lacks is an unsupported value: an error")
def test_rdma(oci):
    if groups.has("rdma"):
        pytest.skip("the host has rdma")
    oci.refused(put("linux", "resources", value={"rdma": {"mlx5_1": {"hcaHandles": 3}}}))


@must(
    "config-linux.md#unified",
    "MUST generate an error for a controller that is not present or can't be enabled",
)
def test_an_unknown_controller(oci):
    oci.refused(put("linux", "resources", value={"unified": {"nosuch.max": "1"}}))


@v2
@must(
    "config-linux.md#unified",
    "MUST ensure that the controllers are enabled; unknown configuration MUST be written",
)
def test_unified(oci):
    box = limited(oci, unified={"memory.high": str(MEMORY), "pids.max": "55"})
    assert box.groups.read("", "memory.high") == str(MEMORY)
    assert box.groups.read("", "pids.max") == "55"


@must("config-linux.md#unified", "version 2 parameters without its hierarchy can't be set: an error")
@v1
def test_unified_without_version_2(oci):
    oci.refused(put("linux", "resources", value={"unified": {"memory.high": str(MEMORY)}}))


@must("config-linux.md#intelrdt", "if no mounted resctrl is available, the runtime MUST generate an error")
def test_intel_rdt(oci):
    if "resctrl" in Path("/proc/self/mountinfo").read_text():
        pytest.skip("the host has resctrl")
    oci.refused(put("linux", "intelRdt", value={"closID": "some", "l3CacheSchema": "L3:0=f"}))


@must("config-linux.md#namespaces", "cgroup: the container has an isolated view of the cgroup hierarchy")
def test_the_cgroup_namespace(oci):
    def change(config):
        config["linux"]["namespaces"].append({"type": "cgroup"})

    paths = [line.split(":", 2)[2] for line in oci.output("cat /proc/self/cgroup", change).splitlines()]
    assert "/" in paths
    assert not any("conformance" in path and ".." not in path for path in paths)


@must(
    "config.md#mounts", "type cgroup at /sys/fs/cgroup: the container's own cgroups, read-only if it says so"
)
def test_the_cgroup_mount(oci):
    find = "place=/sys/fs/cgroup/pids"
    if groups.is_v2():  # without a namespace for it, the one tree is the host's
        find = "place=/sys/fs/cgroup$(sed s/^0::// /proc/self/cgroup)"
    box = oci.box(f"{find}; cat $place/cgroup.procs; mkdir $place/new 2>&1; echo end")
    entry = {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}
    box.config["mounts"].append({**entry, "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]})
    text = box.run().must_work().out
    assert "1" in text.splitlines()
    assert "Read-only file system" in text
    assert text.endswith("end\n")
