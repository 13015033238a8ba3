"""A spawner, a root of one layer, and boxes that run in it."""

from __future__ import annotations

import os

import pytest

from runtime.container import ContainerSpec, Spawner
from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store
from tests.fakes.busybox_layer import make_layer
from tests.privileged.building import Lab


@pytest.fixture(scope="module")
def layer(tmp_path_factory):
    return make_layer(tmp_path_factory.mktemp("busybox") / "layer")


@pytest.fixture
def place(tmp_path):
    return tmp_path / "run", tmp_path / "data"


@pytest.fixture
def spawner(place):
    with Spawner(*place) as made:
        yield made


class Box:
    """Start one thing and read what it prints."""

    def __init__(self, spawner, layer):
        self.spawner, self.layer, self.count = spawner, layer, 0

    def start(self, *args, stdio=None, **changes):
        self.count += 1
        spec = ContainerSpec(**{"id": f"box{self.count}", "layers": (self.layer,), "args": args, **changes})
        fd = stdio if stdio is not None else self.null()
        return self.spawner.start(spec, stdin=fd, stdout=fd, stderr=fd)

    def null(self):
        if not hasattr(self, "_null"):
            self._null = os.open("/dev/null", os.O_RDWR)
        return self._null

    def run(self, *args, **changes):
        """Exit status and output."""
        read, write = os.pipe()
        with os.fdopen(read, "rb") as output, self.start(*args, stdio=write, **changes) as started:
            os.close(write)
            text = output.read().decode()
            return started.wait(10), text

    def sh(self, script, **changes):
        status, text = self.run("sh", "-c", script, **changes)
        assert status.shell_code == 0, text
        return text.strip()


@pytest.fixture
def box(spawner, layer):
    made = Box(spawner, layer)
    yield made
    os.close(made.null())


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A data root with the image busybox."""
    root = tmp_path_factory.mktemp("tare")
    bootstrap(Store(root / "images"), "busybox")
    return root


@pytest.fixture
def lab(home, tmp_path):
    """Builds in `home`, from a context of this test."""
    return Lab.at(home, tmp_path)
