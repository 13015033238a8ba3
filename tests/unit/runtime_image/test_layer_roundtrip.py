"""A tree packed and unpacked is the same tree; a tar is the same bytes each time."""

import gzip
import io
import os
import stat
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import igzip

from runtime.errors import RuntimeFault
from runtime.image.layer.compression import GzipWriter, HashingWriter
from runtime.image.layer.decompression import decompressed, zstd
from runtime.image.layer.entry import mtime_ns, set_mtime, set_xattr, xattrs
from runtime.image.layer.pack import pack
from runtime.image.layer.unpack import unpack

NAME = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=30
).filter(lambda name: name not in {".", ".."} and not name.startswith(".wh.") and len(name.encode()) < 200)
LEAF = st.one_of(
    st.binary(max_size=2000),
    st.tuples(
        st.just("link"),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40),
    ),
)
TREE = st.recursive(
    st.dictionaries(NAME, LEAF, max_size=4),
    lambda inner: st.dictionaries(NAME, st.one_of(LEAF, inner), max_size=4),
)
MTIME = st.integers(0, 2**33 * 10**9)


def build(root: Path, tree, mtime: int) -> None:
    for name, entry in tree.items():
        path = root / name
        if isinstance(entry, dict):
            path.mkdir()
            build(path, entry, mtime)
        elif isinstance(entry, bytes):
            path.write_bytes(entry)
        else:
            path.symlink_to(entry[1])
        os.utime(path, ns=(mtime, mtime), follow_symlinks=False)


def listing(root: Path) -> dict[str, tuple]:
    found = {}
    for path in root.rglob("*"):
        status = path.lstat()
        content: object = None
        if stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        elif stat.S_ISLNK(status.st_mode):
            content = str(path.readlink())
        found[str(path.relative_to(root))] = (oct(status.st_mode), status.st_mtime_ns, content)
    return found


def packed(root: Path) -> bytes:
    sink = io.BytesIO()
    pack(root, sink)
    return sink.getvalue()


@settings(max_examples=60, deadline=None)
@given(tree=TREE, mtime=MTIME)
def test_a_tree_survives_the_round_trip(tree, mtime):
    with tempfile.TemporaryDirectory() as scratch:
        before, after = Path(scratch, "a"), Path(scratch, "b")
        before.mkdir()
        after.mkdir()
        build(before, tree, mtime)
        tar = packed(before)
        unpack(io.BytesIO(tar), after)
        assert listing(after) == listing(before)
        assert packed(after) == tar


@given(st.integers(0, 2**40 * 10**9))
def test_a_time_is_exact_to_the_nanosecond(nanoseconds):
    member = tarfile.TarInfo("a")
    set_mtime(member, nanoseconds)
    block = member.tobuf(tarfile.PAX_FORMAT)
    with tarfile.open(fileobj=io.BytesIO(block + bytes(1024))) as archive:
        assert mtime_ns(archive.getmembers()[0]) == nanoseconds


@given(st.binary(min_size=1, max_size=100))
def test_a_binary_attribute_survives(value):
    member = tarfile.TarInfo("a")
    set_xattr(member, "security.capability", value)
    block = member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    stream = io.BytesIO(block + bytes(1024))
    with tarfile.open(fileobj=stream, encoding="utf-8", errors="surrogateescape") as archive:
        assert xattrs(archive.getmembers()[0]) == {"security.capability": value}


def test_names_that_are_not_text_survive(tmp_path):
    before, after = tmp_path / "a", tmp_path / "b"
    before.mkdir()
    after.mkdir()
    Path(os.fsdecode(bytes(before) + b"/\xff\xfe")).write_text("x")
    unpack(io.BytesIO(packed(before)), after)
    assert [os.fsencode(path.name) for path in after.iterdir()] == [b"\xff\xfe"]


