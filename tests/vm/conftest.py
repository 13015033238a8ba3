"""Guests for the tests: an image with an agent, a kernel, and a hypervisor, kept for the session."""

import selectors
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from bench.targets.drivers import Drivers
from bench.workloads.images import MACHINE, provide
from vmdriver import boot, kernel
from vmdriver.hypervisor import Hypervisor

AGENT = Path(__file__).resolve().parents[2] / "bench/workloads/agent"


@pytest.fixture(scope="session")
def busybox_tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("busybox")
    for name in ("bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr/lib/tare"):
        (root / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for applet in subprocess.check_output(["busybox", "--list"], text=True).split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    (root / "hard").hardlink_to(root / "bin/busybox")
    shutil.copy(AGENT, root / "usr/lib/tare/agent")
    return root


@pytest.fixture(scope="session")
def debian(data_root):
    """The image of a whole Debian that the benchmarks boot: its flattened tree, and its digest."""
    with Drivers(data_root, data_root / "run", None, print) as drivers:
        image = provide(drivers, MACHINE).image
        return drivers.store.checkout(image), str(image.digest)


@pytest.fixture(scope="session")
def guest_kernel(data_root):
    return kernel.obtain(data_root)


# One for all tests of a file: a process can open libvirt's embedded driver some thirty times in its life.
@pytest.fixture(scope="module")
def hypervisor(data_root):
    with Hypervisor(data_root, data_root / "run") as opened:
        yield opened


@pytest.fixture
def direct(data_root, guest_kernel, busybox_tree):
    """Returns a function that specifies a directly booted guest of the busybox image."""

    def specify(flavour, root="initramfs", **changes):
        return boot.boot(
            flavour,
            busybox_tree,
            str(busybox_tree),
            data=data_root,
            kernel=guest_kernel,
            accelerator="tcg",
            memory=256 << 20,
            cpus=1,
            root=root,
            **changes,
        )

    return specify


class Talk:
    """Reads both channels of a guest and speaks the agent's protocol."""

    def __init__(self, guest, limit=60):
        self.guest = guest
        self.heard = {"agent": b"", "console": b""}
        self.deadline = time.monotonic() + limit

    def until(self, marker):
        with selectors.DefaultSelector() as selector:
            selector.register(self.guest.agent, selectors.EVENT_READ, "agent")
            if self.guest.console:
                selector.register(self.guest.console, selectors.EVENT_READ, "console")
            while marker not in self.heard["agent"]:
                left = self.deadline - time.monotonic()
                assert left > 0, f"no {marker!r}: {self.heard}\n{self.guest.log}"
                for key, _ in selector.select(left):
                    data = key.fileobj.recv(65536)
                    assert data, f"the guest is gone: {self.heard}\n{self.guest.log}"
                    self.heard[key.data] += data
        return self.heard["agent"]

    def exec(self, token, command):
        self.guest.agent.sendall(f"exec {token} {command}\n".encode())
        done = f"\x1etare done {token} ".encode()
        said = self.until(done + b"0")
        return said.replace(b"\r", b"").partition(done)[0].rpartition(b"\n\x1etare")[2].partition(b"\n")[2]


@pytest.fixture
def talk():
    return Talk
