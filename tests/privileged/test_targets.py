"""Every box beside Tare's own, really started through the protocol: to ready, to gone, and nothing left."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from bench import residency
from bench.channel import ChannelFault
from bench.clock import now
from bench.cold import chill
from bench.errors import BenchFault
from bench.ladder import climb
from bench.scenarios.memory import Before, measure
from bench.target import Box
from bench.targets import installed as names
from bench.targets.docker import DOCKER
from bench.targets.dockerd import private
from bench.targets.drivers import Drivers
from bench.targets.registry import targets
from runtime.cgroups.hierarchy import detect, mounts
from runtime.container import NativeSpec
from runtime.container.scratch import scratch
from tests.conftest import residue

pytestmark = [pytest.mark.privileged, pytest.mark.timeout(180)]
MIB = 2**20
OTHERS = [entry.name for entry in entry_points(group=names.GROUP) if entry.name not in names.STANDARD]
MEMORY = 256 * MIB
# What each says of itself, beside the workload: what exists because the instance exists.
HELPERS = {
    "bwrap": {"bubblewrap"},
    "docker": {"containerd-shim"},
    "gvisor": {"gVisor sandbox", "gVisor gofer"},
    "lxc": {"LXC monitor"},
    "nspawn": {"systemd-nspawn"},
    "podman": {"conmon"},
    "uml": {"UML kernel and its processes"},
}
SHARED = {"docker": {"dockerd, shared", "containerd, shared"}}


def groups():
    """Every cgroup below ours or of LXC's making, in every hierarchy."""
    ours = [path for mount in mounts() for path in (mount / "tare").rglob("*") if path.is_dir()]
    return {str(path) for path in ours} | {
        str(path) for mount in mounts() for name in ("tare-*", "lxc*") for path in mount.glob(name)
    }


@pytest.fixture(scope="module")
def drivers(data_root):
    with Drivers(data_root, data_root / "run", None, print) as opened:
        # Its two processes are there before any test looks at what is there.
        with opened.spawner.start_native(NativeSpec("first", ("/bin/true",)), stdin=0, stdout=1, stderr=2):
            pass
        yield opened