def test_hard_links_stay_one_file(tmp_path):
    before, after = tmp_path / "a", tmp_path / "b"
    (before / "d").mkdir(parents=True)
    after.mkdir()
    (before / "one").write_text("x")
    os.link(before / "one", before / "d" / "two")
    unpack(io.BytesIO(packed(before)), after)
    assert (after / "one").stat().st_ino == (after / "d" / "two").stat().st_ino


def test_modes_and_a_read_only_directory_survive(tmp_path):
    before, after = tmp_path / "a", tmp_path / "b"
    (before / "locked").mkdir(parents=True)
    after.mkdir()
    (before / "locked" / "tool").write_text("x")
    (before / "locked" / "tool").chmod(0o4751)
    (before / "locked").chmod(0o555)
    unpack(io.BytesIO(packed(before)), after)
    assert oct((after / "locked").stat().st_mode) == oct(0o40555)
    assert oct((after / "locked" / "tool").stat().st_mode) == oct(0o104751)


def test_gnu_tars_sparse_file_keeps_its_holes(tmp_path):
    source, after = tmp_path / "holes", tmp_path / "b"
    after.mkdir()
    with source.open("wb") as file:
        for offset in (0, 1 << 20, 9 << 20):
            file.seek(offset)
            file.write(b"data")
        file.truncate(12 << 20)
    for kind in ("gnu", "posix"):
        tar = tmp_path / f"{kind}.tar"
        subprocess.run(
            ["tar", "-C", tmp_path, f"--format={kind}", "--sparse", "-cf", tar, "holes"], check=True
        )
        assert tar.stat().st_size < 1 << 20
        with tar.open("rb") as stream:
            unpack(stream, after)
        assert (after / "holes").read_bytes() == source.read_bytes()
        assert (after / "holes").stat().st_blocks * 512 < 1 << 20


def test_gnu_tar_reads_what_we_write(tmp_path):
    before, after = tmp_path / "a", tmp_path / "b"
    (before / ("long" * 40)).mkdir(parents=True)
    after.mkdir()
    (before / ("long" * 40) / ("name" * 40)).write_bytes(b"x" * 1000)
    done = subprocess.run(
        ["tar", "-C", after, "-xf", "-"], input=packed(before), capture_output=True, check=True
    )
    assert done.stderr == b""
    assert {path: entry[2] for path, entry in listing(after).items()} == {
        path: entry[2] for path, entry in listing(before).items()
    }


@given(st.binary(max_size=300_000))
@settings(max_examples=20, deadline=None)
def test_every_codec_gives_the_plain_bytes(content):
    sink = io.BytesIO()
    ours = GzipWriter(sink)
    ours.write(content)
    ours.finish()
    for coded in (
        sink.getvalue(),
        gzip.compress(content),
        zstd.compress(content),
        igzip.compress(b"") + gzip.compress(content),
    ):
        with decompressed(io.BytesIO(coded), name="a blob") as plain:
            assert b"".join(iter(lambda: plain.read(1 << 16), b"")) == content


def test_equal_content_is_compressed_to_equal_bytes():
    results = set()
    for _ in range(2):
        sink = HashingWriter(io.BytesIO())
        codec = GzipWriter(sink)
        codec.write(b"tare" * 5000)
        codec.finish()
        results.add(sink.digest)
    assert len(results) == 1


def through(coded: bytes) -> bytes:
    with decompressed(io.BytesIO(coded), name="blob sha256:1") as plain:
        return b"".join(iter(lambda: plain.read(1 << 16), b""))


@pytest.mark.parametrize("codec", [gzip.compress, zstd.compress])
def test_cut_compression_is_named(codec):
    whole = codec(os.urandom(5000))
    with pytest.raises(RuntimeFault, match="blob sha256:1 is damaged") as caught:
        through(whole[: len(whole) // 2])
    assert caught.value.kind == "corrupt"


def test_altered_gzip_fails_its_checksum():
    whole = bytearray(gzip.compress(os.urandom(5000)))
    whole[len(whole) // 2] ^= 0xFF
    with pytest.raises(RuntimeFault, match="blob sha256:1 is damaged"):
        through(bytes(whole))
