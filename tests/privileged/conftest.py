"""A spawner, a root of one layer, and boxes that run in it."""

from __future__ import annotations

import os

import msgspec
import pytest

from bench.claims.judge import verdicts
from bench.claims.load import asked, select
from bench.progress import progress
from bench.results import Target, Writer, load
from bench.scenarios.registry import scenarios
from bench.session import Session
from bench.sizes import Sizes
from bench.targets.drivers import Drivers
from bench.targets.residue import prune
from runtime.container import ContainerSpec, NativeSpec, Spawner
from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store
from tests.fakes.busybox_layer import make_layer
from tests.fakes.sample_run import sample_run
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


@pytest.fixture(scope="module")
def drivers(data_root):
    prune(data_root, data_root / "run", print)  # as every run does: tests that were killed left names in use
    with Drivers(data_root, data_root / "run", None, print) as opened:
        # Its two processes are there before any test looks at what is there.
        with opened.spawner.start_native(NativeSpec("first", ("/bin/true",)), stdin=0, stdout=1, stderr=2):
            pass
        yield opened


@pytest.fixture
def judged(tmp_path, monkeypatch):
    """Measures what claims need on the given targets; returns the run, and the verdicts by claim."""
    monkeypatch.setattr("bench.exclusion.reason", lambda _: None)

    def call(*targets, claims=(), wanted=None, variants=(), mode="fast"):
        chosen = select(claims) if claims else ()
        sizes = Sizes(mode, 7, asked=wanted or asked(chosen, fast=True))
        known = tuple(Target(name=t.name, title=t.title, kind=t.kind, available=True) for t in targets)
        empty = {"measurements": (), "failures": (), "warnings": (), "finished": None, "verdicts": ()}
        header = msgspec.structs.replace(sample_run(), targets=known, mode=mode, **empty)
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        with Writer(path, header) as writer, progress(quiet=True) as shown:
            session = Session({t.name: t for t in targets}, sizes, writer, shown)
            for name in sizes.asked:
                scenarios(variants)[name].run(session)
        run = load(path)
        return run, {one["claim"]: one for one in verdicts(chosen, run)}

    return call
