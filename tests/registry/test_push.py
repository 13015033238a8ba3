"""Pushing to a real docker-registry, and what skopeo and another pull make of it."""

import json
import urllib.request

import pytest

from runtime.errors import RuntimeFault
from runtime.image import Reference
from runtime.registry import Watch, pull, push
from runtime.registry import upload as uploads
from tests.registry.server import skopeo


class Journal(Watch):
    """Keeps what became of each blob."""

    def __init__(self):
        self.ends = {}
        self.moved = {}

    def advance(self, digest, count):
        self.moved[digest] = self.moved.get(digest, 0) + count

    def end(self, digest, how):
        self.ends[digest] = how


def target(registry, name):
    return Reference.parse(f"{registry.host}/{name}")


def test_skopeo_reads_what_we_push_and_so_do_we(registry, made, store, tmp_path):
    source, image = made
    there = target(registry, "team/made:1")
    push(source, "made:1", there)
    skopeo("copy", "--src-tls-verify=false", f"docker://{there}", f"dir:{tmp_path / 'dir'}")
    assert (
        json.loads((tmp_path / "dir/manifest.json").read_text())["layers"][0]["digest"]
        == image.layers[0].digest
    )
    pull(store, there)
    assert store.resolve(there).digest == image.digest


def test_large_blobs_go_in_chunks(registry, made, monkeypatch, store):
    source, image = made
    monkeypatch.setattr(uploads.Upload.run, "__defaults__", (1 << 20,))
    journal = Journal()
    push(source, "made:1", target(registry, "chunked:1"), watch=journal)
    assert journal.moved[image.layers[0].digest] == image.layers[0].size > 2 << 20
    pull(store, target(registry, "chunked:1"))


def test_existing_blobs_are_skipped_and_those_of_a_neighbour_mounted(registry, made):
    source, image = made
    first, journal = target(registry, "first:1"), Journal()
    push(source, "made:1", first, watch=journal)
    assert set(journal.ends.values()) == {"done"}
    journal = Journal()
    push(source, "made:1", first, watch=journal)
    assert set(journal.ends.values()) == {"exists"}
    source.tag("made:1", first)
    journal = Journal()
    push(source, "made:1", target(registry, "second:1"), watch=journal)
    assert journal.ends[image.layers[0].digest] == "mounted"
    assert image.layers[0].digest not in journal.moved
    with urllib.request.urlopen(registry.url("second/tags/list")) as answer:
        assert json.load(answer)["tags"] == ["1"]


def test_a_damaged_blob_is_refused_by_the_registry(registry, made):
    source, image = made
    path = source.blobs.path(image.layers[0].digest)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(RuntimeFault, match="digest invalid"):
        push(source, "made:1", target(registry, "bad:1"))
