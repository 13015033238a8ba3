"""Builds that are killed at any moment, and builds that share a cache: the store stays sound."""

import os
import random
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime.image.bootstrap import bootstrap
from tests.privileged.building import ROOT, TARE, Lab

pytestmark = pytest.mark.privileged
TEXT = """FROM busybox AS a
RUN --mount=type=cache,target=/k dd if=/dev/urandom of=/blob bs=1M count=2 2>/dev/null; echo x >> /k/x
RUN --mount=type=bind,target=/c cp /c/big /big2
FROM busybox AS b
COPY big /
RUN rm /bin/ar; mkdir /d; echo y > /d/y
FROM busybox
COPY --from=a /blob /big2 /
COPY --from=b /d /d
RUN cat /blob /big2 > /both
"""
PLACES = ("scratch", "run/scratch", "containers", "run/containers", "images/tmp", "build-cache/scratch")


@pytest.fixture
def lab(tmp_path):
    made = Lab.at(tmp_path / "tare", tmp_path)
    bootstrap(made.store, "busybox")
    (made.context / "big").write_bytes(os.urandom(2 << 20))
    (made.context / "Dockerfile").write_text(TEXT)
    return made


def left(lab):
    found = [lab.home / place for place in PLACES]
    return [path for place in found if place.exists() for path in place.iterdir() if path.suffix != ".lock"]


def test_after_any_kill_the_store_is_sound_and_the_next_build_works(lab):
    moments = random.Random(7)
    killed = 0
    command = [
        *TARE,
        "--root",
        str(lab.home),
        "image",
        "build",
        "--no-cache",
        "-q",
        "-t",
        "x",
        str(lab.context),
    ]
    for _ in range(8):
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(moments.uniform(0.2, 0.8))
            process.kill()
        killed += process.returncode != 0
    assert killed
    for words in (("system", "prune"), ("image", "verify")):
        done = lab.tare(*words)
        assert done.returncode == 0, done.stdout + done.stderr
    image = lab.built(TEXT)
    assert lab.tare("image", "prune").returncode == 0
    assert (lab.root(image) / "both").stat().st_size == 4 << 20
    assert left(lab) == []


def test_builds_at_once_share_a_cache(lab):
    """Four of one Dockerfile, with one cache mount; all work, and none takes half of another's."""
    with ThreadPoolExecutor(4) as pool:
        words = ("image", "build", "-q", "-t")
        done = list(pool.map(lambda n: lab.tare(*words, f"x{n}", str(lab.context)), range(4)))
    assert [each.returncode for each in done] == [0] * 4, [each.stderr for each in done]
    for number in range(4):
        image = lab.store.resolve(f"x{number}")
        assert (lab.root(image) / "both").stat().st_size == 4 << 20
    assert lab.tare("image", "verify").returncode == 0
    assert left(lab) == []