def state(pid):
    """The kernel's letter for what a process does; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def usable(drivers, name):
    target = targets(drivers)[name]
    found = target.availability()
    if not found.available:
        pytest.skip(found.reason)
    return target, found


@pytest.mark.parametrize("name", OTHERS)
def test_a_box_comes_up_answers_is_counted_and_is_gone(drivers, name):
    before = residue(), groups()
    target, found = usable(drivers, name)
    assert any(character.isdigit() for character in found.version)
    with target.launcher(Box("agent", MEMORY)) as launcher:
        rest = Before.of(launcher.prepared.shared)
        with climb(launcher, f"t-{name}-{os.getpid()}", ledger=True) as running:
            rungs = running.ladder.durations()
            assert list(rungs) == [
                n for n in ("created", "kernel", "init", "listening", "ready") if n in rungs
            ]
            assert ("kernel" in rungs) == (target.kind == "vm")
            said = running.channel.execute(
                "id -u; echo own >/tmp/f && cat /tmp/f; ls /sys/class/net", now() + 20
            )
            assert said.output.split()[:2] == ["0", "own"]
            assert "eth0" not in said.output
            pids = {member.pid for member in running.instance.members()}
            assert pids
            figures = {(v.metric, v.params.get("role")): v.value for v in measure([running], rest)}
            seconds = running.remove()
            assert seconds > 0
            # A dead one may wait a moment for whoever inherits it.
            assert {pid: state(pid) for pid in pids if state(pid) not in {"", "Z"}} == {}
    assert figures["pss", None] > 0
    assert figures["cgroup_anon", None] + figures["cgroup_shmem", None] > 0
    roles = {role for metric, role in figures if metric == "pss_of"}
    assert roles >= HELPERS.get(name, set()) | SHARED.get(name, set())
    own = sum(figures["pss_of", role] for role in roles - SHARED.get(name, set()))
    assert own > 0
    if name not in SHARED:
        assert own == pytest.approx(figures["pss", None], rel=0.3)
    assert residue() - before[0] == set()
    assert groups() - before[1] == set()


FILTERED = {"container", "crun", "docker", "nspawn", "podman", "runc", "tare-oci"}
UNFILTERED = {"bwrap", "lxc", "native"}
FILTER = "sed -n 's/^Seccomp://p' /proc/self/status"


@pytest.mark.parametrize("name", sorted(FILTERED | UNFILTERED))
def test_containers_have_a_filter_of_system_calls_as_every_engine_gives_them_one(drivers, name):
    target, _ = usable(drivers, name)
    with (
        target.launcher(Box("bench", MEMORY, root="linked")) as launcher,
        climb(launcher, f"t-{name}-{os.getpid()}") as running,
    ):
        said = running.channel.execute(FILTER, now() + 20).output.strip()
        assert said == ("2" if name in FILTERED else "0")
        if name not in FILTERED | {"native"}:
            assert "no filter of system calls" in launcher.prepared.boundary


@pytest.mark.parametrize("name", [name for name in OTHERS if name != "uml"])
def test_the_memory_limit_is_the_same_everywhere(drivers, name):
    target, _ = usable(drivers, name)
    with (
        target.launcher(Box("agent", 64 * MIB)) as launcher,
        climb(launcher, f"m-{name}-{os.getpid()}") as one,
    ):
        command = "head -c 200000000 /dev/zero | tail -c 150000000 | wc -c"
        try:
            greedy = one.channel.execute(command, now() + 60).output
        except ChannelFault:
            greedy = ""  # gVisor's own kernel is in the same cgroup, and is what the host's ends
    assert greedy.strip() != "150000000"


def quota(pid):
    """The CPUs that the nearest cgroup with a limit gives to a process; None without one."""
    paths = {}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), path))
    tree = detect().tree("cpu")
    place = Path(f"{tree.mount}{paths['cpu' if tree.version == 1 else '']}")
    while place != tree.mount:
        if tree.version == 1:
            most, period = (int((place / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        else:
            most, period = ((place / "cpu.max").read_text().replace("max", "-1") + " 1").split()[:2]
        if int(most) > 0:
            return int(most) / int(period)
        place = place.parent
    return None


@pytest.mark.parametrize("name", [name for name in OTHERS if name != "uml"])
def test_the_cpu_limit_is_the_same_everywhere(drivers, name):
    target, _ = usable(drivers, name)
    box = Box("agent", MEMORY, cpus=2)
    with target.launcher(box) as launcher, climb(launcher, f"c-{name}-{os.getpid()}") as one:
        inside = [member for member in one.instance.members() if member.role in {"container", "workload"}]
        assert inside
        assert {quota(member.pid) for member in inside} == {2.0}


def test_a_daemon_that_is_named_is_used_and_keeps_nothing(drivers, monkeypatch):
    usable(drivers, "docker")
    with (
        scratch(drivers.data) as data,
        scratch(drivers.run) as place,
        private(drivers.spawner, place, data) as daemon,
    ):
        client = [DOCKER.path, "--host", daemon.host]
        monkeypatch.setenv("TARE_DOCKER_HOST", daemon.host)
        target, found = usable(drivers, "docker")
        assert daemon.host in found.reason
        with target.launcher(Box("agent", MEMORY)) as launcher:
            assert daemon.host in launcher.prepared.boundary
            named = {member.role for member in launcher.prepared.shared.members()}
            assert named == SHARED["docker"]
            with climb(launcher, f"h-docker-{os.getpid()}") as running:
                assert {m.role for m in running.instance.members()} == {"container", "containerd-shim"}
            with pytest.raises(BenchFault, match="would not be cold"):
                chill(launcher.prepared)
        kept = [subprocess.check_output([*client, *words]) for words in (["ps", "-aq"], ["images", "-q"])]
        assert kept == [b"", b""]
    with pytest.raises(BenchFault, match="no docker daemon answers"), target.launcher(Box("agent", MEMORY)):
        pass


@pytest.mark.parametrize("name", ["docker", "podman", "runc"])
def test_an_engines_image_can_be_cold(drivers, name):
    target, _ = usable(drivers, name)
    with target.launcher(Box("agent", MEMORY)) as launcher:
        with climb(launcher, f"w-{name}-{os.getpid()}"):
            pass
        found = residency.files(launcher.prepared.storage)
        assert residency.resident(found) > 0
        chill(launcher.prepared)
        assert residency.resident(found) == 0


def test_uml_has_the_memory_that_it_was_given(drivers):
    target, _ = usable(drivers, "uml")
    with target.launcher(Box("agent", MEMORY)) as launcher, climb(launcher, f"m-uml-{os.getpid()}") as one:
        seen = one.channel.execute("sed -n 's/MemTotal: *//p' /proc/meminfo; uname -r", now() + 20)
    total, _, release = seen.output.split()
    assert 0.8 * MEMORY < int(total) * 1024 <= MEMORY
    assert release != os.uname().release


def test_umls_programs_keep_their_registers_when_others_run(drivers):
    target, _ = usable(drivers, "uml")
    program = 'BEGIN { for (i = 1; i < 40000; i++) s += (i % 7 - 3) / i; printf "%.17g\\n", s }'
    side_by_side = " ".join([f"awk '{program}' &"] * 3 + ["wait"])
    with target.launcher(Box("agent", MEMORY)) as launcher, climb(launcher, f"r-uml-{os.getpid()}") as one:
        said = one.channel.execute(side_by_side, now() + 60).output
    assert said.split() == subprocess.check_output(["busybox", "awk", program], text=True).split() * 3


@pytest.mark.parametrize("name", ["runc", "bwrap"])
def test_a_command_that_fails_says_so_at_once_and_leaves_nothing(drivers, name, monkeypatch):
    monkeypatch.setattr("bench.targets.oci_bundle.AGENT", "/no/such/program")
    monkeypatch.setattr("bench.targets.bwrap.AGENT", "/no/such/program")
    before = residue(), groups()
    target, _ = usable(drivers, name)
    refused = pytest.raises(BenchFault, match="no/such/program")
    with (
        target.launcher(Box("agent", MEMORY)) as launcher,
        refused,
        climb(launcher, f"f-{name}-{os.getpid()}"),
    ):
        pass
    assert (residue() - before[0], groups() - before[1]) == (set(), set())


HOLD = """
import sys, time
from pathlib import Path
from bench.ladder import climb
from bench.target import Box
from bench.targets.docker import DOCKER
from bench.targets.dockerd import private
from bench.targets.drivers import Drivers
from bench.targets.registry import targets
root = Path(sys.argv[1])
with Drivers(root, root / "run", None, print) as drivers:
    with targets(drivers)[sys.argv[2]].launcher(Box("agent", 256 << 20)) as launcher:
        with climb(launcher, "killed-" + sys.argv[2]):
            print("up", flush=True)
            time.sleep(600)
