"""Real guests whose record was damaged: the orphan is ended, the one with an owner stays until that ends."""

import os
import subprocess
import sys

import pytest

from vmdriver.process import identify
from vmdriver.prune import prune

pytestmark = pytest.mark.vm

OWNER = """
import sys, time
from pathlib import Path
from vmdriver import boot, kernel
from vmdriver.hypervisor import Hypervisor
data, tree, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
hypervisor = Hypervisor(data, data / "run")
spec = boot.boot("vm-micro", tree, str(tree), data=data, kernel=kernel.obtain(data), accelerator="tcg",
                 memory=128 << 20, cpus=1, root="disk", name=name)
print(hypervisor.start(spec).pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def owner(data_root, busybox_tree, guest_kernel):
    """Returns a function that starts a process with a guest; gives the process and QEMU's identity."""
    started = []

    def start(name):
        words = [sys.executable, "-c", OWNER, data_root, busybox_tree, name]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process, identify(int(process.stdout.readline()))

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
    prune(data_root / "run", data_root)


def test_the_orphan_goes_and_the_living_stays(owner, data_root, tare):
    (dead, orphan), (lost, plain), (living, kept) = owner("test-bad"), owner("test-dead"), owner("test-kept")
    guests = data_root / "run/guests"
    for process in (dead, lost):
        process.kill()
        process.wait()
    for name, size in {"test-bad": 0, "test-kept": 30}.items():
        os.truncate(guests / name / "guest.json", size)
    done = tare("system", "prune")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == [
        "removed guest test-bad, of which there was no sound record",
        f"removed guest test-dead of process {lost.pid}",
    ]
    assert not orphan.alive()
    assert not plain.alive()
    assert kept.alive()
    (line,) = [line for line in done.stderr.splitlines() if "test-kept" in line]
    assert f"process {living.pid} still has it; end that process, then run `tare system prune`" in line
    assert [path.name for path in guests.iterdir()] == ["test-kept"]
    living.kill()
    living.wait()
    assert "test-kept" in tare("system", "prune").stdout
    assert not kept.alive()
    assert list(guests.iterdir()) == []
    notes = [path.name for path in (data_root / "vm/libvirt").glob("slot-*/*/qemu/*")]
    assert [note for note in notes if note.startswith(("test-bad", "test-dead", "test-kept"))] == []


def test_a_run_goes_on_beside_a_damaged_record(data_root, tare, tmp_path):
    left = data_root / "run/guests/test-bad"
    left.mkdir(parents=True)
    (left / "guest.json").touch()
    done = tare(
        "run", "startup", "-t", "native", "-r", "1", "-q",
        "--json", tmp_path / "run.json", "--html", tmp_path / "run.html",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not left.exists()
