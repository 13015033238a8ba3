"""A real docker-registry on this machine's loopback, and images to move."""

import os
import subprocess
import sys

import pytest

from runtime.image import Store, from_tree
from tests.registry.server import launch


@pytest.fixture
def start_registry(tmp_path_factory):
    """Return a function that starts docker-registry with more configuration; all end with the test."""
    running = []

    def start(more="", **options):
        registry, process = launch(tmp_path_factory.mktemp("registry"), more, **options)
        running.append(process)
        return registry

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def registry(start_registry):
    return start_registry()


@pytest.fixture(autouse=True)
def nobody(tmp_path, monkeypatch):
    """Give every test a home without accounts."""
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", os.devnull)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def made(tmp_path):
    """Return an image with two layers' worth of files, in a store of its own."""
    source = Store(tmp_path / "source")
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/motd").write_text("hello\n")
    (tree / "big").write_bytes(os.urandom(3 << 20))
    image = from_tree(source, tree, "made:1")
    return source, image


@pytest.fixture
def tare(made, tmp_path):
    """Return a function that runs the command on a data root in which the image "made:1" is."""
    source, _ = made
    root = tmp_path / "root"
    root.mkdir()
    (root / "images").symlink_to(source.root)

    def run(*words, root=root, code=0, stdin=None):
        command = [sys.executable, "-m", "tests.registry.tare", "--root", str(root), *words]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=os.environ,
            input=stdin or "",
        )
        assert done.returncode == code, done.stderr
        return done

    return run
