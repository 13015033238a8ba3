"""The peak memory of a pull, against the size of what is pulled."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.peers.debian import EIGHT, ONE
from tests.peers.transfers import registry

if TYPE_CHECKING:
    from tests.peers.debian import Debian

MOST = 100 << 20  # bytes
# The peak of this very memory (proc(5), VmHWM): ru_maxrss would begin with that of the process that forked.
# Children of the pull, if any, are added with the largest of theirs.
_PROGRAM = """
import atexit, resource
def tell():
    with open("/proc/self/status") as file:
        own = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    print(own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
atexit.register(tell)
from bench.cli.main import main
main()
"""


def measure(debian: Debian) -> dict[str, Any]:
    """Return the peaks in bytes by image, as JSON takes them."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="tare-peers-") as place:
        folder = Path(place)
        with registry(folder / "registry", debian, ONE, EIGHT) as host:
            peaks = {name: _peak(folder, f"{host}/{name}") for name in (ONE, EIGHT)}
    return {"unit": "byte", "most": MOST, "peaks": peaks, "met": max(peaks.values()) < MOST}


def _peak(root: Path, image: str) -> int:
    words = ["--root", str(root / "tare"), "image", "pull", "-q", image]
    done = subprocess.run([sys.executable, "-c", _PROGRAM, *words], check=True, capture_output=True,
                          text=True, timeout=120)  # fmt: skip
    return int(done.stdout.split()[-1]) << 10


def line(found: dict[str, Any]) -> str:
    """Return the figures as people read them."""
    peaks = ", ".join(f"{name} {size / (1 << 20):.0f} MiB" for name, size in found["peaks"].items())
    verdict = "met" if found["met"] else "NOT MET"
    return f"goal: peak memory of a pull below {found['most'] >> 20} MiB: {peaks} {verdict}"
