"""T7: a file system of 32 MB as Tare's root that gets full, of bytes or of inodes: in a pull, a build, a run.

Each says so in a line; the store verifies; and once there is room again, the same command passes.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from runtime.image import Reference, Store, bootstrap, from_tree
from runtime.image.archive.save import save
from runtime.image.verify import verify
from runtime.registry import push
from tests.fakes.engine import engine, until
from tests.registry.server import launch

pytestmark = [pytest.mark.privileged, pytest.mark.torture, pytest.mark.timeout(300)]
SIZE = 32 << 20
FILES, BYTES = 400, 3 << 20  # of the image
INODES = 2048
FULL = "no inodes left|file system of .* is full|[Nn]o space left|disk is full"


class Disk:
    """An ext4 on a loop device, whose room can be taken away and given back."""

    def __init__(self, place: Path):
        self.place, self._image = place / "disk", place / "image"
        self.place.mkdir()
        with self._image.open("wb") as file:
            file.truncate(SIZE)
        run("mkfs.ext4", "-q", "-m", "0", "-N", INODES, "-J", "size=4", self._image)
        run("mount", "-o", "loop", self._image, self.place)
        self._filler = self.place / "filler"

    def fill(self, what, left):
        """Leave so many bytes, or inodes."""
        room = os.statvfs(self.place)
        if what == "bytes":
            with self._filler.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - left)
            return
        self._filler.mkdir()
        for number in range(room.f_favail - left - 1):
            (self._filler / str(number)).touch()

    def free(self):
        """Give the room back."""
        subprocess.run(["rm", "-rf", self._filler], check=True)

    def close(self):
        run("umount", self.place)
        self._image.unlink()


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def disk(tmp_path):
    made = Disk(tmp_path)
    yield made
    made.close()


@pytest.fixture
def tare(disk, monkeypatch):
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")
    with engine(disk.place / "t") as made:
        yield made


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A store with an image: busybox, many small files and a large one."""
    place = tmp_path_factory.mktemp("source")
    store = Store(place / "store")
    tree = place / "tree"
    (tree / "many").mkdir(parents=True)
    for number in range(FILES):
        (tree / f"many/{number}").write_text("x")
    (tree / "big").write_bytes(os.urandom(BYTES))
    (tree / "bin").mkdir()
    (tree / "bin/sh").write_bytes(Path("/bin/busybox").read_bytes())
    (tree / "bin/sh").chmod(0o755)
    from_tree(store, tree, "big:1")
    with (place / "archive").open("wb") as sink:
        save(store, ["big:1"], sink)
    return store, place / "archive"


@pytest.fixture
def name(source, tmp_path):
    """The image's name in a real registry."""
    (tmp_path / "registry").mkdir()
    registry, process = launch(tmp_path / "registry")
    try:
        push(source[0], "big:1", Reference.parse(f"{registry.host}/team/big:1"))
        yield f"{registry.host}/team/big:1"
    finally:
        process.kill()
        process.wait()


class Case:
    """A command that needs room."""

    def __init__(self, tare, disk, what, figure):
        self.tare, self.disk, self.what, self.figure = tare, disk, what, figure
        self.store = Store(Path(tare.home) / "images")

    def meets(self, row, *words, left):
        """It fails, in a line that says why; nothing is damaged; with room it passes."""
        self.disk.fill(self.what, left)
        said = self.tare.fails(*words)
        self.disk.free()
        problems = verify(self.store)
        again = self.tare.tare(*words)
        self.figure("T7", what=f"{row}, {self.what}", said=(re.search(FULL, said) or [""])[0][-30:],
                    problems=len(problems), retry=again.returncode)  # fmt: skip
        assert "Traceback" not in said
        assert re.search(FULL, said), said
        assert "  hint: " in said or "RUN" in row
        assert problems == []
        assert again.returncode == 0, again.stderr
        assert verify(self.store) == []


@pytest.fixture(params=["bytes", "inodes"])
def case(tare, disk, request, figure):
    bootstrap(Store(Path(tare.home) / "images"), "busybox")
    return Case(tare, disk, request.param, figure)


def room(case, amount, inodes):
    return amount if case.what == "bytes" else inodes


def test_pull(case, name):
    case.meets("pull", "image", "pull", "-q", name, left=room(case, 1 << 20, 2))


def test_load(case, source):
    case.meets("load", "image", "load", "-q", "-i", str(source[1]), left=room(case, 1 << 20, 6))


def test_run(case, source):
    case.tare.tare("image", "load", "-q", "-i", str(source[1]))
    words = ("container", "run", "--rm", "--network", "none", "big:1", "sh", "-c", "true")
    case.meets("run", *words, left=room(case, 1 << 20, 40))
    until(lambda: not case.tare.names())


@pytest.mark.parametrize("step", ["COPY", "RUN"])
def test_build(case, step, tmp_path):
    """In a RUN it is the command that says so, and what it said is shown."""
    context = tmp_path / "context"
    context.mkdir()
    (context / "big").write_bytes(os.urandom(BYTES))
    script = "mkdir /many; for n in $(seq 300); do echo x > /many/$n; done; cp /big /copy"
    (context / "Dockerfile").write_text(f"FROM busybox\nCOPY big /\nRUN {script}\n")
    words = ("image", "build", "--progress", "plain", "-t", "built:1", str(context))
    left = room(case, 1 << 20, 12) if step == "COPY" else room(case, 9 << 20, 500)
    case.meets(f"build, {step}", *words, left=left)


def test_save(case, source, tmp_path):
    """The file that it writes may be on the full disk: it is not there then."""
    case.tare.tare("image", "load", "-q", "-i", str(source[1]))
    target = case.disk.place / "exported.tar"
    case.meets("save", "image", "save", "-o", str(target), "big:1", left=room(case, 1 << 20, 0))
    assert not list(target.parent.glob("*.partial-*"))
