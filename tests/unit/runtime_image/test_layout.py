"""The store's `oci-layout`: another version, or no version, is refused before anything is read or removed."""

import shutil

import pytest

from runtime.errors import RuntimeFault
from runtime.image import Store, from_tree
from runtime.image.prune import prune
from runtime.image.verify import verify

WRONG = {
    "a later version": (b'{"imageLayoutVersion":"2.0.0"}', "is 2.0.0, not 1.0.0"),
    "a number": (b'{"imageLayoutVersion":1}', "is missing"),
    "no version": (b"{}", "is missing"),
    "a list": (b"[]", "is missing"),
    "half of it": (b'{"imageLay', "is no JSON"),
    "nothing": (b"", "is no JSON"),
    "no text": (b"\xff\xfe", "is no JSON"),
}


@pytest.fixture
def store(tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/a").write_text("a")
    made = Store(tmp_path / "images")
    from_tree(made, tmp_path / "tree", "one")
    return made


@pytest.mark.parametrize("what", WRONG)
def test_another_layout_is_refused_by_every_use(store, tmp_path, what):
    content, words = WRONG[what]
    marker = store.root / "oci-layout"
    marker.write_bytes(content)
    before = sorted(store.root.rglob("*"))
    uses = {
        "resolve": lambda: store.resolve("one"),
        "images": store.images,
        "remove": lambda: store.remove("one"),
        "prune": lambda: prune(store),
        "write": lambda: from_tree(store, tmp_path / "tree", "two"),
    }
    for name, use in uses.items():
        with pytest.raises(RuntimeFault) as caught:
            use()
        assert caught.value.kind == "corrupt", name
        assert f"{marker}: the version of the image layout {words}" in str(caught.value), name
        assert f"remove {marker}" in caught.value.hint, name
    assert any(words in problem.what for problem in verify(store))
    assert sorted(store.root.rglob("*")) == before


def test_the_remedy_works(store, tmp_path):
    (store.root / "oci-layout").write_bytes(b"{")
    (store.root / "oci-layout").unlink()
    from_tree(store, tmp_path / "tree", "two")
    assert [str(name) for name, _ in store.images()] == [
        "docker.io/library/one:latest",
        "docker.io/library/two:latest",
    ]
    assert verify(store) == []


def test_a_directory_in_its_place_is_no_layout(store):
    (store.root / "oci-layout").unlink()
    (store.root / "oci-layout").mkdir()
    with pytest.raises(RuntimeFault, match="that of a directory"):
        store.resolve("one")
    shutil.rmtree(store.root / "oci-layout")
    assert store.resolve("one").layers
