import os
import platform
import subprocess
import sys

import msgspec
import pytest

from bench.environment import caveats, host, hypervisor, survey, versions
from bench.environment.collect import collect, stolen
from bench.errors import BenchFault
from bench.results import Cpu, Environment, Kernel, Memory, Storage

MOUNTS = {
    "v1": "30 1 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
    "v2": "31 1 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "none": "32 1 0:28 / /proc rw shared:4 - proc proc rw\n",
}
MOUNTS["hybrid"] = MOUNTS["v1"] + MOUNTS["v2"]


@pytest.fixture
def fake(tmp_path):
    def put(**files):
        for path, text in files.items():
            file = tmp_path / path.replace("__", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return host.Host(tmp_path)

    return put


@pytest.mark.parametrize("kind", MOUNTS)
def test_the_cgroup_version_comes_from_the_mounts(fake, kind):
    assert host.cgroup(fake(proc__self__mountinfo=MOUNTS[kind])) == kind


@pytest.mark.parametrize(
    ("flags", "vendor", "found"),
    [
        ("fpu hypervisor", "QEMU", "qemu"),
        ("fpu hypervisor", "VMware, Inc.", "vmware"),
        ("fpu hypervisor", "Some Ltd", "unknown hypervisor"),
        ("fpu sse", "Amazon EC2", "none"),
        (None, "QEMU", "qemu"),
        (None, "Some Ltd", None),
    ],
)
def test_the_cpu_flag_decides_and_the_firmware_names(fake, flags, vendor, found):
    cpuinfo = "model name\t: X\n" + (f"flags\t\t: {flags}\n" if flags else "")
    machine = fake(proc__cpuinfo=cpuinfo, sys__class__dmi__id__sys_vendor=vendor)
    assert hypervisor.virtualization(machine) == found


@pytest.mark.parametrize(
    ("device", "features", "found"),
    [
        ("0x0005", "011001" + "0" * 58, True),
        ("0x0005", "000001", True),
        ("0x0005", "111110" + "1" * 58, False),
        ("0x0002", "1" * 64, False),
        ("0x0005", "0110", False),
    ],
)
def test_a_balloon_that_reports_free_pages(fake, device, features, found):
    machine = fake(
        sys__bus__virtio__devices__virtio0__device=f"{device}\n",
        sys__bus__virtio__devices__virtio0__features=f"{features}\n",
        sys__bus__virtio__devices__virtio1__device="0x0001\n",
    )
    assert hypervisor.takes_free_pages(machine) is found
    codes = [caveat.code for caveat in collect(machine.root, host=machine).caveats]
    assert ("free-pages" in codes) is found


def test_meminfo_is_in_bytes(fake):
    meminfo = "MemTotal:  100 kB\nMemAvailable:  60 kB\nSwapTotal: 8 kB\nSwapFree: 3 kB\n"
    machine = fake(proc__meminfo=meminfo)
    assert host.memory(machine) == Memory(total=102400, available=61440, swap_total=8192, swap_used=5120)


def test_the_mount_is_that_of_the_same_device(fake, tmp_path):
    number = tmp_path.stat().st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    lines = [
        "40 1 254:999 / / rw - xfs /dev/a rw",
        f"41 40 {device} / /x rw,noatime shared:2 - btrfs /dev/b rw",
    ]
    machine = fake(proc__self__mountinfo="\n".join(lines))
    assert host.mount_of(machine, tmp_path) == ("btrfs", "rw,noatime")
    assert host.mount_of(fake(proc__self__mountinfo=lines[0]), tmp_path) == (None, None)


def test_the_chosen_word_of_sysfs(fake):
    machine = fake(sys__kernel__mm__transparent_hugepage__enabled="always [madvise] never\n")
    assert host.kernel(machine).transparent_hugepages == "madvise"


def test_a_host_that_tells_nothing_gives_nothing_and_does_not_fail(tmp_path):
    found = collect(tmp_path / "not" / "there", host=host.Host(tmp_path)).environment
    assert found.hostname is None
    assert found.memory == Memory()
    assert found.load == ()
    assert found.cpu.model is None
    assert len(found.unavailable) == 5
    assert found.storage.total > 0


def test_steal_since_boot(fake):
    machine = fake(proc__stat="cpu  50 0 20 20 0 0 0 10 9 9\ncpu0 1\n")
    assert stolen(machine) == pytest.approx(0.1)
    assert stolen(host.Host(machine.root / "nowhere")) is None


def test_a_version_is_the_first_number_that_a_program_prints(tmp_path):
    script = tmp_path / "tool"
    script.write_text("#!/bin/sh\necho 'Tool emulator version 7.2.22 (Debian 1:7.2+dfsg-7)'\n")
    script.chmod(0o755)
    assert versions.program([str(script)]) == "7.2.22"
    assert versions.program([str(tmp_path / "missing")]) is None
    assert versions.library("libnosuchthing.so.0", "version") is None


def test_guest_kernels_are_found_under_the_data_root(tmp_path):
    for release in ("6.1.0-41-cloud-amd64", "6.1.0-40-cloud-amd64"):
        boot = tmp_path / "vm" / "kernels" / release / "boot"
        boot.mkdir(parents=True)
        (boot / f"vmlinuz-{release}").touch()
    assert versions.versions(tmp_path)["guest kernel"] == "6.1.0-40-cloud-amd64, 6.1.0-41-cloud-amd64"


def test_a_good_host_has_no_caveat():
    good = Environment(
        virtualization="none",
        cgroup="v2",
        kernel=Kernel(clocksource="tsc", ksm="0"),
        cpu=Cpu(count=8, governor="performance"),
        memory=Memory(swap_used=0),
        storage=Storage(free=50 * caveats.GIB),
        load=(0.1, 0.1, 0.1),
    )
    assert caveats.caveats(good, steal=0.0) == ()


@pytest.mark.parametrize(
    ("code", "environment", "steal"),
    [
        ("governor", Environment(cpu=Cpu(governor="powersave")), None),
        ("nested", Environment(virtualization="kvm"), None),
        ("steal", Environment(), 0.02),
        ("busy", Environment(cpu=Cpu(count=2), load=(0.6, 0, 0)), None),
        ("one-cpu", Environment(cpu=Cpu(count=1)), None),
        ("ksm", Environment(kernel=Kernel(ksm="1")), None),
        ("swap", Environment(memory=Memory(swap_used=2**20)), None),
        ("disk", Environment(storage=Storage(free=caveats.GIB)), None),
        ("clock", Environment(kernel=Kernel(clocksource="hpet")), None),
        ("cgroup", Environment(cgroup="none"), None),
    ],
)
def test_each_weakness_is_told_with_a_remedy(code, environment, steal):
    (found,) = caveats.caveats(environment, steal=steal)
    assert found.code == code
    assert found.text
    assert found.remedy


def test_free_pages_that_are_handed_back_are_told_with_a_remedy():
    (found,) = caveats.caveats(Environment(), reporting=True)
    assert found.code == "free-pages"
    assert found.remedy


def test_this_host_through_the_separate_process(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # it is found from anywhere
    found = survey(tmp_path).environment
    assert found.hostname is None
    assert found.kernel.release == platform.release()
    assert found.cgroup in {"v1", "v2", "hybrid"}
    assert found.memory.total > found.memory.available > 0
    assert found.storage.filesystem
    assert found.versions["python"] == platform.python_version()
    assert survey(tmp_path, hostname=True).environment.hostname == platform.node()


def test_the_separate_process_prints_json(tmp_path):
    command = [sys.executable, "-m", "bench.environment"]
    refused = subprocess.run(command, capture_output=True, check=False)
    assert refused.returncode == 2
    assert b"--data" in refused.stderr
    done = subprocess.run([*command, "--data", str(tmp_path)], capture_output=True, check=True)
    assert msgspec.json.decode(done.stdout).keys() == {"environment", "caveats"}


def test_a_failing_collector_is_one_clear_fault(tmp_path, monkeypatch):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho Traceback >&2\necho 'ImportError: no msgspec' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(BenchFault, match="cannot describe this host: ImportError: no msgspec") as caught:
        survey(tmp_path)
    assert caught.value.kind == "failed"
    assert "-m bench.environment" in caught.value.hint
