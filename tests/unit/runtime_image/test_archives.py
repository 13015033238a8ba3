"""Archives of images: what goes out comes back, and what is hostile or damaged is refused by name."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.cli.context import Context
from bench.cli.image import command
from runtime.errors import RuntimeFault
from runtime.image import Change, Digest, Reference, Store, derive, from_tree
from runtime.image.archive.load import load
from runtime.image.archive.save import FORMATS, save
from runtime.image.manifest import INDEX, MANIFEST, Descriptor, Index, Platform, encode
from runtime.image.prune import prune
from runtime.image.reference import is_repository
from runtime.image.verify import verify

FILE, DIR, SYM, LNK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


@pytest.fixture(autouse=True)
def fixed_clock(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two images on one base, and one of them under two names."""
    found = Store(tmp_path / "root/images")
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/motd").write_text("hello")
    base = from_tree(found, tree, "base:1", config=Change(env={"A": "1"}, cmd=("sh",)))
    derive(found, base, {"x": b"x" * 1000}, "host:5000/team/derived:2")
    found.tag("base:1", "again")
    return found


@pytest.fixture
def other(tmp_path: Path) -> Store:
    return Store(tmp_path / "other/images")


def saved(store: Store, *names: str, form: str = "oci") -> bytes:
    sink = io.BytesIO()
    save(store, names, sink, form=form)
    return sink.getvalue()


def parts(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar}


