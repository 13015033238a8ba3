"""A root made by a table of calls is the one that is made step by step, and its failures are the same."""

import subprocess
import sys
from pathlib import Path

import pytest

from runtime.linux import batch

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.skipif(not batch.possible(), reason="tables are made for x86_64"),
]
ROOT = Path(__file__).resolve().parents[2]
# Twice the same sequences: the first time step by step, the second by the table. Prints what is seen inside.
PROGRAM = """
import ctypes, marshal, os, sys
from pathlib import Path
from runtime.linux import syscalls
from runtime.rootfs import assemble, plan
from runtime.rootfs.step_error import StepError
place, layer, readonly = sys.argv[1], Path(sys.argv[2]), sys.argv[3] == "ro"
def sequences():
    v1 = () if Path("/sys/fs/cgroup/cgroup.procs").exists() else ("memory", "pids")
    found = plan.container((layer,), (), cgroup_v1=v1, readonly=readonly)
    return [assemble.ready(one.wire) for one in found]
def seen():
    for name in ("upper", "work", "root"):
        os.makedirs(f"{place}/{name}", exist_ok=True)
    reader, writer = os.pipe()
    if not os.fork():
        try:
            syscalls.unshare(0x20000)
            if os.fork():
                os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
            text = ""
            try:
                os.chdir(place)
                assemble.assemble(sequences())
            except StepError as err:
                text = f"step {err.index} {err.errno} {err.filename}"
            else:
                text = Path("/proc/self/mountinfo").read_text()
                mounts = [line.split(" - ") for line in text.splitlines()]
                mounts = [(a.split(), b) for a, b in mounts]
                rows = sorted((a[4], *sorted(a[5].split(",")), b.split()[0]) for a, b in mounts)
                tree = [sorted((p, d, f) for p, d, f in os.walk("/dev"))]
                links = [os.readlink(f"/dev/{name}") for name in ("fd", "stdin", "ptmx", "core")]
                text = repr((rows, tree, links))
            os.write(writer, text.encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.wait()
    with open(reader, "rb") as file:
        found = file.read().decode()
    os.system(f"rm -rf {place}/*")
    return found
first = seen()
sequences(), sequences()
assert any(one.table for one in sequences())
second = seen()
print(first)
print(second)
"""


@pytest.fixture
def layer(tmp_path):
    found = tmp_path / "layer"
    (found / "proc").mkdir(parents=True)
    return found


def both(tmp_path, layer, readonly="rw"):
    place = tmp_path / "place"
    place.mkdir()
    command = [sys.executable, "-c", PROGRAM, place, layer, readonly]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("readonly", ["rw", "ro"])
def test_the_same_mounts_devices_and_links(tmp_path, layer, readonly):
    by_steps, by_table = both(tmp_path, layer, readonly)
    assert by_steps == by_table
    assert "/dev/shm" in by_table


def test_a_proc_that_is_a_file_fails_in_the_same_step(tmp_path, layer):
    (layer / "proc").rmdir()
    (layer / "proc").touch()
    by_steps, by_table = both(tmp_path, layer)
    assert by_steps == by_table
    assert by_steps.startswith("step ")
    assert by_steps.endswith(" 20 /proc")


def test_a_dev_link_of_the_image_leads_nowhere_outside(tmp_path, layer):
    (layer / "dev").symlink_to("/etc")
    by_steps, by_table = both(tmp_path, layer)
    assert by_steps == by_table
