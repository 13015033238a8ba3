"""T1: layers made to break out go the whole way, from an archive to a tree; nothing outside changes.

The same layers go through Python's own extractor, once per filter: what it lets out proves that they bite.
"""

from __future__ import annotations

import io
import json
import tarfile
import warnings
from contextlib import suppress
from pathlib import Path

import pytest

from runtime.errors import RuntimeFault
from runtime.image import Digest, Store
from runtime.image.archive.load import load
from tests.fakes.hostile_layers import CASES, ESCAPED, archive, fingerprint

pytestmark = [pytest.mark.privileged, pytest.mark.torture]


class Arena:
    """A place to unpack into, and two trees beside it that must not change."""

    def __init__(self, place):
        self.root, self.victim, self.sibling = place / "root", place / "victim", place / "root-sibling"
        for path in (self.root, self.victim, self.sibling):
            path.mkdir()
        (self.victim / "file").write_text("untouched")
        self._before = self._now()

    def _now(self):
        return fingerprint(self.victim), fingerprint(self.sibling)

    @property
    def escaped(self):
        """Also to where only a dozen of `..` lead, which is then removed."""
        beyond = Path("/", ESCAPED)
        there = beyond.exists()
        beyond.unlink(missing_ok=True)
        return there or self._now() != self._before


@pytest.fixture
def arena(tmp_path):
    def make(name):
        place = tmp_path / name.replace("/", "_")
        place.mkdir(parents=True)
        return Arena(place)

    return make


def image_of(layer: bytes) -> io.BytesIO:
    """Return a docker archive of an image with that layer."""
    config = {
        "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [Digest.of(layer)]}
    }  # fmt: skip
    listed = [{"Config": "c.json", "RepoTags": ["hostile:1"], "Layers": ["l.tar"]}]
    files = {"manifest.json": json.dumps(listed), "c.json": json.dumps(config)}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in (*((n, t.encode()) for n, t in files.items()), ("l.tar", layer)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    buffer.seek(0)
    return buffer


def test_no_layer_escapes(arena, figure):
    escaped, refused, kinds = [], 0, set()
    for case, members in CASES.items():
        place = arena(case)
        layer = archive(members, place.victim).getvalue()
        store = Store(place.root)
        load(store, image_of(layer), what=case)
        image = store.resolve("hostile:1")
        try:
            store.checkout(image)
        except RuntimeFault as fault:
            kinds.add(fault.kind)
            refused += 1
        if place.escaped:
            escaped.append(case)
    figure("T1", what="ours", cases=len(CASES), escaped=len(escaped), refused=refused)
    assert escaped == []
    assert 0 < refused < len(CASES)
    assert kinds == {"corrupt"}


@pytest.mark.parametrize("trust", ["fully_trusted", "tar", "data"])
def test_the_cases_bite(arena, trust, figure, tmp_path, monkeypatch):
    """Each filter of Python's tarfile but "data" lets some out, and "data" refuses what every system has."""
    if not hasattr(tarfile, f"{trust}_filter") and trust != "fully_trusted":
        pytest.skip("this Python's tarfile has no filters")
    given = {"filter": trust} if hasattr(tarfile, f"{trust}_filter") else {}
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")  # one of them writes into the working directory
    escaped = 0
    for case, members in CASES.items():
        place = arena(f"{trust} {case}")
        with tarfile.open(fileobj=archive(members, place.victim)) as tar, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with suppress(tarfile.TarError, OSError, KeyError, ValueError):
                tar.extractall(place.root, **given)
        escaped += place.escaped
    figure("T1", what=f"tarfile, filter {trust}", cases=len(CASES), escaped=escaped)
    assert escaped or trust != "fully_trusted"


def test_absolute_links_of_a_real_system_work(tmp_path):
    """`/bin` to `/usr/bin`, alternatives, `/etc/mtab`: inside the root they lead to what is inside."""
    members = [
        ("usr/bin", tarfile.DIRTYPE, ""), ("bin", tarfile.SYMTYPE, "/usr/bin"),
        ("bin/tool", tarfile.REGTYPE, "tool"), ("etc/alternatives/pager", tarfile.SYMTYPE, "/bin/tool"),
        ("usr/bin/pager", tarfile.SYMTYPE, "/etc/alternatives/pager"),
        ("etc/mtab", tarfile.SYMTYPE, "/proc/self/mounts"), ("var/run", tarfile.SYMTYPE, "/run"),
        ("var/run/lock/x", tarfile.REGTYPE, "x"), ("linked", tarfile.LNKTYPE, "/bin/tool"),
    ]  # fmt: skip
    store = Store(tmp_path / "root")
    load(store, image_of(archive(members, tmp_path).getvalue()))
    tree = store.checkout(store.resolve("hostile:1"))
    assert (tree / "usr/bin/tool").read_text() == "tool"
    assert (tree / "run/lock/x").read_text() == "x"
    assert str((tree / "etc/mtab").readlink()) == "/proc/self/mounts"
    assert (tree / "linked").stat().st_ino == (tree / "usr/bin/tool").stat().st_ino
