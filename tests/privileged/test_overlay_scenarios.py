"""copy-on-write, overlay-lookup and layers-integrity on real overlays, and what finds a faulty store."""

import pytest

from bench.results import load
from bench.targets.drivers import Drivers
from bench.workloads import integrity
from bench.workloads.images import provide
from tests.fakes.figures import figures

pytestmark = [pytest.mark.privileged, pytest.mark.slow, pytest.mark.timeout(600)]
SIZES = (4096, 65536, 2**20, 2**24, 2**26)


@pytest.fixture(scope="module")
def run(tare, tmp_path_factory):
    folder = tmp_path_factory.mktemp("overlay")
    json, html = folder / "run.json", folder / "run.html"
    words = ("copy-on-write", "overlay-lookup", "layers-integrity")
    done = tare("run", *words, "-t", "container", "--fast", "-r", "1", "-q", "--json", json, "--html", html)
    assert done.returncode == 0, done.stderr
    return load(json)


@pytest.mark.parametrize("size", SIZES)
def test_the_first_write_copies_the_whole_file_and_nothing_else_does(run, size):
    found = figures(run, "container", size=size)
    assert set(found["copied_by_reading"]) == {0}
    assert all(size <= copied <= 1.01 * size for copied in found["copied_by_first_write"])
    assert set(found["copied_by_second_write"]) == {0}


@pytest.mark.parametrize("layers", [1, 10, 50, 100])
def test_a_stack_resolves_to_its_topmost_layer(run, layers):
    found = figures(run, "container", layers=layers)
    for fact in ("topmost", "whiteout_hides", "opaque_hides", "directories_merge"):
        assert set(found[fact]) == {1.0}, fact


def test_writes_stay_in_the_container_and_changed_bytes_are_found(run):
    facts = {
        m.metric: {s.value for s in m.samples} for m in run.measurements if m.scenario == "layers-integrity"
    }
    assert len(facts) == 8
    assert set(map(tuple, facts.values())) == {(1.0,)}, facts


def test_a_written_layer_and_a_changed_blob_have_other_digests(data_root, tmp_path):
    tree = tmp_path / "layer"
    tree.mkdir()
    (tree / "file").write_bytes(b"as it was")
    before = integrity.trees([tree])
    (tree / "file").write_bytes(b"as it is.")
    assert integrity.trees([tree]) != before
    with Drivers(data_root, tmp_path / "run", None, lambda _: None) as drivers:
        image = provide(drivers, "agent")
        store = drivers.store
        assert integrity.content(store.root, image.reference) == integrity.names(store.root, image.reference)
        blob = store.blobs.path(image.image.layers[-1].digest)
        content = blob.read_bytes()
        try:
            blob.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
            assert integrity.content(store.root, image.reference) != integrity.names(
                store.root, image.reference
            )
        finally:
            blob.write_bytes(content)