def archive(files: dict[str, bytes], *more: tuple[str, bytes, str]) -> io.BytesIO:
    """Make a tar of files, and of more members: name, type, and the target of a link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, kind, target in more:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            tar.addfile(member)
    buffer.seek(0)
    return buffer


@pytest.mark.parametrize("form", FORMATS)
def test_images_and_their_names_come_back(store, other, form):
    names = ("base:1", "again", "host:5000/team/derived:2")
    got = load(other, io.BytesIO(saved(store, *names, form=form)))
    assert {name.familiar: other.resolve(name) for one in got for name in one.names} == {
        name: store.resolve(name) for name in names
    }
    assert verify(other) == []
    assert prune(other).blobs == 0
    assert other.checkout(other.resolve("again")).joinpath("etc/motd").read_text() == "hello"


@pytest.mark.parametrize("form", FORMATS)
def test_a_name_without_a_tag_is_all_tags_of_its_repository(store, other, form):
    for name in ("base:latest", "base:2", "team/base:1", "host:5000/base:1"):
        store.tag("base:1", name)
    load(other, io.BytesIO(saved(store, "base", form=form)))
    assert [name.familiar for name, _ in other.images()] == ["base:1", "base:2", "base"]
    load(other, io.BytesIO(saved(store, "host:5000/base", form=form)))
    assert other.resolve("host:5000/base:1") == store.resolve("base:1")


def test_a_repository_is_a_name_alone():
    names = ("a", "a/b", "host:5000/a", "[::1]:5000/a", "a:1", "host:5000/a:1", f"a@{Digest.of(b'')}")
    assert [is_repository(name) for name in names] == [True] * 4 + [False] * 3


@pytest.mark.parametrize("form", FORMATS)
def test_equal_images_give_equal_archives(store, other, form):
    first = saved(store, "base:1", form=form)
    load(other, io.BytesIO(first))
    assert saved(other, "base:1", form=form) == first


def test_what_has_no_name_keeps_none(store, other):
    digest = store.resolve("base:1").digest
    (one,) = load(other, io.BytesIO(saved(store, digest.hex[:12])))
    assert (one.digest, one.names, other.images()) == (digest, (), [])
    assert other.resolve(digest).config.cmd == ("sh",)


def test_an_index_keeps_what_is_there_of_it(store, other):
    """Of an image for two machines one is in the store; both the index and its digest survive."""
    image = store.resolve("base:1")
    mine = Descriptor(
        media_type=MANIFEST, digest=image.digest, size=store.blobs.path(image.digest).stat().st_size,
        platform=Platform(architecture=image.document.architecture, os="linux"),
    )  # fmt: skip
    foreign = Descriptor(
        media_type=MANIFEST, digest=Digest.of(b"elsewhere"), size=9,
        platform=Platform(architecture="s390x", os="linux"),
    )  # fmt: skip
    index = encode(Index(schema_version=2, media_type=INDEX, manifests=(foreign, mine)))
    top = store.blobs.write(index, INDEX)
    store.tags.set(Reference.parse("many"), top)
    load(other, io.BytesIO(saved(store, "many")))
    assert other.find("many").digest == top.digest
    assert other.resolve("many").digest == image.digest
    assert prune(other).blobs == 0


def test_a_damaged_blob_does_not_leave_the_store(store):
    layer = store.resolve("base:1").layers[0].digest
    content = bytearray(store.blobs.path(layer).read_bytes())
    content[50] ^= 1
    store.blobs.path(layer).write_bytes(content)
    for form in FORMATS:
        with pytest.raises(RuntimeFault, match=str(layer)) as caught:
            saved(store, "base:1", form=form)
        assert caught.value.kind == "corrupt"


def oci(store: Store) -> dict[str, bytes]:
    return parts(saved(store, "base:1"))


def docker(store: Store) -> dict[str, bytes]:
    return parts(saved(store, "base:1", form="docker"))


def edited(files: dict[str, bytes], name: str, **changes: object) -> dict[str, bytes]:
    """Change a field of a JSON document, or of the first one in a list."""
    document = json.loads(files[name])
    (document[0] if isinstance(document, list) else document).update(changes)
    return {**files, name: json.dumps(document).encode()}


def layer_of(files: dict[str, bytes]) -> str:
    return max(files, key=lambda name: len(files[name]) if name.startswith("blobs/") else 0)


def config_of(files: dict[str, bytes]) -> str:
    return next(name for name in files if name.endswith(".json") and name != "manifest.json")


def nested(files: dict[str, bytes], depth: int) -> dict[str, bytes]:
    """Wrap the index into `depth` more."""
    inner = json.loads(files["index.json"])
    result = dict(files)
    for _ in range(depth):
        content = json.dumps(inner).encode()
        digest = Digest.of(content)
        result[f"blobs/sha256/{digest.hex}"] = content
        entry = {"mediaType": INDEX, "digest": digest, "size": len(content)}
        inner = {"schemaVersion": 2, "manifests": [entry]}
    return {**result, "index.json": json.dumps(inner).encode()}


HOSTILE = {
    "a name that climbs out": (lambda s: archive({**oci(s), "../out": b"x"}), "outside of it"),
    "a name that climbs out from within": (lambda s: archive({**oci(s), "a/../../out": b"x"}), "outside"),
    "an absolute name": (lambda s: archive({**oci(s), "/etc/passwd": b"x"}), "outside of it"),
    "a link that leads out": (lambda s: archive(oci(s), ("l", SYM, "../etc/passwd")), "outside of it"),
    "an absolute link": (lambda s: archive(oci(s), ("l", SYM, "/etc/passwd")), "lacks|outside"),
    "a hard link": (lambda s: archive(oci(s), ("l", LNK, "index.json")), "'l', a hard link"),
    "a device": (lambda s: archive(oci(s), ("d", tarfile.CHRTYPE, "")), "'d', a device"),
    "a pipe": (lambda s: archive(oci(s), ("p", tarfile.FIFOTYPE, "")), "'p', a device or pipe"),
    "a blob under another's name": (
        lambda s: archive({**oci(s), layer_of(oci(s)): b"other"}), "is damaged: its content has",
    ),
    "a blob with a bad name": (lambda s: archive({**oci(s), "blobs/sha256/xy": b""}), "no blob's name"),
    "a blob that is missing": (
        lambda s: archive({k: v for k, v in oci(s).items() if k != layer_of(oci(s))}), "lacks 'blobs/sha256",
    ),
    "no images": (lambda s: archive(edited(oci(s), "index.json", manifests=[])), "holds no image"),
    "no layout": (lambda s: archive({k: v for k, v in oci(s).items() if k != "oci-layout"}), "oci-layout"),
    "another layout": (
        lambda s: archive({**oci(s), "oci-layout": b'{"imageLayoutVersion":"9"}'}), "layout is 9",
    ),
    "an index that is none": (lambda s: archive({**oci(s), "index.json": b"[]"}), "not a valid Index"),
    "an index too deep for a parser": (
        lambda s: archive({**oci(s), "index.json": b"[" * 100_000}), "not a valid Index",
    ),
    "a digest that is a path": (
        lambda s: archive(edited(oci(s), "index.json", manifests=[
            {"mediaType": MANIFEST, "digest": "sha256:../../../etc/passwd", "size": 1}])), "not a digest",
    ),
    "an index 100 deep": (lambda s: archive(nested(oci(s), 100)), "more than 3 deep"),
    "a bad name": (
        lambda s: archive(edited(docker(s), "manifest.json", RepoTags=["../UP:1"])), "a bad name",
    ),
    "a name with a digest": (
        lambda s: archive(edited(docker(s), "manifest.json", RepoTags=["x@" + Digest.of(b"")])), "bad name",
    ),
    "a config of somewhere else": (
        lambda s: archive(edited(docker(s), "manifest.json", Config="../../etc/passwd")), "lacks",
    ),
    "a config through a link in a circle": (
        lambda s: archive(edited(docker(s), "manifest.json", Config="a"), ("a", SYM, "b"), ("b", SYM, "a")),
        "lacks",
    ),
    "too few layers": (lambda s: archive(edited(docker(s), "manifest.json", Layers=[])), "is for 1 layers"),
    "another layer": (
        lambda s: archive({**docker(s), json.loads(docker(s)["manifest.json"])[0]["Layers"][0]: b"other"}),
        "holds the layer",
    ),
    "a config that is none": (lambda s: archive({**docker(s), config_of(docker(s)): b"{}"}), "not a valid"),
    "a list that is none": (lambda s: archive({**docker(s), "manifest.json": b"{}"}), "not docker's"),
    "an empty list": (lambda s: archive({**docker(s), "manifest.json": b"[]"}), "holds no image"),
    "a file twice": (
        lambda s: io.BytesIO(archive({"index.json": b"1"}).getvalue()[:1024] + archive(oci(s)).getvalue()),
        "twice, with different contents",
    ),
    "a manifest of 5 MB": (
        lambda s: archive({**docker(s), "manifest.json": b" " * (5 << 20)}), "more than 4 MiB",
    ),
    "no archive of images": (lambda _: archive({"etc/passwd": b"x"}), "no archive of images"),
    "nothing": (lambda _: io.BytesIO(b""), "tar is damaged"),
    "noise": (lambda _: io.BytesIO(os.urandom(20_000)), "is damaged"),
    "cut": (lambda s: io.BytesIO(archive(oci(s)).getvalue()[:2000]), "tar is damaged"),
    "gzip of noise": (lambda _: io.BytesIO(b"\x1f\x8b" + os.urandom(2000)), "is damaged"),
    "bzip2 of noise": (lambda _: io.BytesIO(b"BZh9" + os.urandom(2000)), "is damaged"),
    "xz of noise": (lambda _: io.BytesIO(b"\xfd7zXZ\0" + os.urandom(2000)), "is damaged"),
    "zstd of noise": (lambda _: io.BytesIO(b"\x28\xb5\x2f\xfd" + os.urandom(2000)), "is damaged"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_hostile_or_damaged_is_refused_by_name(case, store, other):
    make, said = HOSTILE[case]
    with pytest.raises(RuntimeFault, match=said) as caught:
        load(other, make(store), what="my.tar")
    assert caught.value.kind == "corrupt"
    assert "my.tar" in str(caught.value) or "blob sha256" in str(caught.value)
    assert "make the archive again" in caught.value.hint
    assert other.images() == []
    assert [path for path in other.scratch.iterdir() if not path.name.startswith(".")] == []
    assert verify(other) == []


def test_docker_links_equal_layers(store, other):
    """Docker before version 25 has one directory for a layer, and links from equal ones."""
    files = docker(store)
    (name,) = json.loads(files["manifest.json"])[0]["Layers"]
    files["a/layer.tar"] = files.pop(name)
    files = edited(files, "manifest.json", Layers=["b/layer.tar"])
    load(other, archive(files, ("b/layer.tar", SYM, "../a/layer.tar")))
    assert other.resolve("base:1").diff_ids == store.resolve("base:1").diff_ids


def attested(files: dict[str, bytes]) -> tuple[dict[str, bytes], dict[str, object]]:
    """Add a manifest that is no image's, as buildx makes it, and its descriptor."""
    config, layer = b"{}", b'{"predicate":{}}'
    texts = {"mediaType": "application/vnd.in-toto+json", "digest": Digest.of(layer), "size": len(layer)}
    empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest.of(config), "size": 2}
    manifest = json.dumps({"schemaVersion": 2, "config": empty, "layers": [texts]}).encode()
    added = {f"blobs/sha256/{Digest.of(one).hex}": one for one in (config, layer, manifest)}
    beside = {"mediaType": MANIFEST, "digest": Digest.of(manifest), "size": len(manifest)}
    return {**files, **added}, beside


