"""linux.cgroupsPath, the default place, delegation, and the frame of directories around a container."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.cgroups import location, mounts, oci, tree
from runtime.cgroups.mounts import Mounts
from runtime.errors import RuntimeFault

V1 = ("cpu", "memory", "freezer", "cpuset", "devices")


def v1_host(root):
    return Mounts({name: (1, f"{root}/{name}") for name in V1}, None)


def v2_host(root):
    names = ("cpu", "memory", "pids", "freezer", "devices")
    return Mounts(dict.fromkeys(names, (2, f"{root}/u")), f"{root}/u")


def relative(group, root):
    return sorted(str(Path(path).relative_to(root)) for path in group.paths)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (None, "tare-box"),
        ("", "tare-box"),
        ("/a/b", "a/b"),
        ("//a/./b/", "a/b"),
        ("a/b", "tare/a/b"),
        ("/x:y:z", "x:y:z"),
    ],
)
def test_where_a_path_leads(tmp_path, path, expected, monkeypatch):
    monkeypatch.setattr(location, "delegated", lambda *_args, **_kwargs: None)
    assert relative(oci.plan(v2_host(tmp_path), path, "box", {}), tmp_path) == [f"u/{expected}"]
    on_v1 = relative(oci.plan(v1_host(tmp_path), path, "box", {}), tmp_path)
    assert on_v1 == sorted(f"{name}/{expected}" for name in V1)


@pytest.mark.parametrize(
    "path", ["/", "///", "/..", "/a/../b", "../a", "system.slice:tare:box", ":a:b", "/a\nb", "/" + "x" * 256]
)
def test_paths_that_are_refused_by_name(tmp_path, path):
    with pytest.raises(RuntimeFault, match=r"linux\.cgroupsPath") as caught:
        oci.plan(v2_host(tmp_path), path, "box", {})
    assert caught.value.kind == "usage"


def test_an_id_can_not_lead_out_of_the_tree(tmp_path):
    with pytest.raises(RuntimeFault):
        oci.plan(v2_host(tmp_path), None, "../../x", {})


def delegated_to(root, monkeypatch, own="/user.slice/x.scope"):
    """Pose as a process in the v2 cgroup `own`, whose files it may write."""
    directory = Path(f"{root}/u{own}")
    directory.mkdir(parents=True)
    for name in ("cgroup.procs", "cgroup.subtree_control"):
        (directory / name).touch()
    (directory / "cgroup.controllers").write_text("memory pids\n")
    monkeypatch.setattr(location, "_own", lambda _mounts: str(directory))
    return directory


def test_rootless_goes_below_the_delegated_cgroup(tmp_path, monkeypatch):
    own = delegated_to(tmp_path, monkeypatch)
    group = oci.plan(v2_host(tmp_path), None, "box", {"memory": {"limit": 5}}, rootless=True)
    assert group.born_in == f"{own}/tare-box"
    settle = next(s for s in group.steps() if s[0] == "settle")
    assert settle == ("settle", str(own), "+memory", f"{own}/tare.aside")
    with pytest.raises(RuntimeFault, match=r"linux\.resources\.cpu"):
        oci.plan(v2_host(tmp_path), None, "box", {"cpu": {"shares": 5}}, rootless=True)
    with pytest.raises(RuntimeFault, match=r"linux\.cgroupsPath"):
        oci.plan(v2_host(tmp_path), "/elsewhere/box", "box", {}, rootless=True)
    inside = oci.plan(v2_host(tmp_path), "/user.slice/x.scope/a/box", "box", {}, rootless=True)
    assert inside.born_in == f"{own}/a/box"


def test_a_runtime_that_moved_aside_still_finds_the_delegated_cgroup(tmp_path, monkeypatch):
    own = delegated_to(tmp_path, monkeypatch)
    (own / "tare.aside").mkdir()
    monkeypatch.setattr(location, "_own", lambda _mounts: f"{own}/tare.aside")
    assert location.delegated(v2_host(tmp_path), marked=False) == str(own)


def test_rootless_without_delegation_has_no_cgroup_and_no_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(location, "_own", lambda _mounts: None)
    deny = [{"allow": False, "access": "rwm"}]
    for host in (v1_host(tmp_path), v2_host(tmp_path)):
        group = oci.plan(host, None, "box", {"devices": deny, "pids": {"limit": 0}}, rootless=True)
        assert (group.paths, group.born_in, group.joined, group.steps()) == ([], None, [], [])
        assert "device rules" in group.warnings[0]
        with pytest.raises(RuntimeFault, match=r"linux\.resources\.memory\.limit: without root") as caught:
            oci.plan(host, None, "box", {"memory": {"limit": 5}}, rootless=True)
        assert caught.value.kind == "host"
        with pytest.raises(RuntimeFault, match="no cgroup of its own"):
            oci.update(group, {"memory": {"limit": 5}})


@pytest.mark.skipif(os.geteuid() != 0, reason="a file that root may not write takes a kernel's file system")
def test_a_root_stays_in_what_systemd_delegated(tmp_path, monkeypatch):
    own = delegated_to(tmp_path, monkeypatch)
    monkeypatch.setattr(location, "_is_marked", lambda directory: directory == str(own))
    assert oci.plan(v2_host(tmp_path), None, "box", {}).born_in == f"{own}/tare-box"
    assert oci.plan(v2_host(tmp_path), "/a/box", "box", {}).born_in == f"{tmp_path}/u/a/box"


def test_controllers_are_handed_down_before_the_children_are_limited(tmp_path):
    steps = oci.plan(v2_host(tmp_path), "/a/b/box", "box", {"memory": {"limit": 5}}).steps()
    order = [
        (s[0], str(Path(s[1]).relative_to(tmp_path)))
        for s in steps
        if s[0] in {"mkdir", "enable", "settle", "write"}
    ]
    assert order == [
        ("settle", "u"), ("mkdir", "u/a"), ("enable", "u/a"), ("mkdir", "u/a/b"), ("enable", "u/a/b"),
        ("mkdir", "u/a/b/box"), ("write", "u/a/b/box/memory.max"),
    ]  # fmt: skip


def test_only_parents_that_this_container_brings_are_removed_after_it(tmp_path):
    host = v1_host(tmp_path)
    for name in host.trees:
        (tmp_path / name / "there").mkdir(parents=True)
    group = oci.plan(host, "/there/new/box", "box", {})
    assert {Path(parent).name for parent in group.parents} == {"new"}


def test_a_v1_cpuset_is_filled_from_its_parent_all_the_way_down(tmp_path):
    root = tmp_path / "cpuset"
    for directory in (root, root / "a", root / "a/box"):
        directory.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            (directory / name).write_text("")
    (root / "cpuset.cpus").write_text("0-3\n")
    (root / "cpuset.mems").write_text("0\n")
    host = Mounts({"cpuset": (1, str(root)), "devices": (1, f"{tmp_path}/devices")}, None)
    steps = oci.plan(host, "/a/box", "box", {"cpu": {"cpus": "1-2"}}).steps()
    oci.make([step for step in steps if "/devices" not in step[1]])  # those files only a kernel has
    assert (root / "a/cpuset.cpus").read_text() == "0-3"
    assert [(root / "a/box" / name).read_text() for name in ("cpuset.cpus", "cpuset.mems")] == ["1-2", "0"]


def test_a_cgroup_in_use_or_frozen_is_refused_before_anything_is_taken(tmp_path):
    host, leaf = Mounts(dict.fromkeys(("freezer", "devices"), (1, str(tmp_path))), None), tmp_path / "box"
    leaf.mkdir()
    assert oci.plan(host, "/box", "box", {}).paths == [str(leaf)]
    (leaf / "freezer.state").write_text("FROZEN\n")
    with pytest.raises(RuntimeFault, match="is frozen"):
        oci.plan(host, "/box", "box", {})
    (leaf / "freezer.state").write_text("THAWED\n")
    (leaf / "sub").mkdir()
    (leaf / "sub/cgroup.procs").write_text("7\n")
    with pytest.raises(RuntimeFault, match="has processes already"):
        oci.plan(host, "/box", "box", {})


def test_a_hybrid_hosts_v2_tree_serves_only_what_is_on_it(tmp_path):
    host = Mounts({**v1_host(tmp_path).trees, "hugetlb": (2, f"{tmp_path}/u")}, f"{tmp_path}/u")
    assert oci.plan(host, "/box", "box", {"memory": {"limit": 5}}).born_in is None
    limits = {"hugepageLimits": [{"pageSize": "2MB", "limit": 5}]}
    assert oci.plan(host, "/box", "box", limits).born_in == f"{tmp_path}/u/box"


def test_a_group_outlives_its_process_on_record(tmp_path):
    group = oci.plan(v1_host(tmp_path), "/box", "box", {})
    again = oci.Group.read(group.wire())
    assert (again.paths, again.parents, again.joined) == (group.paths, group.parents, group.joined)


def test_mounts_are_found_on_each_kind_of_host(tmp_path):
    line = f"33 31 0:30 / {tmp_path}/%s rw - cgroup%s cgroup rw%s\n"
    hybrid = (
        line % ("c", "", ",cpu,cpuacct") + line % ("s", "", ",xattr,name=systemd") + line % ("u", "2", "")
    )
    (tmp_path / "u").mkdir()
    (tmp_path / "u/cgroup.controllers").write_text("io hugetlb cpu misc\n")
    found = mounts.find(hybrid)
    assert found.unified == f"{tmp_path}/u"
    assert {name: version for name, (version, _) in found.trees.items()} == {
        "cpu": 1, "cpuacct": 1, "blkio": 2, "hugetlb": 2, "freezer": 2, "devices": 2,
    }  # fmt: skip
    assert not found.pure
    assert mounts.find("").trees == {}
    assert mounts.find(line % (r"my\040c", "", ",cpu")).trees["cpu"] == (1, f"{tmp_path}/my c")


def test_the_owner_is_the_containers_user_only_for_a_writable_cgroup_namespace():
    mount = {"source": "cgroup", "destination": "/sys/fs/cgroup", "options": ["nosuid"]}
    config = {
        "process": {"user": {"uid": 7}},
        "mounts": [mount],
        "linux": {"namespaces": [{"type": "cgroup"}]},
    }
    assert oci.owner(config) == 7
    assert oci.owner({**config, "mounts": [{**mount, "options": ["ro"]}]}) is None
    assert oci.owner({**config, "linux": {"namespaces": [{"type": "cgroup", "path": "/x"}]}}) is None
    assert oci.owner({**config, "mounts": []}) is None


@pytest.fixture
def inhabited(tmp_path, monkeypatch):
    """A directory that poses as a v2 cgroup of two processes, which a write elsewhere moves."""
    for name, text in (("type", "domain\n"), ("procs", "41\n42\n"), ("subtree_control", "")):
        (tmp_path / f"cgroup.{name}").write_text(text)
    real = tree.write

    def write(path, text):
        real(path, text) if Path(path).exists() else Path(path).write_text(text)
        if path.endswith("/cgroup.procs"):
            left = (tmp_path / "cgroup.procs").read_text().replace(f"{text}\n", "")
            (tmp_path / "cgroup.procs").write_text(left)

    monkeypatch.setattr(tree, "write", write)
    return tmp_path


@pytest.mark.parametrize("wanted", ["+memory", "+pids"])  # pids alone the kernel would take, as threaded
def test_processes_move_aside_before_controllers_are_handed_down(inhabited, wanted):
    tree.make([("settle", str(inhabited), wanted, str(inhabited / "aside"))])
    assert (inhabited / "cgroup.procs").read_text() == ""
    assert (inhabited / "aside/cgroup.procs").exists()
    assert (inhabited / "cgroup.subtree_control").read_text() == wanted


def test_the_processes_of_the_root_stay(inhabited):
    (inhabited / "cgroup.type").unlink()
    tree.make([("settle", str(inhabited), "+memory", str(inhabited / "aside"))])
    assert (inhabited / "cgroup.procs").read_text() == "41\n42\n"
    assert (inhabited / "cgroup.subtree_control").read_text() == "+memory"


def test_a_process_that_cannot_be_moved_is_in_the_way(inhabited):
    (inhabited / "cgroup.procs").write_text("0\n41\n")  # 0: of another pid namespace
    with pytest.raises(OSError, match="can't be moved"):
        tree.make([("settle", str(inhabited), "+pids", str(inhabited / "aside"))])
    assert (inhabited / "cgroup.subtree_control").read_text() == ""


def test_nothing_is_offered_where_processes_are(inhabited):
    tree.make([("offer", str(inhabited), "+pids")])
    assert (inhabited / "cgroup.subtree_control").read_text() == ""
    (inhabited / "cgroup.procs").write_text("")
    tree.make([("offer", str(inhabited), "+pids")])
    assert (inhabited / "cgroup.subtree_control").read_text() == "+pids"
