"""Layers made to break out: whatever a tar says, nothing outside its root changes."""

import hashlib
import io
import os
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest

from runtime.errors import RuntimeFault
from runtime.image.layer.unpack import unpack

FILE, DIR, SYM, LNK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
OUT = "{out}"  # the absolute path of the sentinel tree
UP = "../" * 12


def archive(members, out: Path) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, target in members:
            member = tarfile.TarInfo(name.replace(OUT, str(out)))
            member.type, member.mode = kind, 0o777
            if kind in (SYM, LNK):
                member.linkname = target.replace(OUT, str(out))
            data = target.encode() if kind == FILE else b""
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    buffer.seek(0)
    return buffer


def fingerprint(root: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted([root, *root.rglob("*")]):
        status = path.lstat()
        digest.update(f"{path}{status.st_mode}{status.st_mtime_ns}{status.st_nlink}{status.st_uid}".encode())
        digest.update(repr([(n, os.getxattr(path, n)) for n in os.listxattr(path)]).encode())
        if path.is_file() and not path.is_symlink():
            digest.update(path.read_bytes())
    return digest.hexdigest()


ESCAPED = f"tmp/tare-escaped-{os.getpid()}"

CASES = {
    "dot-dot": [("../victim/file", FILE, "x")],
    "deep dot-dot": [("a/../../victim/file", FILE, "x")],
    "many dot-dots": [(f"{UP}{ESCAPED}", FILE, "x")],
    "absolute": [(f"{OUT}/file", FILE, "x")],
    "dot-dot directory": [("../victim/new", DIR, "")],
    "dot-dot itself": [("..", DIR, "")],
    "link up, then through it": [("a", SYM, "../victim"), ("a/file", FILE, "x")],
    "absolute link, then through it": [("a", SYM, OUT), ("a/file", FILE, "x")],
    "absolute link, then a directory through it": [("a", SYM, OUT), ("a/new", DIR, "")],
    "link to the root, then through it": [("a", SYM, "/"), (f"a{OUT}/file", FILE, "x")],
    "chain of links": [("a", SYM, "b"), ("b", SYM, "c"), ("c", SYM, OUT), ("a/file", FILE, "x")],
    "chain with dot-dot": [
        ("d", DIR, ""),
        ("d/e", SYM, ".."),
        ("d/e/f", SYM, f"{UP}{OUT}"),
        ("f/file", FILE, "x"),
    ],
    "link as file, then write": [("file", SYM, f"{OUT}/file"), ("file", FILE, "x")],
    "link as directory, then mkdir": [("d", SYM, OUT), ("d", DIR, ""), ("d/file", FILE, "x")],
    "mkdir onto a link changes no mode": [("d", SYM, OUT), ("d", DIR, "")],
    "hard link out, absolute": [("h", LNK, f"{OUT}/file"), ("h", FILE, "x")],
    "hard link out, relative": [("h", LNK, "../victim/file"), ("h", FILE, "x")],
    "hard link through a link": [("a", SYM, OUT), ("h", LNK, "a/file"), ("h", FILE, "x")],
    "hard link to a link, then write": [("a", SYM, f"{OUT}/file"), ("h", LNK, "a"), ("h", FILE, "x")],
    "hard link onto a directory through a link": [("a", SYM, OUT), ("a/h", LNK, "a/file")],
    "whiteout out": [("../victim/.wh.file", FILE, "")],
    "whiteout through a link": [("a", SYM, OUT), ("a/.wh.file", FILE, "")],
    "whiteout of dot-dot": [(".wh...", FILE, "")],
    "whiteout of dot": [(".wh..", FILE, "")],
    "whiteout of nothing": [(".wh.", FILE, "")],
    "opaque out": [("../victim/.wh..wh..opq", FILE, "")],
    "opaque through a link": [("a", SYM, OUT), ("a/.wh..wh..opq", FILE, "")],
    "link replaced in the middle": [
        ("a", DIR, ""),
        ("a/b", DIR, ""),
        ("a/b", SYM, OUT),
        ("a/b/file", FILE, "x"),
    ],
    "directory replaced by a link, modes come last": [("a", DIR, ""), ("a", SYM, OUT)],
    "parent replaced by a link, modes come last": [("a", DIR, ""), ("a/b", DIR, ""), ("a", SYM, OUT)],
    "magic link": [("p", SYM, "/proc/self/cwd"), ("p/file", FILE, "x")],
    "fifo over a link": [("a", SYM, f"{OUT}/file"), ("a", tarfile.FIFOTYPE, "")],
}


@pytest.mark.parametrize("case", CASES)
def test_nothing_outside_the_root_changes(case, tmp_path):
    root, victim = tmp_path / "root", tmp_path / "victim"
    root.mkdir()
    victim.mkdir()
    (victim / "file").write_text("untouched")
    before = fingerprint(victim)
    # Some cases are refused, others land inside the root; a refusal is always this fault.
    with suppress(RuntimeFault):
        unpack(archive(CASES[case], victim), root, owners=False)
    assert fingerprint(victim) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root", "victim"]
    assert not Path(f"/{ESCAPED}").exists()


def test_the_sentinel_would_notice(tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("untouched")
    before = fingerprint(victim)
    with tarfile.open(fileobj=archive(CASES["absolute link, then through it"], victim)) as tar:
        # Python before 3.11.4 knows no filters and trusts by itself.
        trust = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
        tar.extractall(tmp_path, **trust)
    assert fingerprint(victim) != before


def test_links_inside_the_root_are_followed_inside(tmp_path):
    members = [("usr/lib", DIR, ""), ("lib", SYM, "/usr/lib"), ("lib/x", FILE, "inside")]
    unpack(archive(members, tmp_path), tmp_path)
    assert (tmp_path / "usr/lib/x").read_text() == "inside"
    assert (tmp_path / "lib").readlink() == Path("/usr/lib")


@pytest.mark.parametrize("cut", [100, 700, 1100])
def test_a_cut_tar_is_corrupt(tmp_path, cut):
    whole = archive([("a", FILE, "x" * 5000)], tmp_path).getvalue()
    with pytest.raises(RuntimeFault, match="damaged") as caught:
        unpack(io.BytesIO(whole[:cut]), tmp_path)
    assert caught.value.kind == "corrupt"


def test_noise_is_corrupt(tmp_path):
    with pytest.raises(RuntimeFault, match="damaged"):
        unpack(io.BytesIO(os.urandom(4096)), tmp_path)


def test_overlayfs_attributes_in_a_tar_are_dropped(tmp_path):
    member = tarfile.TarInfo("d")
    member.type, member.mode = DIR, 0o755
    member.pax_headers = {"SCHILY.xattr.user.overlay.redirect": "/etc", "SCHILY.xattr.user.tare": "kept"}
    unpack(io.BytesIO(member.tobuf(tarfile.PAX_FORMAT) + bytes(1024)), tmp_path)
    assert os.listxattr(tmp_path / "d") == ["user.tare"]