def test_an_attestation_is_no_image(store, other):
    """Buildx puts documents beside images that are none."""
    files, beside = attested(oci(store))
    index = json.loads(files["index.json"])
    index["manifests"].append(beside)
    (one,) = load(other, archive({**files, "index.json": json.dumps(index).encode()}))
    assert [name.familiar for name in one.names] == ["base:1"]


def indexed(files: dict[str, bytes], *more: dict[str, object]) -> dict[str, bytes]:
    """Put the archive's image, as one for another machine, and more manifests into an index."""
    index = json.loads(files["index.json"])
    (image,) = index["manifests"]
    names = image.pop("annotations")
    image["platform"] = {"os": "linux", "architecture": "s390x"}
    inner = json.dumps({"schemaVersion": 2, "manifests": [*more, image]}).encode()
    digest = Digest.of(inner)
    top = {"mediaType": INDEX, "digest": digest, "size": len(inner), "annotations": names}
    outer = json.dumps({"schemaVersion": 2, "manifests": [top]}).encode()
    return {**files, f"blobs/sha256/{digest.hex}": inner, "index.json": outer}


def test_an_image_for_other_machines_is_kept_listed_and_not_run(store, other):
    """One with an attestation beside it, and with this host's image in the index but not in the archive."""
    files, beside = attested(oci(store))
    mine = {"mediaType": MANIFEST, "digest": Digest.of(b"elsewhere"), "size": 9}
    mine["platform"] = {"os": "linux", "architecture": store.resolve("base:1").document.architecture}
    load(other, archive(indexed(files, beside, mine)))
    assert [(name.familiar, image) for name, image in other.images()] == [("base:1", store.resolve("base:1"))]
    assert verify(other) == []
    assert prune(other).blobs == 0
    assert len(list(other.blobs)) == 7
    with pytest.raises(RuntimeFault, match="for other machines") as caught:
        other.resolve("base:1")
    assert caught.value.kind == "host"
    assert parts(saved(other, "base:1")).keys() >= {f"blobs/sha256/{one.hex}" for one in other.blobs}
    other.remove("base:1")
    prune(other)
    assert list(other.blobs) == []


