import os
import random
import signal
import subprocess
import sys
import time

import pytest

from vmdriver.process import Identity, identify, running_with
from vmdriver.prune import prune

pytestmark = pytest.mark.vm

OWNER = """
import sys, time
from pathlib import Path
from vmdriver import boot, kernel
from vmdriver.hypervisor import Hypervisor
data, tree, flavour, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
hypervisor = Hypervisor(data, data / "run")
spec = boot.boot(flavour, tree, str(tree), data=data, kernel=kernel.obtain(data), accelerator="tcg",
                 memory=128 << 20, cpus=1, root="disk", name=name)
if name == "many":
    print("0", flush=True)
    for number in range(99):
        hypervisor.start(spec.named(f"test-many-{number}"))
print(hypervisor.start(spec).pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def owner(data_root, busybox_tree, guest_kernel):
    """Returns a function that starts a process with a guest; gives the process and QEMU's identity."""
    started = []

    def start(name, flavour="vm-micro"):
        words = [sys.executable, "-c", OWNER, data_root, busybox_tree, flavour, name]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process, identify(int(process.stdout.readline()))

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
    prune(data_root / "run", data_root)


def test_what_a_killed_harness_leaves_is_pruned(owner, data_root):
    (dead, orphan), (living, kept) = owner("test-orphan"), owner("test-kept")
    assert isinstance(orphan, Identity)
    os.kill(dead.pid, signal.SIGKILL)
    dead.wait()
    assert orphan.alive()
    directory = data_root / "run/guests/test-orphan"
    assert {path.name for path in directory.iterdir()} == {"guest.json", "disk-0.qcow2"}
    removed = prune(data_root / "run", data_root)
    assert removed == [f"guest test-orphan of process {dead.pid}"]
    assert not orphan.alive()
    assert not directory.exists()
    assert not list((data_root / "vm/libvirt").glob("slot-*/run/qemu/test-orphan*"))
    assert kept.alive()
    assert living.poll() is None


def test_the_next_harness_cleans_up_by_itself(owner, data_root):
    dead, orphan = owner("test-orphan")
    dead.kill()
    dead.wait()
    _, guest = owner("test-next", "vm")
    assert not orphan.alive()
    assert guest.alive()


@pytest.mark.parametrize("seed", range(6))
def test_a_kill_at_any_moment_of_a_start_leaves_nothing(owner, data_root, seed):
    process, _ = owner("many")
    time.sleep(random.Random(seed).uniform(0, 0.9))
    process.kill()
    process.wait()
    prune(data_root / "run", data_root)
    assert list((data_root / "run/guests").iterdir()) == []
    assert running_with(f"{data_root}/run/guests/") == ()
    notes = [
        *data_root.glob("vm/libvirt/slot-*/run/qemu/test-*"),
        *data_root.glob("vm/libvirt/slot-*/lib/qemu/domain-*"),
    ]
    assert notes == []
