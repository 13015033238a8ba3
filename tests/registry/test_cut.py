"""Transfers with a real docker-registry over a line that breaks: they go on where they were."""

import pytest

from runtime.image import Reference
from runtime.image.verify import verify
from runtime.registry import limits, pull, push
from runtime.registry import upload as uploads
from tests.registry.relay import relaying
from tests.registry.test_push import Journal

MIB = 1 << 20


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(limits, "FIRST_PAUSE", 0.01)


def at(host):
    return Reference.parse(f"{host}/team/made:1")


def test_a_pull_is_taken_up_where_it_was_cut(registry, made, store):
    source, image = made
    push(source, "made:1", at(registry.host))
    with relaying(registry.host, down=[MIB, 2 * MIB, 5 * MIB // 2]) as line:
        pull(store, at(line.host))
        assert line.cuts["down"] == []
        # The image has 3 MiB; what was on its way when the line broke comes again.
        assert line.moved["down"] < image.size + 3 * limits.CHUNK + MIB // 2
        assert store.resolve(at(line.host)).digest == image.digest
    assert verify(store) == []


def test_a_push_in_chunks_arrives_and_is_counted_once(registry, made, store, monkeypatch):
    """docker-registry 2 forgets an upload that was cut inside a PATCH, and answers 404: it begins anew."""
    source, image = made
    monkeypatch.setattr(uploads.Upload.run, "__defaults__", (MIB // 2,))
    journal = Journal()
    with relaying(registry.host, up=[MIB, 3 * MIB]) as line:
        push(source, "made:1", at(line.host), watch=journal)
        assert line.cuts["up"] == []
    assert journal.moved[image.layers[0].digest] == image.layers[0].size
    pull(store, at(registry.host))
    assert verify(store) == []


def test_a_push_in_one_piece_is_sent_again(registry, made, store):
    source, _ = made
    with relaying(registry.host, up=[MIB]) as line:
        push(source, "made:1", at(line.host))
        assert line.moved["up"] > 4 * MIB - limits.CHUNK
    pull(store, at(registry.host))
    assert verify(store) == []
