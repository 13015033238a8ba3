"""Several processes on one store, processes that are killed, and the images that need mmdebstrap."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.image import Store, bootstrap
from runtime.image.prune import prune
from runtime.image.verify import verify

pytestmark = pytest.mark.privileged
ROOT = Path(__file__).parents[2]
WORK = """
import sys
from pathlib import Path
from runtime.image import Store, bootstrap, derive
store = Store(Path(sys.argv[1]))
image = bootstrap(store, "busybox", force=True)
name = sys.argv[2]
made = derive(store, image, {f"file-{name}": name.encode() * 200_000}, f"made:{name}")
print(image.digest, store.checkout(image), len(store.layer_paths(made)))
"""
DEBIAN = """
import sys
from pathlib import Path
from runtime.image import Store, bootstrap
bootstrap(Store(Path(sys.argv[1])), "debian:bookworm", lambda stage: print(stage, flush=True))
"""


def start(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


def test_four_processes_make_one_intact_store(tmp_path):
    processes = [start(WORK, tmp_path / "images", name) for name in "abcd"]
    results = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, results
    assert len({out for out, _ in results}) == 1
    store = Store(tmp_path / "images")
    assert [name.familiar for name, _ in store.images()] == ["busybox", *(f"made:{name}" for name in "abcd")]
    assert verify(store) == []
    assert prune(store).blobs == 0


@pytest.mark.slow
def test_killed_processes_leave_a_store_that_verifies(tmp_path):
    choose = random.Random(7)
    store = Store(tmp_path / "images")
    killed, began = 0, time.monotonic()
    start(WORK, store.root, "whole").communicate(timeout=60)
    whole = time.monotonic() - began
    for turn in range(25):
        prune(store, cache=True)
        process = start(WORK, store.root, str(turn))
        time.sleep(choose.uniform(0.3, 1) * whole)  # the imports come first
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert verify(store) == [], turn
    assert killed > 5
    assert bootstrap(store, "busybox").argv() == ("sh",)
    prune(store)
    assert [path for path in store.scratch.iterdir() if not path.name.startswith(".")] == []


def processes_below(path: Path) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command, root = (entry / "cmdline").read_bytes(), str((entry / "root").readlink())
        except OSError:
            continue
        if os.fsencode(path) in command or root.startswith(str(path)):
            found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid()]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_debian_killed_in_the_middle_and_then_made(tmp_path):
    store = Store(tmp_path / "images")
    process = start(DEBIAN, store.root)
    assert process.stdout is not None
    while b"extracting" not in (line := process.stdout.readline()):
        assert line, process.communicate()
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 30
    while (left := processes_below(store.root)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []
    assert verify(store) == []
    prune(store)
    assert [path for path in store.scratch.iterdir() if not path.name.startswith(".")] == []

    stages: list[str] = []
    image = bootstrap(store, "debian:bookworm", stages.append)
    assert any("installing" in stage for stage in stages)
    tree = store.checkout(image)
    assert subprocess.check_output(["chroot", tree, "cat", "/etc/debian_version"]).startswith(b"12")
    assert b"apt 2." in subprocess.check_output(["chroot", tree, "apt-get", "--version"])
    assert (tree / "usr/bin/gpgv").exists()
    assert (tree / "etc/resolv.conf").read_bytes() == b""
    assert image.size < 60 << 20
    assert bootstrap(store, "debian:bookworm") == image
    assert verify(store) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_debian_on_a_full_disk_says_so(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tare-test", small], check=True)
    try:
        store = Store(small / "images")
        with pytest.raises(Exception, match="is full") as caught:
            bootstrap(store, "debian:bookworm")
        assert caught.value.kind == "host"
        assert store.images() == []
        assert verify(store) == []
        assert [path for path in store.scratch.iterdir() if not path.name.startswith(".")] == []
    finally:
        subprocess.run(["umount", small], check=True)
