"""tare-oci where cgroup v2 is alone and systemd delegates: run by name inside the guest, on no other host."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from runtime.cgroups import bpf
from tests.conformance.groups import is_v2
from tests.conformance.oci import Runtime

pytestmark = pytest.mark.privileged
PROGRAM, MOUNT = "/usr/bin/tare-oci", Path("/sys/fs/cgroup")
HELD = "echo ready; exec sleep 60"
MEGA = 1 << 20
SCOPE = ["systemd-run", "--quiet", "--scope", "-p", "Delegate=yes"]
USER = ["systemd-run", "--quiet", "--pipe", "--wait", "-p", "Delegate=yes", "-p", "User=nobody"]
ROOTLESS = """set -e; cd {bundle}; {program} --root {bundle}/state run --detach box >/dev/null
{program} --root {bundle}/state update --pids-limit 7 box
cat /sys/fs/cgroup$(sed s/^0::// /proc/self/cgroup)/../tare-box/{{memory,pids}}.max
{program} --root {bundle}/state delete --force box; echo gone
ls /sys/fs/cgroup$(sed s/^0::// /proc/self/cgroup)/../tare-box 2>/dev/null || echo empty
"""


@pytest.fixture(scope="module")
def runtime():
    assert is_v2(), "this host is not the guest"
    scratch = Path(tempfile.mkdtemp(prefix="pure-v2-"))
    scratch.chmod(0o755)
    yield Runtime(PROGRAM, scratch)
    shutil.rmtree(scratch)


@pytest.fixture
def oci(runtime):
    yield runtime
    runtime.discard()


def running(oci, script=HELD, **resources):
    """A container that runs, and its cgroup."""
    box = oci.box(script)
    box.linux["resources"] = resources
    box.launch()
    return box, MOUNT / box.cgroups_path.lstrip("/")


def update(oci, box, resources):
    file = oci.scratch / "resources.json"
    file.write_text(json.dumps(resources))
    oci("update", "--resources", str(file), box.id).must_work()


def own():
    """The cgroup of this process."""
    return MOUNT / Path("/proc/self/cgroup").read_text().strip().removeprefix("0::/")


def figures(oci, box):
    return json.loads(oci("events", "--stats", box.id).must_work().out)["data"]


def test_the_first_process_is_born_in_its_cgroup(oci):
    box = oci.box("cat /proc/self/cgroup")
    box.bundle.write()
    trace = oci.scratch / "trace"
    tracer = ["strace", "-f", "-e", "trace=clone3,openat", "-o", str(trace)]
    run = [PROGRAM, "--root", str(oci.root), "run", "--bundle", str(box.bundle.path), box.id]
    assert oci.shell([*tracer, *run], timeout=60).must_work().out == f"0::{box.cgroups_path}\n"
    calls = trace.read_text().splitlines()
    assert [call for call in calls if "clone3(" in call and "CLONE_INTO_CGROUP" in call]
    assert not [call for call in calls if f"{box.cgroups_path}/cgroup.procs" in call and "O_WRONLY" in call]


def test_limits_are_set_and_change(oci):
    limits = {"limit": 64 * MEGA, "swap": 96 * MEGA, "reservation": 32 * MEGA}
    box, group = running(
        oci, memory=limits, pids={"limit": 20}, cpu={"shares": 2048, "quota": 20000, "period": 50000},
        unified={"memory.high": str(48 * MEGA)},
    )  # fmt: skip

    def values(*names):
        return [(group / name).read_text().strip() for name in names]

    assert values("memory.max", "memory.swap.max", "memory.low", "memory.high") == [
        str(mega * MEGA) for mega in (64, 32, 32, 48)
    ]
    assert values("pids.max", "cpu.max") == ["20", "20000 50000"]
    changed = {"memory": {"limit": 128 * MEGA, "swap": -1}, "pids": {"limit": -1}, "cpu": {"quota": -1}}
    update(oci, box, changed)
    assert values("memory.max", "memory.swap.max", "pids.max") == [str(128 * MEGA), "max", "max"]
    assert values("cpu.max")[0].startswith("max ")


def test_memory_high_throttles_before_memory_max_kills(oci):
    script = "head -c 40000000 /dev/zero >/dev/shm/x; echo ready; exec sleep 60"
    box, group = running(oci, script, memory={"limit": 128 * MEGA}, unified={"memory.high": str(24 * MEGA)})
    events = group / "memory.events"
    end = time.monotonic() + 20
    while "\nhigh 0\n" in (text := f"\n{events.read_text()}") and time.monotonic() < end:
        time.sleep(0.05)
    assert "\nhigh 0\n" not in text
    assert "\noom_kill 0\n" in text
    update(oci, box, {"unified": {"memory.high": "max"}})
    box.wait_for("ready", 20)


def test_the_rate_of_a_disk_is_limited(oci):
    number = Path("/dev/vda").stat().st_rdev
    major, minor = os.major(number), os.minor(number)
    device = {"major": major, "minor": minor, "rate": MEGA}
    reading = (
        "dd if=/dev/disk of=/dev/null bs=256k count=12 iflag=direct 2>/dev/null; echo ready; exec sleep 60"
    )
    box = oci.box(reading)
    box.linux["devices"] = [{"path": "/dev/disk", "type": "b", "major": major, "minor": minor}]
    allow = [{"allow": True, "type": "b", "major": major, "minor": minor, "access": "r"}]
    box.linux["resources"] = {"blockIO": {"throttleReadBpsDevice": [device]}, "devices": allow}
    began = time.monotonic()
    box.launch()
    assert f"{major}:{minor} rbps={MEGA}" in box.groups.read("", "io.max")
    box.wait_for("ready", 20)
    assert time.monotonic() - began > 1.5  # 3 MiB at 1 MiB a second, after a first slice
    read = [row for row in figures(oci, box)["blkio"]["ioServiceBytesRecursive"] if row["op"] == "Read"]
    assert sum(row["value"] for row in read if row["major"] == major) >= 3 * MEGA


def test_device_rules_are_one_program_that_an_update_replaces(oci):
    probe = "mknod /zero c 1 5 && head -c 1 /zero | wc -c; mknod /mem c 1 1; head -c 1 /mem | wc -c"
    allow = {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "rwm"}
    box, group = running(
        oci, f"{probe}; {HELD}", devices=[{"allow": False, "access": "rwm"}, {**allow, "access": "rm"}]
    )
    assert box.wait_for("ready").split()[:2] == ["1", "0"]
    assert bpf.count(str(group)) == 1
    update(oci, box, {"devices": [{"allow": False, "access": "rwm"}]})
    assert bpf.count(str(group)) == 1


def test_a_pause_freezes_and_is_seen(oci):
    box, group = running(oci)
    oci("pause", box.id).must_work()
    assert "frozen 1" in (group / "cgroup.events").read_text()
    assert box.status() == "paused"
    oci("resume", box.id).must_work()
    assert "frozen 0" in (group / "cgroup.events").read_text()
    assert box.status() == "running"


def test_a_fork_bomb_meets_its_limit_and_dies_at_once(oci):
    box, group = running(oci, "b() { b | b & }; b; sleep 60", pids={"limit": 40})
    end = time.monotonic() + 20
    while "max 0" in (group / "pids.events").read_text() and time.monotonic() < end:
        time.sleep(0.05)
    assert "max 0" not in (group / "pids.events").read_text()
    if (group / "pids.peak").exists():  # Linux 6.1
        assert (group / "pids.peak").read_text() == "40\n"
    began = time.monotonic()
    box.delete("--force").must_work()
    assert time.monotonic() - began < 8
    assert not group.exists()


def test_figures_in_runcs_form(oci):
    script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; head -c 8000000 /dev/zero >/dev/shm/x; "
    box, _ = running(oci, script + HELD, memory={"limit": 64 * MEGA}, pids={"limit": 9})
    box.wait_for("ready", 20)
    found = figures(oci, box)
    assert found["memory"]["usage"]["limit"] == 64 * MEGA
    assert 8_000_000 <= found["memory"]["usage"]["usage"] < 64 * MEGA
    assert found["memory"]["raw"]["shmem"] >= 8_000_000 - 4096
    assert found["pids"] == {"current": 1, "limit": 9}
    assert found["cpu"]["usage"]["total"] > 1_000_000


def test_no_threaded_domain_is_made_of_a_cgroup_with_processes(oci):
    """The kernel would take "+pids" there, and nothing could be born below (cgroup-v2.rst, "Threads")."""
    script = f"{PROGRAM} --root {oci.root} run --bundle {{bundle}} {{id}}"
    for resources in ({}, {"pids": {"limit": 9}}):
        box = oci.box("echo fine")
        del box.linux["cgroupsPath"]
        box.linux["resources"] = resources
        box.bundle.write()
        line = script.format(bundle=box.bundle.path, id=box.id)
        kind = "cat /sys/fs/cgroup$(sed s/^0::// /proc/self/cgroup)/cgroup.type"
        done = oci.shell([*SCOPE, "sh", "-c", f"{line}; {kind}"]).must_work()
        assert done.out.splitlines() == ["fine", "domain"]


def test_a_container_without_a_path_stays_in_what_was_delegated(oci):
    """Where processes are, no controller is handed down (cgroup-v2.rst, "No Internal Process Constraint")."""
    box = oci.box(HELD)
    del box.linux["cgroupsPath"]
    box.linux["resources"] = {"memory": {"limit": 64 * MEGA}}
    box.launch()
    scope = next(path for path in (own(), *own().parents) if path.name.endswith(".scope"))
    group = scope / f"tare-{box.id}"
    assert (group / "cgroup.procs").read_text().split() == [str(box.state()["pid"])]
    assert (group / "memory.max").read_text() == f"{64 * MEGA}\n"
    assert (scope / "cgroup.procs").read_text() == ""
    assert own() == scope / "tare.aside"
    assert "memory" in (scope / "cgroup.subtree_control").read_text().split()
    active = subprocess.check_output(["systemctl", "is-active", scope.name], text=True)
    assert active == "active\n"
    box.delete("--force").must_work()
    assert not group.exists()


def test_an_ordinary_user_gets_limits_in_a_service_delegated_to_him(oci):
    box = oci.box()
    place = box.bundle.path
    oci.shell([PROGRAM, "spec", "--rootless", "--bundle", str(place)]).must_work()
    config = json.loads((place / "config.json").read_text())
    config["process"].update(terminal=False, args=["/bin/sleep", "60"])
    config["linux"]["resources"] = {"memory": {"limit": 32 * MEGA}, "pids": {"limit": 9}}
    config["linux"]["uidMappings"][0]["hostID"] = config["linux"]["gidMappings"][0]["hostID"] = 65534
    (place / "config.json").write_text(json.dumps(config))
    for path in (place, *place.rglob("*")):
        os.lchown(path, 65534, 65534)
    script = ROOTLESS.format(bundle=place, program=PROGRAM)
    done = oci.shell([*USER, "bash", "-c", script], timeout=60)
    assert done.code == 0, done
    assert done.out.split() == [str(32 * MEGA), "7", "gone", "empty"]
