"""Which ids a user may map: from the files of subuid(5) and what is installed."""

import os

import pytest

from runtime.errors import RuntimeFault
from runtime.rootless import ids


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A folder that poses as /etc, and one that poses as PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("newuidmap", "newgidmap"):
        (programs / name).touch(0o755)
    monkeypatch.setenv("PATH", str(programs))
    return tmp_path


def give(host, uids, gids):
    (host / "subuid").write_text(uids)
    (host / "subgid").write_text(gids)


def test_ranges_follow_the_users_own_id(host):
    me = os.geteuid()
    give(host, f"other:1:9\n{me}:100000:65536\n{me}:300000:10\n", f"{me}:200000:1000\n")
    found = ids.plan(etc=host)
    assert found.config()["uidMappings"] == [
        {"containerID": 0, "hostID": me, "size": 1},
        {"containerID": 1, "hostID": 100000, "size": 65536},
        {"containerID": 65537, "hostID": 300000, "size": 10},
    ]
    assert [entry.inside for entry in found.gids] == [0, 1]
    assert not found.single
    found.require_ranges("anything")


@pytest.mark.parametrize("line", ["", "#x", "{me}:1", "{me}:a:10", "{me}:10:0", "{me}:10:-5", "x{me}:10:5"])
def test_lines_that_give_nothing(host, line):
    me = os.geteuid()
    give(host, line.format(me=me) + "\n", f"{me}:200000:1000\n")
    found = ids.plan(etc=host)
    assert found.uids == (ids.Range(0, me, 1),)
    assert "subuid gives none" in found.lacking


def test_groups_count_too(host):
    give(host, f"{os.geteuid()}:100000:65536\n", "")
    assert "subgid gives none" in ids.plan(etc=host).lacking


def test_without_files(host):
    assert ids.plan(etc=host).single


@pytest.mark.parametrize("name", ["newuidmap", "newgidmap"])
def test_without_programs(host, name):
    me = os.geteuid()
    give(host, f"{me}:100000:65536\n", f"{me}:100000:65536\n")
    (host / "bin" / name).unlink()
    found = ids.plan(etc=host)
    assert found.lacking == f"{name} missing: install the package uidmap"
    with pytest.raises(RuntimeFault, match=r"--user 33 needs more ids than your own: .*uidmap") as caught:
        found.require_ranges("--user 33")
    assert caught.value.kind == "host"