"""


@pytest.mark.parametrize("name", ["docker", "gvisor", "lxc", "podman"])
def test_what_a_killed_run_leaves_is_pruned(data_root, drivers, name, tare):
    usable(drivers, name)
    before = residue(), groups()
    command = [sys.executable, "-c", HOLD, data_root, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as held:
        assert any(line == "up\n" for line in held.stdout)
        held.send_signal(signal.SIGKILL)
    done = tare("system", "prune")
    assert done.returncode == 0, done.stderr
    deadline = time.monotonic() + 10
    while residue() - before[0] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert residue() - before[0] == set()
    tare("system", "prune")
    assert groups() - before[1] == set()
    owner = f"{held.pid}-"
    assert not [path for root in (data_root, data_root / "run")
                for path in (root / "scratch").glob(f"{owner}*")]  # fmt: skip


def test_all_targets_are_listed_and_none_is_missing_for_want_of_a_package(tare):
    done = tare("list", "targets", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = {row["name"]: row for row in json.loads(done.stdout)}
    assert list(found)[:5] == list(names.STANDARD)
    assert set(found) == {*names.STANDARD, *OTHERS}
    missing = {name: row["reason"] for name, row in found.items() if not row["available"]}
    if any("not installed" in reason for reason in missing.values()):
        pytest.skip(f"`./bootstrap test` installs it: {missing}")
    assert missing == {}
    assert all(row["version"] for name, row in found.items() if name not in {"native", "container"})
