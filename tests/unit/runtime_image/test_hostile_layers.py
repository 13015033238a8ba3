"""Layers made to break out: whatever a tar says, nothing outside its root changes."""

import io
import os
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest

from runtime.errors import RuntimeFault
from runtime.image.layer.unpack import unpack
from tests.fakes.hostile_layers import CASES, DIR, ESCAPED, FILE, SYM, archive, fingerprint


@pytest.mark.parametrize("case", CASES)
def test_nothing_outside_the_root_changes(case, tmp_path):
    root, victim = tmp_path / "root", tmp_path / "victim"
    sibling = tmp_path / "root-sibling"
    for place in (root, victim, sibling):
        place.mkdir()
    (victim / "file").write_text("untouched")
    before = fingerprint(victim), fingerprint(sibling)
    # Some cases are refused, others land inside the root; a refusal is always this fault.
    with suppress(RuntimeFault):
        unpack(archive(CASES[case], victim), root, owners=False)
    assert (fingerprint(victim), fingerprint(sibling)) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root", "root-sibling", "victim"]
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
