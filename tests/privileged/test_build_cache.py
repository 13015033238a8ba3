"""The build cache taken to another store, damaged on the way, shown and given back."""

import json
import threading

import pytest

from runtime.builder import shelf
from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store
from tests.privileged.building import Lab

pytestmark = pytest.mark.privileged
TEXT = "FROM busybox\nWORKDIR /tmp\nCOPY a /\nRUN date +%N > /made\n"


@pytest.fixture
def labs(tmp_path, monkeypatch):
    """Two machines with the same base image."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    found = []
    for name in ("one", "two"):
        bootstrap(Store(tmp_path / name / "images"), "busybox")
        found.append(Lab.at(tmp_path / name, tmp_path / f"{name}-place"))
    return found


def test_a_cache_goes_to_another_store(labs, tmp_path):
    one, two = labs
    place = tmp_path / "cache"
    source, target = f"type=local,src={place}", f"type=local,dest={place},mode=max"
    image = one.built(TEXT, "--cache-to", target, "--cache-from", source)
    said = two.build(TEXT, "-t", "made", "--cache-from", source)
    assert said.stderr.count(" cached") == 3, said.stderr
    assert two.store.resolve("made").layers == image.layers
    made = [(lab.root(lab.store.resolve("made")) / "made").read_text() for lab in labs]
    assert made[0] == made[1]
    assert two.build(TEXT).stderr.count(" cached") == 3  # it has become the store's own
    said = two.build(TEXT.replace("date", "date -u"), "--cache-from", source)
    assert said.stderr.count(" cached") == 2


@pytest.mark.parametrize("damage", ["blob", "index", "image"])
def test_a_damaged_cache_is_refused(labs, tmp_path, damage):
    one, two = labs
    place = tmp_path / "cache"
    image = one.built(TEXT, "--cache-to", f"type=local,dest={place}")
    match damage:
        case "blob":
            blob = place / "blobs/sha256" / image.layers[-1].digest.hex
            blob.write_bytes(blob.read_bytes()[:-1] + b"!")
        case "index":
            (place / "index.json").write_text("{")
        case _:
            place = one.home / "images"
    done = two.build(TEXT, "--cache-from", f"type=local,src={place}")
    assert done.returncode == 1
    assert {"blob": "is damaged", "index": "is not a valid Index", "image": "no build cache"}[
        damage
    ] in done.stderr
    assert "let --cache-to write it again" in done.stderr
    assert two.build(TEXT).returncode == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cache-from", "type=registry,ref=x"], "--cache-from type=registry,ref=x: type=registry is not"),
        (["--cache-to", "type=local"], "no dest"),
        (["--cache-to", "type=local,dest=x,mode=min"], "mode is not supported"),
    ],
)
def test_other_caches_are_refused_by_name(labs, words, message):
    done = labs[0].build(TEXT, *words)
    assert done.returncode == 2
    assert message in done.stderr


def test_the_cache_is_shown_and_given_back(labs):
    lab = labs[0]
    text = TEXT + "RUN --mount=type=cache,id=kept,target=/k echo x > /k/x\nRUN true\n"
    lab.built(text)
    shown = json.loads(lab.tare("image", "cache", "ls", "--format", "json").stdout)
    assert [each["kind"] for each in shown] == ["step"] * 5 + ["mount"]
    assert shown[-1]["name"] == "kept"
    assert sum(each["bytes"] > 0 for each in shown if each["kind"] == "step") == 2
    lab.store.remove("made")
    done = lab.tare("image", "cache", "prune")
    assert "5 steps, 1 cache mounts, 4 blobs removed" in done.stderr
    assert json.loads(lab.tare("image", "cache", "ls", "--format", "json").stdout) == []
    assert "cached" not in lab.build(text).stderr


def test_a_mount_in_use_stays(labs):
    lab = labs[0]
    wait = "touch /k/begun; for i in $(seq 300); do [ -e /k/go ] && exit 0; sleep 0.1; done; exit 1"
    done = []
    thread = threading.Thread(
        target=lambda: done.append(lab.build(f"FROM busybox\nRUN --mount=type=cache,target=/k {wait}\n"))
    )
    thread.start()
    while not (begun := list(lab.home.glob("build-cache/*/begun"))):
        assert thread.is_alive()
    # Its images can't be pruned before the build ends, so only the first half of the command is asked.
    assert shelf.forget(lab.store, lab.home) == (0, 0)
    begun[0].with_name("go").touch()
    thread.join()
    assert done[0].returncode == 0
    assert shelf.forget(lab.store, lab.home) == (1, 1)
