"""A pull and a push take less than 100 MiB of memory, whatever the size of a layer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.image import Store, from_tree
from tests.registry.faulty import NAME, Faulty, serving

pytestmark = [pytest.mark.torture, pytest.mark.timeout(180)]
ROOT = Path(__file__).resolve().parents[2]
SIZE, LIMIT = 200 << 20, 100 << 10  # bytes of the layer, KiB of memory
# The peak of this very memory (proc(5), VmHWM): ru_maxrss would begin with that of the process that forked.
PROGRAM = """
import atexit, sys
def tell():
    with open("/proc/self/status") as file:
        print(next(line.split()[1] for line in file if line.startswith("VmHWM")))
atexit.register(tell)
from bench.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    place = tmp_path_factory.mktemp("source")
    (place / "tree").mkdir()
    with (place / "tree/big").open("wb") as file:
        for _ in range(SIZE >> 20):
            file.write(os.urandom(1 << 20))
    store = Store(place / "images")
    return place, store, from_tree(store, place / "tree", "made:1")


def peak(root, *words):
    environment = {**os.environ, "TARE_ROOT": str(root), "HOME": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "image", *words], cwd=ROOT, env=environment, capture_output=True,
        text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


def test_the_peak_of_a_pull(source, tmp_path, figure):
    _, store, image = source
    with serving(Faulty(store, image)) as registry:
        used = peak(tmp_path, "pull", "-q", f"{registry.host}/{NAME}:1")
    figure("pull", layer_mib=SIZE >> 20, peak_mib=used >> 10)
    assert Store(tmp_path / "images").resolve(f"{registry.host}/{NAME}:1").digest == image.digest
    assert used < LIMIT


def test_the_peak_of_a_push(source, figure):
    place, store, image = source
    with serving(Faulty(store, image)) as registry:
        registry.blobs.clear()
        used = peak(place, "push", "-q", "made:1", f"{registry.host}/{NAME}:1")
    figure("push", layer_mib=SIZE >> 20, peak_mib=used >> 10)
    assert len(registry.blobs) == 2
    assert used < LIMIT
