"""The differential: Tare and buildah make the same of each Dockerfile, or the table says why not.

`docs/reference/dockerfile-differential.md` is that table. In the ordinary tests a part of them is built,
with TARE_TORTURE=full (`nox -s differential`) all of them.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.differential import explained, observed, package
from tests.differential.cases import cases

pytestmark = [pytest.mark.privileged, pytest.mark.torture]
FULL = os.environ.get("TARE_TORTURE") == "full"
CASES = [case for case in cases() if FULL or case.brief]


@pytest.mark.skipif(bool(package.MISSING), reason=package.MISSING)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_both_make_the_same(bench, tmp_path, case):
    file, context = case.prepare(tmp_path / "context", bench.server)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(each.build, file, context, case.options) for each in (bench.tare, bench.buildah)]
        ours, theirs = (each.result() for each in both)
    if case.refused or case.buildah_alone:
        assert case.refused in ours.error
        assert f"/{file.name}:{case.line or 1}: " in ours.error
        assert bool(theirs.error) != bool(case.buildah_alone), theirs.error
        return
    if theirs.error:  # alone: its chroot goes through mounts and cgroups of the host, and ours come and go
        theirs = bench.buildah.build(file, context, case.options)
    assert not ours.error, ours.error
    assert not theirs.error, theirs.error
    apart = observed.differences(
        observed.tree(ours.root, since=bench.since), observed.tree(theirs.root, since=bench.since)
    )
    apart += observed.differences(observed.config(ours.document), observed.config(theirs.document))
    bench.buildah.forget()
    left = explained.unexplained(apart, case.differs)
    assert not left, "\n".join(left)


def test_an_entry_that_differs_is_seen(tmp_path):
    """Of each kind of difference one, so that the comparison itself can fail."""
    for name in ("one", "two"):
        root = tmp_path / name
        root.mkdir()
        (root / "file").write_text("x")
        (root / "same").write_text("same")
        (root / "link").symlink_to("file")
        os.mknod(root / "device", 0o20600, os.makedev(1, 3))
    two = tmp_path / "two"
    (two / "file").write_text("y")
    (two / "file").chmod(0o4755)
    os.chown(two / "same", 7, 8)
    os.setxattr(two / "same", "user.x", b"1")
    os.utime(two / "same", (1, 1))
    (two / "link").unlink()
    (two / "link").symlink_to("same")
    (two / "device").unlink()
    os.mknod(two / "device", 0o20600, os.makedev(1, 5))
    os.link(two / "same", two / "more")
    trees = [observed.tree(tmp_path / name, since=1000) for name in ("one", "two")]
    said = {line.rpartition(": ")[0] for line in observed.differences(*trees)}
    assert said >= {
        "file: content", "file: mode", "same: owner", "same: user.x", "same: time", "same: linked",
        "link: target", "device: device",
    }  # fmt: skip
    assert any(line.startswith("more: nothing, not ") for line in observed.differences(*trees))
    assert observed.differences(trees[0], trees[0]) == []


@pytest.mark.parametrize("name", [*observed.FIELDS, "author"])
def test_a_field_that_differs_is_seen(name):
    value = {"Env": ["a=b"], "Labels": {"a": "b"}}.get(name, ["x"])
    given = {"os": "linux", "architecture": "amd64", "config": {name: value}, "author": "somebody"}
    empty = {"os": "linux", "architecture": "amd64", "config": {}}
    said = observed.differences(observed.config(given), observed.config(empty))
    assert any(line.startswith(f"{name}: ") for line in said)


def test_an_explanation_without_its_difference_is_told():
    assert explained.unexplained([], ("backslash",)) == ["no 'backslash' any more"]
    assert explained.unexplained(["etc/x: nothing, not y"], ()) == ["etc/x: nothing, not y"]
