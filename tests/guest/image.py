"""What the guest boots and what it tests: a Debian with systemd and Python, and a disk with this tree."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.targets.drivers import Drivers
from bench.workloads.images import MACHINE, provide
from bench.workloads.packages import install
from runtime.errors import RuntimeFault
from runtime.image.image import Image
from vmdriver.disk import build_root_disk
from vmdriver.files import once

PACKAGES = ("python3", "busybox-static", "kmod", "iproute2", "nftables", "uidmap", "libseccomp2", "procps",
            "util-linux", "gcc", "libc6-dev", "runc", "crun", "bubblewrap", "podman", "conmon", "docker.io",
            "strace", "git", "ca-certificates", "apparmor")  # fmt: skip
WHEELS = ("pytest", "pytest-timeout", "pytest-benchmark", "psutil", "msgspec", "click", "jsonschema",
          "zstandard", "hypothesis", "isal", "backports-zstd")  # fmt: skip
PYTHON = "3.11"  # Debian bookworm's
ROOT = Path(__file__).resolve().parents[2]


def image(drivers: Drivers) -> Image:
    """Return the machine of the benchmarks with what the tests need besides, made once."""
    base = provide(drivers, MACHINE).image
    recipe = hashlib.sha256(f"{base.digest} {PACKAGES}".encode()).hexdigest()[:12]
    reference = f"tare/guest:{recipe}"
    try:
        return drivers.store.resolve(reference)
    except RuntimeFault as fault:
        if fault.kind != "missing":
            raise
    return install(drivers.spawner, drivers.store, base, PACKAGES, reference)


def disk(scratch: Path, data: Path) -> Path:
    """Return a raw disk that holds /tare, the files of this tree as they are, and /wheels for the guest.

    It is made in `scratch`; the wheels are kept below `data`.
    """
    tree, path = scratch / "tree", scratch / "tests.raw"
    shutil.copytree(_wheels(data), tree / "wheels")
    for name in _files():
        if (ROOT / name).is_file():
            (tree / "tare" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / "tare" / name)
    build_root_disk(tree, path)
    return path


def _files() -> list[str]:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    return subprocess.check_output(listed, cwd=ROOT, text=True).rstrip("\0").split("\0")


def _wheels(data: Path) -> Path:
    architecture = os.uname().machine
    words = ("--python-version", PYTHON, "--only-binary=:all:", "--implementation=cp",
             f"--platform=manylinux2014_{architecture}", f"--platform=manylinux_2_28_{architecture}",
             *WHEELS)  # fmt: skip
    target = data / "guest" / f"wheels-{hashlib.sha256(' '.join(words).encode()).hexdigest()[:12]}"
    with once(target) as fresh:
        if fresh:
            subprocess.run(
                [sys.executable, "-m", "pip", "install", "-q", "--target", fresh, *words], check=True
            )
    return target
