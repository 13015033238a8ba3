"""The cgroups of OCI containers on this host's own trees, whichever version they have."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from runtime.cgroups import bpf, devices, events, freezer, location, members, mounts, oci, tree
from runtime.cgroups.mounts import Mounts
from runtime.cgroups.oom import Watch
from runtime.errors import RuntimeFault
from runtime.linux.processes import start_time
from runtime.process import reclaim

pytestmark = pytest.mark.privileged

PARENT = f"tare-test-cgroup-{os.getpid()}"
MEGA = 1 << 20
DENY = {"allow": False, "access": "rwm"}
NOBODY = 65534


class Place:
    """Groups below a parent of our own, and processes in them; all gone at the end."""

    def __init__(self):
        self.mounts, self.groups, self.running = mounts.find(), [], []

    def group(self, name="box", where=None, **resources):
        group = oci.plan(where or self.mounts, f"/{PARENT}/{name}", name, resources)
        self.groups.append(group)
        oci.make(group.steps())
        return group

    def run(self, group, *args, **kwargs):
        def enter():
            tree.enter(group.paths, os.getpid())

        process = subprocess.Popen(args, preexec_fn=enter, **kwargs)  # noqa: PLW1509 - no threads here
        self.running.append(process)
        return process

    def close(self):
        for group in self.groups:
            tree.remove(group.paths)
        for group in reversed(self.groups):
            tree.remove_empty(reversed(group.parents))
        for process in self.running:
            process.kill()
            process.communicate()


@pytest.fixture
def place():
    made = Place()
    try:
        yield made
    finally:
        made.close()
    trees = {mount for _, mount in made.mounts.trees.values()} | {made.mounts.unified or "/nonexistent"}
    assert [mount for mount in trees if Path(mount, PARENT).exists()] == []


def v2_only(place):
    if place.mounts.unified is None:
        pytest.skip("no v2 tree is mounted here")
    names = ("freezer", "devices")
    return Mounts(dict.fromkeys(names, (2, place.mounts.unified)), place.mounts.unified)


def value(group, controller, v1, v2):
    spot = group.spots[controller]
    return spot.read(v1 if spot.version == 1 else v2)


def test_limits_are_in_force_and_change_up_and_down(place):
    sizes = {"limit": 64 * MEGA, "swap": 96 * MEGA, "reservation": 32 * MEGA}
    group = place.group(
        memory=sizes, cpu={"quota": 5000, "period": 10000, "burst": 1000, "shares": 1024}, pids={"limit": 9}
    )
    memory = ("memory", "memory.limit_in_bytes", "memory.max")
    assert value(group, *memory) == str(64 * MEGA)
    assert value(group, "pids", "pids.max", "pids.max") == "9"
    assert value(group, "cpu", "cpu.shares", "cpu.weight") in {"1024", "100"}
    for limit in (256, 32, 128, -1, 64):
        swap = limit if limit == -1 else limit * MEGA + MEGA
        oci.make(
            oci.update(group, {"memory": {"limit": limit if limit == -1 else limit * MEGA, "swap": swap}})
        )
        now = value(group, *memory)
        assert now == str(limit * MEGA) if limit != -1 else now == "max" or int(now) > 1 << 60
    for quota, period in (
        (40000, 50000),
        (1000, 2000),
        (900000, 1000000),
        (1000, 1000),
        (-1, 100000),
        (50000, 100000),
    ):
        oci.make(oci.update(group, {"cpu": {"quota": quota, "period": period, "burst": 0}}))
        now = value(group, "cpu", "cpu.cfs_quota_us", "cpu.max").replace("max", "-1").split()[0]
        assert now == str(quota)


def test_bandwidth_of_a_child_changes_within_its_parents(place):
    place.group(name="above", cpu={"quota": 50000, "period": 100000})
    group = place.group(name="above/box", cpu={"quota": 5000, "period": 10000})
    place.groups.reverse()  # the inner one is removed first
    for period in (100000, 5000, 200000, 10000):
        oci.make(oci.update(group, {"cpu": {"quota": period // 2, "period": period}}))
        assert str(period // 2) in value(group, "cpu", "cpu.cfs_quota_us", "cpu.max")
    if group.spots["cpu"].version == 1:
        with pytest.raises(RuntimeFault, match=r"refuses .90000. in .*cfs_quota") as caught:
            oci.make(oci.update(group, {"cpu": {"quota": 90000, "period": 100000}}))
        assert caught.value.kind == "usage"


def test_a_swap_limit_below_what_is_set_is_refused_by_the_kernel_in_words(place):
    group = place.group()
    with pytest.raises(RuntimeFault, match=r"refuses '10' in .*cpu\."):
        oci.make(oci.update(group, {"cpu": {"quota": 10}}))


def test_a_cpuset_lets_processes_in_and_binds_them(place):
    group = (
        place.group(cpu={"cpus": "0"}) if "cpuset" in place.mounts.trees else pytest.skip("no cpuset here")
    )
    child = place.run(group, "cat", "/proc/self/status", stdout=subprocess.PIPE, text=True)
    assert "Cpus_allowed_list:\t0\n" in child.communicate(timeout=10)[0]


def test_the_pids_limit_refuses_the_next_fork(place):
    group = place.group(pids={"limit": 3})
    script = "for i in 1 2 3 4 5; do sleep 9 & done; wait"
    child = place.run(group, "sh", "-c", script, stderr=subprocess.PIPE, text=True)
    assert "fork" in child.stderr.readline().lower()


PROBE = """
import os, stat, sys
for name, kind, major, minor, flags in (("null", stat.S_IFCHR, 1, 3, os.O_RDWR), ("loop", stat.S_IFCHR, 10, 237, os.O_RDONLY),
                                 ("mem", stat.S_IFCHR, 1, 1, os.O_RDONLY)):
    path = f"{sys.argv[1]}/{name}"
    try:
        os.mknod(path, kind | 0o600, os.makedev(major, minor))
        made = "made"
    except PermissionError:
        made = "not-made"
    try:
        os.close(os.open(path, flags)) if made == "made" else None
        print(name, made, "opened")
    except PermissionError:
        print(name, made, "refused")
    os.path.exists(path) and os.unlink(path)
