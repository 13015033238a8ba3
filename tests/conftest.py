"""What all tests share: where they keep big things, what they skip, and that nothing is left behind."""

import os
import shutil
import time
from pathlib import Path

import psutil
import pytest

from runtime.cgroups.hierarchy import detect

pytest_plugins = ["tests.runs"]
PATIENCE = 3  # seconds
NEEDS_ROOT = ("privileged", "vm", "kvm")
# In the command line of what a box or its maker is.
OURS = (
    "qemu-system", "libvirtd", "runtime.process.spawner", "runtime.engine", "tare-oci", "/usr/lib/tare/",
    "mmdebstrap",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    """Skip what this host lacks, each with its reason."""
    for item in items:
        if os.geteuid() != 0 and any(item.get_closest_marker(name) for name in NEEDS_ROOT):
            item.add_marker(pytest.mark.skip(reason="needs root"))
        if item.get_closest_marker("vm") and not shutil.which("qemu-system-x86_64"):
            item.add_marker(pytest.mark.skip(reason="needs QEMU: apt-get install qemu-system-x86"))
        if item.get_closest_marker("browser") and not shutil.which("chromium"):
            item.add_marker(pytest.mark.skip(reason="needs Chromium: apt-get install chromium"))


@pytest.fixture(scope="session")
def data_root():
    """A data root that outlives the session, so that images and kernels are made once."""
    root = Path(os.environ.get("TARE_TEST_ROOT", "/var/tmp/tare-test"))
    root.mkdir(parents=True, exist_ok=True)
    return root


def residue():
    """Everything of the host that a box could leave behind, as a set of words."""
    return {*_mounts(), *_cgroups(), *_processes(), *_network(), *_loops()}


def _mounts():
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {f"mount {line.split()[4]}" for line in lines}


def _cgroups():
    places = {tree.mount for tree in detect().trees.values()}
    below = [path for place in places for path in (place / "tare").rglob("*")]
    own = [path for place in places for path in place.glob("tare-*")]
    return {f"cgroup {path}" for path in (*below, *own) if path.is_dir()}


def _processes():
    found = set()
    for process in psutil.process_iter(["cmdline", "pid", "status"]):
        words = " ".join(process.info["cmdline"] or ())
        if any(sign in words for sign in OURS):
            found.add(f"process {process.info['pid']} {words[:120]}")
    return found | {f"child {child.pid}" for child in psutil.Process().children(recursive=True)}


def _network():
    devices = {f"network device {name}" for name in map(str, Path("/sys/class/net").iterdir())}
    names = Path("/run/netns")
    return devices | {f"network namespace {path}" for path in (names.iterdir() if names.is_dir() else ())}


def _loops():
    return {f"loop device {path}" for path in Path("/sys/block").glob("loop*/loop/backing_file")}


@pytest.fixture(autouse=True)
def nothing_is_left(request):
    """A test that starts boxes fails if anything is there afterwards that was not there before."""
    if not any(request.node.get_closest_marker(name) for name in NEEDS_ROOT) or os.geteuid() != 0:
        yield
        return
    before = residue()
    yield
    # An engine's monitor ends a moment after what it watched.
    deadline = time.monotonic() + PATIENCE
    while (left := residue() - before) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left, f"left behind: {sorted(left)}"
