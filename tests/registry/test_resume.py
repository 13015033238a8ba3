"""A pull that was killed is taken up by the next process where it was, and not believed."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from runtime.image import Reference
from runtime.image.prune import prune
from runtime.image.verify import verify
from runtime.registry import limits, pull
from runtime.registry.faults import RegistryFault
from tests.registry.faulty import NAME, Faulty, serving

ROOT = Path(__file__).resolve().parents[2]
PULL = """
import sys
from pathlib import Path
from runtime.image import Reference, Store
from runtime.registry import pull
pull(Store(Path(sys.argv[1])), Reference.parse(sys.argv[2]), unpack=True)
"""


@pytest.fixture
def server(made):
    source, image = made
    with serving(Faulty(source, image)) as faulty:
        yield faulty


@pytest.fixture
def layer(made):
    return made[1].layers[0]


def name(server):
    return Reference.parse(f"{server.host}/{NAME}:1")


def well(handler):
    handler.reply(200, handler.blob())


def halves(store):
    return [path.stat().st_size for path in (store.root / "partial").glob("*")]


def begun(store, layer, content):
    with pytest.raises(RuntimeError), store.partials.growing(layer.digest, layer.size) as sink:
        sink.write(content)
        raise RuntimeError("killed")


def test_a_killed_pull_goes_on_by_range(server, layer, store):
    sent, gone = Event(), Event()

    def half(handler):
        content = handler.blob()
        handler.reply(200, content[: len(content) // 2], claim=len(content))
        handler.wfile.flush()
        sent.set()
        gone.wait(30)
        handler.hang_up()

    server.wrongs["blob"] = [well, half]
    process = subprocess.Popen([sys.executable, "-c", PULL, store.root, str(name(server))], cwd=ROOT)
    assert sent.wait(30)
    while not (there := store.partials.size(layer.digest)):
        assert process.poll() is None
    process.kill()
    process.wait()
    gone.set()
    there = store.partials.size(layer.digest)
    server.asked.clear()
    pull(store, name(server), unpack=True)
    assert server.ranges() == [f"bytes={there}-"]
    assert verify(store) == []
    assert (store.layers / store.resolve(name(server)).diff_ids[0].hex / "big").stat().st_size == 3 << 20
    assert halves(store) == []


@pytest.mark.parametrize("whole", [False, True])
def test_a_damaged_beginning_costs_one_more_download(server, layer, store, whole):
    with store.writing():
        begun(store, layer, os.urandom(layer.size if whole else 1 << 20))
        assert halves(store) == [layer.size if whole else 1 << 20]
    pull(store, name(server), unpack=True)
    assert server.ranges()[1:] == ([None] if whole else [f"bytes={1 << 20}-", None])
    assert verify(store) == []
    assert halves(store) == []


def test_a_whole_blob_that_was_not_named_yet_is_not_fetched(server, layer, store):
    begun(store, layer, server.blobs[layer.digest])
    pull(store, name(server))
    assert server.ranges() == [None]  # the configuration
    assert verify(store) == []


def test_more_than_the_blob_has_is_thrown_away(server, layer, store):
    begun(store, layer, server.blobs[layer.digest] + b"x")
    pull(store, name(server))
    assert server.ranges() == [None, None]
    assert verify(store) == []


def test_what_was_received_damaged_is_not_kept(server, layer, store, monkeypatch):
    monkeypatch.setattr(limits, "FIRST_PAUSE", 0.01)
    server.blobs[str(layer.digest)] = bytes(layer.size)
    with pytest.raises(RegistryFault, match="damaged on its way"):
        pull(store, name(server))
    assert halves(store) == []


def test_prune_gives_the_space_back(layer, store):
    with store.writing():
        begun(store, layer, bytes(range(256)) * 4096)
    assert prune(store).bytes >= 1 << 20
    assert halves(store) == []
