"""Pulling from a real docker-registry what skopeo put there."""

import pytest

from runtime.errors import RuntimeFault
from runtime.image import Reference
from runtime.image.verify import verify
from runtime.registry import pull
from tests.registry.server import free_port, skopeo


@pytest.fixture
def pushed(registry, made):
    source, image = made
    put(source, registry.host, "team/made:1")
    return Reference.parse(f"{registry.host}/team/made:1"), image


def put(source, host, name, *options):
    layout = f"oci:{source.root}:docker.io/library/made:1"
    skopeo("copy", "--dest-tls-verify=false", *options, layout, f"docker://{host}/{name}")


def test_what_skopeo_pushed_arrives_as_it_was(pushed, store):
    reference, image = pushed
    pull(store, reference)
    found = store.resolve(reference)
    assert found.digest == image.digest
    (layer,) = store.layer_paths(found)
    assert (layer / "etc/motd").read_text() == "hello\n"
    assert verify(store) == []


@pytest.mark.parametrize("form", [("--format=v2s2",), ("--dest-compress-format=zstd",)])
def test_docker_manifests_and_zstd_layers(registry, made, store, form):
    source, image = made
    put(source, registry.host, "other:1", *form)
    reference = Reference.parse(f"{registry.host}/other:1")
    pull(store, reference)
    found = store.resolve(reference)
    assert found.diff_ids == image.diff_ids
    (layer,) = store.layer_paths(found)
    assert (layer / "big").stat().st_size == 3 << 20


def test_by_digest(pushed, store):
    reference, image = pushed
    pinned = Reference.parse(f"{reference.name}@{image.digest}")
    pull(store, pinned)
    assert store.resolve(pinned).digest == image.digest


def test_an_unknown_tag_is_missing_and_leaves_nothing(pushed, store):
    reference, _ = pushed
    with pytest.raises(RuntimeFault, match="manifest unknown") as caught:
        pull(store, reference.tagged("2"))
    assert caught.value.kind == "missing"
    assert list(store.blobs) == []
    assert store.images() == []


def test_a_blob_that_is_damaged_at_the_registry_never_gets_into_the_store(registry, pushed, store):
    reference, image = pushed
    (layer,) = image.layers
    file = (
        registry.folder
        / f"storage/docker/registry/v2/blobs/sha256/{layer.digest.hex[:2]}/{layer.digest.hex}/data"
    )
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    with pytest.raises(RuntimeFault, match="damaged on its way") as caught:
        pull(store, reference)
    assert caught.value.kind == "corrupt"
    assert layer.digest not in store.blobs
    assert store.images() == []
    assert [path.name for path in store.scratch.iterdir() if not path.name.startswith(".")] == []


def test_a_registry_that_is_not_there(store):
    with pytest.raises(RuntimeFault, match=r"cannot connect to 127\.0\.0\.1"):
        pull(store, Reference.parse(f"127.0.0.1:{free_port()}/x"))
