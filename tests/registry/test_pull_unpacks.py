"""A pull with `unpack` leaves layers that a container can be started from; what is wrong has no name."""

import gzip
import json
import os

import pytest

from runtime.errors import RuntimeFault
from runtime.image import Digest, Reference, Store, from_tree
from runtime.image.manifest import Platform
from runtime.image.verify import verify
from runtime.registry import pull
from tests.registry.faulty import NAME, Faulty, serving
from tests.torture.test_registry_faults import dropped

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def faulty(made):
    source, image = made
    with serving(Faulty(source, image)) as registry:
        yield registry


def reference(registry):
    return Reference.parse(f"{registry.host}/{NAME}:1")


def replaced(registry, layer):
    """Serve another layer, truly described by the manifest, but not what the configuration names."""
    manifest = json.loads(registry.manifest)
    del registry.blobs[manifest["layers"][0]["digest"]]
    manifest["layers"][0] |= {"digest": str(Digest.of(layer)), "size": len(layer)}
    registry.blobs[str(Digest.of(layer))] = layer
    registry.manifest = json.dumps(manifest).encode()


def test_the_layers_are_there_and_nothing_else(faulty, store, made):
    pull(store, reference(faulty), unpack=True)
    image = store.resolve(reference(faulty))
    (layer,) = (store.layers / one.hex for one in image.diff_ids)
    assert (layer / "etc/motd").read_text() == "hello\n"
    assert (layer / "big").stat().st_size == 3 << 20
    assert verify(store) == []
    assert [path for path in store.scratch.iterdir() if not path.name.startswith(".")] == []


def test_blobs_that_are_there_are_unpacked_too(faulty, store):
    pull(store, reference(faulty))
    assert list(store.layers.iterdir()) == []
    asked = len(faulty.ranges())
    pull(store, reference(faulty), unpack=True)
    assert len(list(store.layers.iterdir())) == 1
    assert len(faulty.ranges()) == asked


@pytest.mark.parametrize("damage", ["cut", "noise", "another"])
def test_a_layer_that_is_no_such_layer_gets_no_name(faulty, store, damage, tmp_path):
    (tmp_path / "other").mkdir()
    other = Store(tmp_path / "others")
    whole = other.blobs.path(from_tree(other, tmp_path / "other", "other:1").layers[0].digest).read_bytes()
    layer = {"cut": whole[:-9], "noise": gzip.compress(os.urandom(9000)), "another": whole}[damage]
    replaced(faulty, layer)
    with pytest.raises(RuntimeFault) as caught:
        pull(store, reference(faulty), unpack=True)
    assert caught.value.kind == "corrupt"
    assert list(store.layers.iterdir()) == []
    assert store.images() == []


def test_a_blob_that_is_damaged_on_its_way_is_told_as_that(faulty, store):
    digest, content = max(faulty.blobs.items(), key=lambda item: len(item[1]))
    faulty.blobs[digest] = content[:-100] + bytes(100)
    with pytest.raises(RuntimeFault, match=f"{digest} was damaged on its way"):
        pull(store, reference(faulty), unpack=True)
    assert list(store.layers.iterdir()) == []
    assert digest not in list(store.blobs)


def test_what_another_machine_runs_is_only_stored(faulty, store):
    manifest = json.loads(faulty.manifest)
    config = json.loads(faulty.blobs.pop(manifest["config"]["digest"])) | {"architecture": "sparc"}
    content = json.dumps(config).encode()
    manifest["config"] |= {"digest": str(Digest.of(content)), "size": len(content)}
    faulty.blobs[str(Digest.of(content))] = content
    faulty.manifest = json.dumps(manifest).encode()
    pull(store, reference(faulty), unpack=True, platform=Platform(os="linux", architecture="sparc"))
    assert list(store.layers.iterdir()) == []


def test_a_pull_and_a_first_start_unpack_the_same(faulty, store):
    pull(store, reference(faulty), unpack=True)
    image = store.resolve(reference(faulty))
    (pulled,) = (store.layers / one.hex for one in image.diff_ids)
    pulled.rename(store.root / "pulled")
    (unpacked,) = store.layer_paths(image)
    assert listed(store.root / "pulled") == listed(unpacked)


def listed(root):
    return {
        path.relative_to(root): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.lstat().st_size)
        for path in root.rglob("*")
    }


def test_a_connection_that_is_lost_is_no_matter(faulty, store):
    faulty.wrongs["blob"] = [dropped, dropped]  # of the configuration, and of the layer
    pull(store, reference(faulty), unpack=True)
    assert len([one for one in faulty.ranges() if one]) == 2
    assert len(list(store.layers.iterdir())) == 1
    assert verify(store) == []
