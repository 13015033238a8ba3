"""Images for several platforms, through a real docker-registry and skopeo."""

import json

import pytest

from runtime.errors import RuntimeFault
from runtime.image import Reference, Store, from_tree
from runtime.image.manifest import INDEX, MANIFEST, Descriptor, Index, Platform, encode
from runtime.image.platform import host_platform
from runtime.image.verify import verify
from runtime.registry import pull, push
from tests.registry.server import skopeo
from tests.registry.test_mirrors import Notes

OTHER = Platform(os="linux", architecture="s390x" if host_platform().architecture != "s390x" else "amd64")


@pytest.fixture
def index(tmp_path):
    """A store with the index "many:1" of two images, this host's and another's; and the two."""
    store, images = Store(tmp_path / "source"), []
    for number, platform in enumerate((OTHER, host_platform())):
        tree = tmp_path / f"tree{number}"
        tree.mkdir()
        (tree / "platform").write_text(platform.architecture)
        images.append((platform, from_tree(store, tree, f"one:{number}")))
    entries = tuple(
        Descriptor(
            media_type=MANIFEST, digest=image.digest, size=store.blobs.path(image.digest).stat().st_size,
            platform=platform,
        )
        for platform, image in images
    )  # fmt: skip
    with store.writing():
        whole = store.blobs.write(encode(Index(schema_version=2, media_type=INDEX, manifests=entries)), INDEX)
        store.tags.set(Reference.parse("many:1"), whole)
    return store, whole, [image for _, image in images]


@pytest.fixture
def pushed(registry, index):
    reference = Reference.parse(f"{registry.host}/team/many:1")
    push(index[0], "many:1", reference)
    return reference


def inspected(reference):
    return json.loads(skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{reference}"))


def test_an_index_is_pushed_with_all_that_it_names(pushed, index, tmp_path):
    assert [entry["digest"] for entry in inspected(pushed)["manifests"]] == [one.digest for one in index[2]]
    skopeo("copy", "--all", "--src-tls-verify=false", f"docker://{pushed}", f"oci:{tmp_path / 'copy'}:x")
    blobs = {path.name for path in (tmp_path / "copy/blobs/sha256").iterdir()}
    assert {layer.digest.hex for image in index[2] for layer in image.layers} <= blobs


def test_of_an_index_only_this_hosts_image_is_fetched(pushed, index, store):
    _, whole, (other, own) = index
    assert pull(store, pushed).digest == whole.digest
    assert store.resolve(pushed).digest == own.digest
    assert other.layers[0].digest not in store.blobs
    assert verify(store) == []


def test_another_platform_is_fetched_where_it_is_asked_for(pushed, index, store):
    other = index[2][0]
    assert pull(store, pushed, platform=OTHER).digest == other.digest
    assert other.layers[0].digest in store.blobs
    assert index[2][1].layers[0].digest not in store.blobs


def test_all_platforms_and_on_to_another_repository(pushed, index, store, registry):
    pull(store, pushed, every=True)
    assert all(layer.digest in store.blobs for image in index[2] for layer in image.layers)
    again = Reference.parse(f"{registry.host}/team/again:1")
    assert push(store, pushed, again).digest == index[1].digest
    assert inspected(again) == inspected(pushed)


def test_what_is_pushed_on_of_a_part_is_that_part_and_it_is_said(pushed, index, store, registry):
    pull(store, pushed)
    again, notes = Reference.parse(f"{registry.host}/team/again:1"), Notes()
    push(store, pushed, again, watch=notes)
    assert "pushed alone" in notes.said[0]
    assert "manifests" not in inspected(again)


def test_dockers_manifest_lists(pushed, index, store, registry):
    listed = Reference.parse(f"{registry.host}/team/listed:1")
    skopeo(
        "copy", "--all", "--format=v2s2", "--src-tls-verify=false", "--dest-tls-verify=false",
        f"docker://{pushed}", f"docker://{listed}",
    )  # fmt: skip
    assert inspected(listed)["mediaType"] == "application/vnd.docker.distribution.manifest.list.v2+json"
    pull(store, listed)
    assert store.resolve(listed).diff_ids == index[2][1].diff_ids


def test_a_platform_that_is_not_there_is_named_with_those_that_are(pushed, store):
    with pytest.raises(
        RuntimeFault, match=f"has no image for plan9/mips, only for linux/{OTHER.architecture}, "
    ):
        pull(store, pushed, platform=Platform(os="plan9", architecture="mips"))
    assert store.images() == []


def test_zstd_layers_are_pushed_as_they_are(registry, made, store):
    source, _ = made
    first = Reference.parse(f"{registry.host}/team/zstd:1")
    layout = f"oci:{source.root}:docker.io/library/made:1"
    skopeo("copy", "--dest-tls-verify=false", "--dest-compress-format=zstd", layout, f"docker://{first}")
    pull(store, first)
    again = Reference.parse(f"{registry.host}/team/again:1")
    push(store, first, again)
    assert inspected(again)["layers"][0]["mediaType"] == "application/vnd.oci.image.layer.v1.tar+zstd"
    assert inspected(again) == inspected(first)