def tare(data: Path, *arguments: str, stdin: bytes = b"") -> object:
    return CliRunner().invoke(command, arguments, obj=Context.at(data), input=stdin)


def test_the_commands(store, tmp_path):
    data, file = tmp_path / "root", tmp_path / "a.tar"
    assert tare(data, "save", "-o", str(file), "base:1", "again").exit_code == 0
    assert file.read_bytes() == saved(store, "base:1", "again")
    done = tare(tmp_path / "other", "load", "-i", str(file))
    assert done.stdout == "Loaded image: base:1\nLoaded image: again:latest\n"
    assert store.resolve("base:1").layers[0].digest.short in done.stderr
    assert tare(tmp_path / "other", "load", "-q", "-i", str(file)).stderr == ""


def test_a_file_appears_whole_or_not_at_all(store, tmp_path):
    store.blobs.path(store.resolve("base:1").layers[0].digest).write_bytes(b"bad")
    file = tmp_path / "a.tar"
    file.write_text("older")
    done = tare(tmp_path / "root", "save", "-o", str(file), "base:1")
    assert isinstance(done.exception, RuntimeFault)
    assert file.read_text() == "older"
    assert [path.name for path in tmp_path.glob("a.tar*")] == ["a.tar"]


@pytest.mark.parametrize(("words", "said"), [
    (("load", "-i", "/nowhere"), "cannot read /nowhere: no such file"),
    (("load", "-i", "/"), "cannot read /: is a directory"),
    (("save", "nosuch"), "no image named nosuch"),
    (("export", "nosuch"), "no image named nosuch"),
])  # fmt: skip
def test_what_is_not_there_is_said(store, tmp_path, words, said):
    done = tare(tmp_path / "root", *words)
    assert isinstance(done.exception, RuntimeFault)
    assert said in str(done.exception)
    assert done.exception.hint


def test_a_full_sink_is_not_a_full_store(store, tmp_path):
    with Path("/dev/full").open("wb", buffering=0) as sink, pytest.raises(OSError, match="No space left"):
        save(store, ("base:1",), sink)


def test_a_configuration_is_kept_byte_for_byte(store, other):
    """Docker's image id is the digest of its configuration, in which there is more than we know of."""
    files = docker(store)
    name = config_of(files)
    content = json.dumps({**json.loads(files.pop(name)), "docker_version": "1", "unknown": [1]}).encode()
    files = edited({**files, "c.json": content}, "manifest.json", Config="c.json")
    load(other, archive(files))
    assert other.resolve("base:1").manifest.config.digest == Digest.of(content)
    (item,) = json.loads(docker(other)["manifest.json"])
    assert item["Config"] == f"{Digest.of(content).hex}.json"
