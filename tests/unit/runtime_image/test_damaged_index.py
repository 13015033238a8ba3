"""The store's table of contents is damaged: what is said about it names the file, and the remedy works."""

import re
import shlex

import pytest
from click.testing import CliRunner

from bench.cli.context import Context
from bench.cli.image import command
from runtime.errors import RuntimeFault
from runtime.image import Store, from_tree
from runtime.image.manifest import Index, decode
from runtime.image.prune import prune
from runtime.image.verify import verify

NAME = '"annotations": {"org.opencontainers.image.ref.name": "no such/NAME"}'
ENTRY = '{"mediaType": "x", "size": 1, "digest": %s}'
DAMAGE = {
    "empty": b"",
    "truncated": b'{"schemaVersion":2,"manifests":[{"mediaTy',
    "zeros": bytes(100),
    "bytes": b"\xff\xfe",
    "a list": b"[]",
    "null": b"null",
    "wrong type": b'{"schemaVersion":"x"}',
    "digest of a wrong type": f'{{"schemaVersion":2,"manifests":[{ENTRY % 5}]}}'.encode(),
    "a name that is none": (
        '{"schemaVersion":2,"manifests":[{"mediaType":"x","size":1,"digest":"sha256:'
        + "0" * 64
        + f'",{NAME}}}]}}'
    ).encode(),
}


@pytest.fixture
def store(tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a").write_text("a")
    made = Store(tmp_path / "data/images")
    made.layer_paths(from_tree(made, tree, "first:1"))
    return made


def tare(store, *arguments):
    return CliRunner().invoke(command, arguments, obj=Context.at(store.root.parent))


def remedy(store, text):
    """Do what a hint says: the first `tare image …` in it."""
    words = shlex.split(re.search(r"`tare image ([^`]+)`", text)[1])
    return tare(store, *words)


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
def test_the_remedy_for_a_damaged_index_works_and_loses_nothing(store, content):
    index = store.root / "index.json"
    index.write_bytes(content)
    blobs, layers = set(store.blobs), sorted(store.layers.iterdir())
    for use in (["ls"], ["inspect", "first:1"], ["prune"], ["rm", "first:1"], ["bootstrap", "busybox"]):
        fault = tare(store, *use).exception
        assert isinstance(fault, RuntimeFault), use
        assert (fault.kind, str(index) in str(fault)) == ("corrupt", True), use
        assert index.read_bytes() == content
    done = remedy(store, fault.hint)
    assert done.exit_code == 0, done.exception
    assert (store.root / "index.json.damaged").read_bytes() == content
    assert blobs < set(store.blobs)
    assert sorted(store.layers.iterdir()) == layers
    assert [name.familiar for name, _ in store.images()] == ["busybox"]
    assert verify(store) == []


def test_verify_gives_the_same_remedy(store):
    (store.root / "index.json").write_bytes(b"{")
    shown = tare(store, "verify").stdout
    assert str(store.root / "index.json") in shown
    assert "index.json.damaged" in shown
    assert remedy(store, shown).exit_code == 0
    assert tare(store, "verify").exit_code == 0


@pytest.mark.parametrize("how", ["missing", "a directory"])
def test_an_index_that_is_no_file_has_the_same_remedy(store, how):
    index = store.root / "index.json"
    index.unlink()
    if how == "a directory":
        index.mkdir()
    fault = tare(store, "ls").exception
    assert (fault.kind, str(index) in str(fault)) == ("corrupt", True)
    assert remedy(store, fault.hint).exit_code == 0
    assert tare(store, "verify").exit_code == 0


def test_damage_that_comes_again_overwrites_nothing(store):
    for number in range(3):
        (store.root / "index.json").write_text(f"damage {number}")
        assert store.tags.renew()
    assert not store.tags.renew()
    assert sorted(path.read_text() for path in store.root.glob("index.json.damaged*")) == [
        "damage 0", "damage 1", "damage 2",
    ]  # fmt: skip


def test_a_sound_index_survives_force(store):
    assert tare(store, "bootstrap", "--force", "busybox").exit_code == 0
    assert {name.familiar for name, _ in store.images()} == {"busybox", "first:1"}
    assert not list(store.root.glob("index.json.*"))


def test_the_content_of_lost_names_goes_with_the_next_prune(store):
    (store.root / "index.json").write_bytes(b"")
    store.tags.renew()
    assert prune(store).blobs == 3
    assert list(store.blobs) == []


@pytest.mark.parametrize("digest", ["5", "[]", "{}", "true", '"sha256:x"'])
def test_a_digest_that_is_none_is_damage_of_the_document(digest):
    text = f'{{"schemaVersion":2,"manifests":[{ENTRY % digest}]}}'
    with pytest.raises(RuntimeFault, match="blob x is not a valid Index") as caught:
        decode(text.encode(), Index, name="blob x")
    assert caught.value.kind == "corrupt"