"""  # noqa: E501


def probe(place, group, directory):
    child = place.run(group, "python3", "-c", PROBE, str(directory), stdout=subprocess.PIPE, text=True)
    return child.communicate(timeout=20)[0].splitlines()


@pytest.fixture(params=["host", "v2"])
def where(request, place):
    return place.mounts if request.param == "host" else v2_only(place)


def test_device_rules_bite_and_change_while_it_runs(place, where, tmp_path):
    group = place.group(where=where, devices=[DENY])
    assert probe(place, group, tmp_path) == ["null made opened", "loop made refused", "mem made refused"]
    loop = {"allow": True, "type": "c", "major": 10, "minor": 237, "access": "r"}
    oci.make(oci.update(group, {"devices": [DENY, loop]}))
    assert probe(place, group, tmp_path) == ["null made opened", "loop made opened", "mem made refused"]
    if group.spots["devices"].version != 1:
        assert bpf.count(group.path("devices")) == 1


def test_without_device_rules_only_the_default_devices_are_left(place, where, tmp_path):
    group = place.group(where=where)
    assert probe(place, group, tmp_path) == ["null made opened", "loop made refused", "mem made refused"]


def test_what_may_use_everything_is_refused_nothing(place, where, tmp_path):
    group = place.group(where=where, devices=[{"allow": True, "access": "rwm"}])
    assert probe(place, group, tmp_path)[1] == "loop made opened"


def test_the_kernels_v1_list_is_the_one_we_meant(place):
    if place.mounts.trees.get("devices", (2,))[0] != 1:
        pytest.skip("no v1 devices controller here")
    allow = [{"allow": True, "type": "c", "major": 10, "minor": n, "access": "rw"} for n in (1, 2)]
    group = place.group(devices=[DENY, *allow, {"allow": False, "type": "c", "major": 10, "access": "w"}])
    lines = group.spots["devices"].read("devices.list").splitlines()
    assert {"c 10:1 r", "c 10:2 r"} <= set(lines)
    assert {rule.line(rule.access).replace("mrw", "rwm") for rule in devices.DEFAULTS} <= set(lines)


def state(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def lines_in(stream, seconds):
    """Count what arrives within as many seconds."""
    found, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([stream], [], [], 0.02)[0]:
            found += len(os.read(stream.fileno(), 1 << 16))
    return found


def test_a_frozen_container_stands_still_and_goes_on(place, where):
    group = place.group(where=where)
    child = place.run(group, "sh", "-c", "while :; do echo; sleep 0.01; done", stdout=subprocess.PIPE)
    assert lines_in(child.stdout, 0.3)
    freezer.freeze(group)
    assert freezer.frozen(group)
    lines_in(child.stdout, 0.1)
    assert lines_in(child.stdout, 0.3) == 0
    freezer.thaw(group)
    assert not freezer.frozen(group)
    assert lines_in(child.stdout, 0.5)


def test_a_frozen_container_can_be_killed_and_removed(place, where):
    group = place.group(where=where)
    child = place.run(group, "sleep", "100")
    freezer.freeze(group)
    assert members.kill(group) == 1
    assert child.wait(timeout=5) == -signal.SIGKILL
    other = place.run(group, "sleep", "100")
    freezer.freeze(group)
    tree.remove(group.paths)
    assert other.wait(timeout=5) == -signal.SIGKILL


def test_signals_reach_every_process_and_leave_a_pause_as_it_was(place, where):
    group = place.group(where=where)
    script = "trap 'echo got; exit 3' TERM; sleep 100 & echo ready; wait"
    child = place.run(group, "sh", "-c", script, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    assert len(members.pids(group)) == 2
    freezer.freeze(group)
    assert members.send(group, signal.SIGTERM) == 2
    assert freezer.frozen(group)
    freezer.thaw(group)
    assert (child.stdout.readline(), child.wait(timeout=5)) == ("got\n", 3)


def test_a_fork_bomb_is_killed_whole(place):
    group = place.group(pids={"limit": 64})
    place.run(group, "bash", "-c", "b() { b | b & }; b; sleep 100", stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    began = time.monotonic()
    tree.remove(group.paths)
    assert time.monotonic() - began < 5


def test_a_process_in_a_foreign_frozen_cgroup_is_killed(place, where):
    group, foreign = place.group(where=where), place.group(name="foreign", where=where)
    child = place.run(group, "sleep", "100")
    tree.enter([foreign.path("freezer")], child.pid)
    freezer.freeze(foreign)
    began = time.monotonic()
    reclaim.kill(child.pid, start_time(child.pid), [*group.paths])
    tree.remove(group.paths)
    assert time.monotonic() - began < 5
    assert freezer.frozen(foreign)


def test_cgroups_that_the_container_made_go_with_it(place):
    group = place.group()
    for path in group.paths:
        Path(path, "inner/most").mkdir(parents=True)
    child = subprocess.Popen(["sleep", "100"])
    place.running.append(child)
    for path in group.paths:
        for name in ("cpuset.cpus", "cpuset.mems"):
            if Path(path, name).exists() and "cpuset" in path:
                for below in (Path(path, "inner"), Path(path, "inner/most")):
                    (below / name).write_text(Path(path, name).read_text())
        Path(path, "inner/most/cgroup.procs").write_text(str(child.pid))
    assert members.pids(group) == [child.pid]
    tree.remove(group.paths)
    assert not any(Path(path).exists() for path in group.paths)
    assert child.wait(timeout=5) == -signal.SIGKILL


def test_a_second_container_can_not_take_a_cgroup_in_use(place):
    group = place.group()
    child = place.run(group, "sleep", "100")
    with pytest.raises(RuntimeFault, match="has processes already"):
        place.group()
    assert child.poll() is None


def test_out_of_memory_is_heard_of_and_counted(place):
    group = place.group(memory={"limit": 16 * MEGA, "swap": 16 * MEGA})
    with Watch(group) as watch:
        poll = select.poll()
        poll.register(watch.fd, watch.events)
        assert (poll.poll(0), watch.kills()) == ([], 0)
        child = place.run(group, "tail", "/dev/zero")
        assert child.wait(timeout=20) == -signal.SIGKILL
        assert poll.poll(5000)
        time.sleep(0.05)  # v1 tells before it kills
        assert watch.kills() >= 1
        assert watch.kills() == 0
    assert events.oom_kills(group) >= 1


def test_figures_see_the_workload(place):
    group = place.group(pids={"limit": 10}, memory={"limit": 64 * MEGA})
    script = "x=$(head -c 8000000 /dev/zero | tr '\\0' x); echo $?; read y"
    child = place.run(group, "sh", "-c", script, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"0\n"
    found = events.stats(group)
    assert found["memory"]["usage"]["usage"] > 8_000_000
    assert found["memory"]["usage"]["limit"] == 64 * MEGA
    assert found["pids"] == {"current": 1, "limit": 10}
    usage = found["cpu"]["usage"]
    assert usage["total"] > 1_000_000
    assert usage["kernel"] + usage["user"] <= 2 * usage["total"] + 20_000_000
    assert found["memory"]["raw"]
    if group.spots["memory"].version != 1 and Path("/proc/pressure").exists():
        assert set(found["memory"]["psi"]["some"]) == {"avg10", "avg60", "avg300", "total"}


def in_child(action):
    """Run `action` in a fork and return its line of text, or the error in words."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            text = action()
        except BaseException as err:  # noqa: BLE001 - whatever it is goes back as text
            text = f"{type(err).__name__}: {err}"
        os.write(write, text.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    return text


def test_an_ordinary_user_gets_no_limits_without_delegation(place):
    def attempt():
        os.setuid(NOBODY)
        group = oci.plan(mounts.find(), None, "box", {"devices": [DENY]}, rootless=True)
        assert group.paths == []
        oci.plan(mounts.find(), None, "box", {"memory": {"limit": 5 * MEGA}}, rootless=True)
        return "a limit was taken"

    assert in_child(attempt).startswith("RuntimeFault: linux.resources.memory.limit: without root")


def test_an_ordinary_user_works_in_a_delegated_cgroup(place):
    unified = v2_only(place).unified
    own = place.group(name="delegated", where=v2_only(place)).born_in
    tree.make([("own", own, str(NOBODY))])

    def attempt():
        tree.enter([own], os.getpid())
        os.setuid(NOBODY)
        assert location.delegated(mounts.find(), marked=False) == own
        group = oci.plan(mounts.find(), None, "box", {}, rootless=True)
        oci.make(group.steps())
        tree.enter(group.joined or [group.born_in], os.getpid())
        return Path("/proc/self/cgroup").read_text()

    text = in_child(attempt)
    assert f"0::{own.removeprefix(unified)}/tare-box\n" in text
