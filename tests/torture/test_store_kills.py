"""T6: kill -9 in the middle of a pull, a build, a commit. No blob is damaged, and the second run succeeds."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from runtime.image import Reference, Store, bootstrap, commit, from_tree
from runtime.image.prune import prune
from runtime.image.verify import verify
from runtime.registry import push
from tests.fakes.engine import until
from tests.privileged.building import TARE
from tests.registry.server import launch
from tests.torture import traces

pytestmark = [pytest.mark.privileged, pytest.mark.torture, pytest.mark.timeout(900)]
ROOT = Path(__file__).resolve().parents[2]
LAYERS, SIZE = 6, 2 << 20
PULL = """
import sys
from pathlib import Path
from runtime.image import Reference, Store
from runtime.registry import pull
store, reference = Store(Path(sys.argv[1]) / "images"), Reference.parse(sys.argv[2])
print("ready", flush=True)
pull(store, reference, unpack=True)
store.checkout(store.resolve(reference))
"""
COMMIT = """
import sys
from pathlib import Path
from runtime.image import Store, commit
store = Store(Path(sys.argv[1]) / "images")
base = store.resolve("busybox")
print("ready", flush=True)
image = commit(store, base, Path(sys.argv[2]), "committed:1")
store.checkout(image)
"""
DOCKERFILE = """FROM busybox AS a
RUN dd if=/dev/urandom of=/blob bs=1M count=3 2>/dev/null
FROM busybox AS b
COPY big /
RUN rm /bin/ar; mkdir /d; echo y > /d/y
FROM busybox
COPY --from=a /blob /
COPY --from=b /d /d
RUN cat /blob > /again
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    (tmp_path / "t").mkdir()
    return tmp_path / "t"


def noise(place, count=1):
    place.mkdir(parents=True)
    for number in range(count):
        (place / f"{number}").write_bytes(os.urandom(SIZE))
    return place


@pytest.fixture
def pulling(home, tmp_path):
    """An image of several layers in a real registry."""
    source = Store(tmp_path / "source")
    image = from_tree(source, noise(tmp_path / "tree"), "big:1")
    for number in range(LAYERS - 1):
        image = commit(source, image, noise(tmp_path / f"upper{number}"), "big:1")
    (tmp_path / "registry").mkdir()
    registry, process = launch(tmp_path / "registry")
    try:
        name = f"{registry.host}/team/big:1"
        push(source, "big:1", Reference.parse(name))
        yield [sys.executable, "-c", PULL, str(home), name]
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def building(home, tmp_path):
    bootstrap(Store(home / "images"), "busybox")
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "big").write_bytes(os.urandom(SIZE))
    return [*TARE, "--root", str(home), "image", "build", "--no-cache", "-q", "-t", "built:1", str(context)]


@pytest.fixture
def committing(home, tmp_path):
    bootstrap(Store(home / "images"), "busybox")
    return [sys.executable, "-c", COMMIT, str(home), str(noise(tmp_path / "upper", 5))]


def start(command):
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    if "-c" in command and "image" not in command:  # the work, not the imports, is what is to be interrupted
        assert process.stdout.readline() == b"ready\n", process.communicate()
    return process


def whole(command):
    """Run it to its end, which must be good; returns the seconds."""
    process = start(command)
    began = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said.decode()
    return time.monotonic() - began


@pytest.mark.parametrize("what", ["pulling", "building", "committing"])
def test_no_kill_damages_the_store(what, home, request, rounds, figure):
    command = request.getfixturevalue(what)
    store, chance = Store(home / "images"), random.Random(6)
    length = whole(command)
    kills, struck, corrupt, failed = rounds(25, 2), 0, [], 0
    for number in range(kills):
        for name, _ in store.images():
            if name.familiar != "busybox":
                store.remove(name)
        prune(store, cache=True)
        process = start(command)
        # Spread over the run, so that few kills too find it at work, on a host that was busier before.
        time.sleep((number + chance.random()) / kills * length)
        struck += process.poll() is None
        with suppress(ProcessLookupError):
            (os.killpg if number % 2 else os.kill)(process.pid, signal.SIGKILL)
        process.communicate()
        until(lambda: not traces.of(str(home)))  # what a build started ends with it
        corrupt += verify(store)
        process, began = start(command), time.monotonic()
        _, said = process.communicate(timeout=60)
        length = min(length, time.monotonic() - began)
        failed += process.returncode != 0
        assert process.returncode == 0, said.decode()
        corrupt += verify(store)
    subprocess.run([*TARE, "--root", str(home), "system", "prune"], cwd=ROOT, check=True, capture_output=True)
    prune(store)
    figure("T6", what=what, kills=kills, struck=struck, corrupt=len(corrupt), second_runs_failed=failed)
    assert corrupt == []
    assert struck
    assert [path for path in store.scratch.iterdir() if not path.name.startswith(".")] == []
    assert prune(store).blobs == 0
