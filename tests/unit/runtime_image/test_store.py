"""The store: naming, sharing, damage, repair and layout. No root needed."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from runtime.errors import RuntimeFault
from runtime.image import Change, File, Image, Store, Symlink, commit, derive, from_tree
from runtime.image.layer.entry import compose
from runtime.image.manifest import ConfigDocument, decode
from runtime.image.prune import prune
from runtime.image.verify import verify


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "images")


@pytest.fixture(autouse=True)
def fixed_clock(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.fixture
def base(store: Store, tmp_path: Path) -> Image:
    tree = tmp_path / "tree"
    (tree / "usr/lib").mkdir(parents=True)
    (tree / "usr/lib/old").write_text("old")
    (tree / "lib").symlink_to("usr/lib")
    (tree / "srv").mkdir(mode=0o750)
    for path in sorted(tree.rglob("*")):
        os.utime(path, (1600000000, 1600000000), follow_symlinks=False)
    return from_tree(store, tree, "base", config=Change(env={"A": "1"}, cmd=("sh",)))


def test_an_empty_store_is_not_made_by_reading(store):
    assert store.images() == []
    assert verify(store) == []
    assert prune(store).blobs == 0
    with pytest.raises(RuntimeFault, match="no image named busybox") as caught:
        store.resolve("busybox")
    assert caught.value.kind == "missing"
    assert "tare image bootstrap busybox" in caught.value.hint
    assert not store.root.exists()


def test_a_missing_image_lists_the_known_ones(store, base):
    with pytest.raises(RuntimeFault) as caught:
        store.resolve("nosuch:1")
    assert caught.value.hint.startswith("known images: base;")


def test_names_digests_and_their_first_digits_resolve(store, base):
    store.tag("base", "other/name:2")
    for ref in (
        "base",
        "base:latest",
        "other/name:2",
        base.digest,
        base.digest.hex,
        base.digest.hex[:9],
        f"base@{base.digest}",
    ):
        assert store.resolve(ref) == base, ref
    assert [name.familiar for name, _ in store.images()] == ["base", "other/name:2"]


def test_equal_input_gives_an_equal_image(store, base, tmp_path):
    again = from_tree(
        Store(tmp_path / "second"), tmp_path / "tree", "base", config=Change(env={"A": "1"}, cmd=("sh",))
    )
    assert again.digest == base.digest
    files = {"usr/lib/tare/agent": File(b"#!/bin/sh\n", mode=0o755), "b": b"x"}
    assert (
        derive(store, base, files, "one").digest
        == derive(store, base, dict(reversed(files.items())), "two").digest
    )


def test_a_derived_image_shares_its_base_and_follows_its_links(store, base):
    image = derive(
        store, base, {"/lib/tare/agent": File(b"hi", mode=0o755), "srv/x": b"x", "l": Symlink("srv")}, "d"
    )
    lower, upper = store.layer_paths(image)
    assert store.layer_paths(base) == (lower,)
    assert (upper / "usr/lib/tare/agent").read_bytes() == b"hi"
    assert not (upper / "lib").exists()
    assert oct((upper / "srv").stat().st_mode) == oct(0o40750)
    tree = store.checkout(image)
    assert (tree / "lib/tare/agent").stat().st_mode & 0o777 == 0o755
    assert (tree / "usr/lib/old").read_text() == "old"
    assert image.config == base.config
    assert [step.created_by for step in image.document.history] == ["tare import", "tare derive"]


def test_commit_applies_changes_and_records_history(store, base, tmp_path):
    upper = tmp_path / "upper"
    upper.mkdir()
    same = commit(
        store, base, upper, "same", config=Change(env={"B": "2"}, entrypoint=("/x",)), comment="why"
    )
    assert same.diff_ids == base.diff_ids
    assert same.config.env == ("A=1", "B=2")
    assert same.argv() == ("/x", "sh")
    assert same.argv(("y",)) == ("/x", "y")
    assert same.document.history[-1].empty_layer
    assert same.document.history[-1].comment == "why"
    (upper / "new").write_text("new")
    (upper / "usr").mkdir()
    (upper / "usr/lib").symlink_to("/elsewhere")
    image = commit(store, base, upper, "changed")
    tree = store.checkout(image)
    assert (tree / "new").read_text() == "new"
    assert (tree / "usr/lib").readlink() == Path("/elsewhere")
    assert len(store.layer_paths(image)) == 2


def test_whiteouts_and_opaque_directories_hide_in_a_checkout(store, base, tmp_path):
    extra = derive(store, base, {"srv/a": b"a", "srv/b": b"b", "etc/c": b"c"}, "extra")
    layer = store.add_layer(
        _tar({"srv/.wh.a": b"", "etc/.wh..wh..opq": b"", "etc/new": b"n", ".wh.lib": b""})
    )
    document = msgspec.structs.replace(
        extra.document,
        rootfs=msgspec.structs.replace(extra.document.rootfs, diff_ids=(*extra.diff_ids, layer[1])),
    )
    image = store.add_image(document, (*extra.layers, layer[0]), "hidden")
    tree = store.checkout(image)
    assert sorted(path.name for path in tree.iterdir()) == ["etc", "srv", "usr"]
    assert [path.name for path in (tree / "srv").iterdir()] == ["b"]
    assert [path.name for path in (tree / "etc").iterdir()] == ["new"]


def _tar(entries):
    return lambda sink: compose(entries, sink, mtime=0)


def test_a_checkout_is_a_copy(store, base):
    (layer,) = store.layer_paths(base)
    tree = store.checkout(base)
    assert (tree / "usr/lib/old").stat().st_ino != (layer / "usr/lib/old").stat().st_ino
    (tree / "usr/lib/old").write_text("ruined")
    assert (layer / "usr/lib/old").read_text() == "old"
    (problem,) = verify(store)
    assert str(tree) in problem.what
    assert f"remove {tree}" in problem.remedy


def test_removal_frees_only_what_nobody_needs(store, base):
    derived = derive(store, base, {"x": b"x" * 5000}, "derived")
    store.layer_paths(derived)
    store.remove("derived")
    done = prune(store)
    assert (done.blobs, done.directories) == (3, 1)
    assert verify(store) == []
    assert store.layer_paths(store.resolve("base"))[0].exists()
    assert prune(store, cache=True).directories == 1
    assert store.layer_paths(base)[0].exists()
    with pytest.raises(RuntimeFault, match="no image named derived"):
        store.remove("derived")


def test_prune_keeps_a_directory_in_which_a_process_lives(store, base):
    derived = derive(store, base, {"x": b"x"}, "derived")
    tree = store.checkout(derived)
    store.remove("derived")
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=tree, stdin=subprocess.PIPE) as process:
        assert prune(store).kept == (tree,)
        process.communicate(b"\n")
    assert not tree.with_name("nothing").exists()
    assert tree in {tree} - set(prune(store).kept)
    assert not tree.exists()


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("victim", ["manifest", "config"])
@pytest.mark.parametrize("how", ["alter", "remove", "truncate"])
def test_a_damaged_document_is_named_and_removable(store, base, victim, how):
    digest = base.digest if victim == "manifest" else base.manifest.config.digest
    path = store.blobs.path(digest)
    {"alter": damage, "remove": Path.unlink, "truncate": lambda path: os.truncate(path, 5)}[how](path)
    with pytest.raises(RuntimeFault) as caught:
        store.resolve("base")
    assert caught.value.kind == "corrupt"
    assert digest in str(caught.value)
    assert "tare image rm" in caught.value.hint
    assert any(digest in problem.what for problem in verify(store))
    with pytest.raises(RuntimeFault, match=digest):
        prune(store)
    store.remove("base")
    prune(store)
    assert verify(store) == []


@pytest.mark.parametrize("how", ["alter", "remove", "truncate"])
def test_a_damaged_layer_is_never_unpacked(store, base, how):
    digest = base.layers[0].digest
    path = store.blobs.path(digest)
    {"alter": damage, "remove": Path.unlink, "truncate": lambda path: os.truncate(path, 50)}[how](path)
    with pytest.raises(RuntimeFault) as caught:
        store.layer_paths(base)
    assert caught.value.kind == "corrupt"
    assert digest in str(caught.value) or "tar is damaged" in str(caught.value)
    assert list(store.layers.iterdir()) == []
    assert any(digest in problem.what for problem in verify(store))


def test_a_layer_under_a_wrong_diff_id_is_refused(store, base):
    other = derive(store, base, {"x": b"x"}, "other")
    document = msgspec.structs.replace(other.document, rootfs=base.document.rootfs)
    image = store.add_image(document, other.layers[1:], "swapped")
    prune(store, cache=True)  # deriving has unpacked the base
    with pytest.raises(RuntimeFault, match="is not the layer"):
        store.layer_paths(image)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schemaVersion":"x"}', b"\xff\xfe", b"null"])
def test_a_damaged_index_is_named(store, base, content):
    (store.root / "index.json").write_bytes(content)
    for use in (store.images, lambda: store.resolve("base"), lambda: prune(store)):
        with pytest.raises(RuntimeFault, match=r"index\.json") as caught:
            use()
        assert caught.value.kind == "corrupt"
    assert any("index.json" in problem.what for problem in verify(store))


def test_a_lost_index_is_not_an_empty_store(store, base):
    (store.root / "index.json").unlink()
    with pytest.raises(RuntimeFault, match="lost its names"):
        store.images()


def test_a_directory_that_no_layer_speaks_of_is_the_same_each_time(store, base):
    """A tar may hold `a/b/c` alone; what is made for it above must not differ from one time to the next."""
    layer, diff_id = store.add_layer(_tar({"a/b/c": b"x"}))
    rootfs = msgspec.structs.replace(base.document.rootfs, diff_ids=(diff_id,))
    image = store.add_image(msgspec.structs.replace(base.document, rootfs=rootfs), (layer,), "implied")
    (tree,) = store.layer_paths(image)
    assert [(tree / name).stat().st_mtime_ns for name in ("a", "a/b")] == [0, 0]
    store.checkout(image)
    assert verify(store) == []


def test_a_changed_layer_directory_is_found(store, base):
    (layer,) = store.layer_paths(base)
    assert verify(store) == []
    (layer / "usr/lib/old").write_text("bad")
    (problem,) = verify(store)
    assert str(layer) in problem.what


def test_work_of_a_dead_process_is_cleared(store, base):
    left = store.scratch / "left"
    (left / "deep").mkdir(parents=True)
    (left / "deep").chmod(0o500)
    store.tag("base", "again")
    assert not left.exists()


def test_the_documents_are_what_the_specification_says(store, base):
    layout = json.loads((store.root / "oci-layout").read_bytes())
    index = json.loads((store.root / "index.json").read_bytes())
    assert layout == {"imageLayoutVersion": "1.0.0"}
    (entry,) = index["manifests"]
    assert index["schemaVersion"] == 2
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "docker.io/library/base:latest"}
    manifest = json.loads(store.blobs.path(base.digest).read_bytes())
    assert entry["digest"] == base.digest
    assert entry["size"] == store.blobs.path(base.digest).stat().st_size
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert manifest["layers"][0]["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip"
    config = json.loads(store.blobs.path(base.manifest.config.digest).read_bytes())
    assert config["config"] == {"Env": ["A=1"], "Cmd": ["sh"]}
    assert config["rootfs"] == {"type": "layers", "diff_ids": list(base.diff_ids)}
    assert config["created"] == "2023-11-14T22:13:20Z"


def test_dockers_nulls_are_defaults():
    content = (
        b'{"architecture":"amd64","os":"linux","config":{"Cmd":null,"Env":["A=b"],"Labels":null,"Volumes":null},\
        "rootfs":{"type":"layers","diff_ids":[]},"history":null,"docker_version":"1","OnBuild":[]}'
    )
    config = decode(content, ConfigDocument, name="x").config
    assert (config.cmd, config.env, config.labels) == ((), ("A=b",), {})


def test_an_image_is_a_value(base):
    with pytest.raises(dataclasses.FrozenInstanceError):
        base.digest = "x"
