"""Cgroups against directories that pose as v1, v2 and hybrid trees, made of nothing but files."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.cgroups import tree
from runtime.cgroups.hierarchy import Hierarchy, detect
from runtime.cgroups.manager import Cgroup, Resources
from runtime.errors import RuntimeFault

LIMITS = Resources(memory=64 << 20, cpus=0.5, pids=7)
FILES = {
    "cpu": ("cpu.cfs_period_us", "cpu.cfs_quota_us", "cgroup.procs"),
    "cpuacct": ("cgroup.procs",),
    "memory": ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "cgroup.procs"),
    "pids": ("pids.max", "cgroup.procs"),
    "unified": ("memory.max", "memory.swap.max", "cpu.max", "pids.max", "cgroup.procs"),
}


def v1_line(mount: Path, options: str) -> str:
    return f"33 31 0:30 / {mount} rw,relatime shared:9 - cgroup cgroup rw,{options}\n"


def v2_line(mount: Path) -> str:
    return f"41 31 0:38 / {mount} rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n"


def v2_tree(mount: Path, controllers: str) -> Path:
    for directory in (mount, mount / "tare"):
        directory.mkdir(parents=True)
        (directory / "cgroup.controllers").write_text(controllers)
        (directory / "cgroup.subtree_control").write_text("")
    return mount


def v1_host(root: Path) -> Hierarchy:
    return detect("".join(v1_line(root / name, name) for name in ("cpu", "cpuacct", "memory", "pids")))


def hybrid_host(root: Path) -> Hierarchy:
    v2 = v2_line(v2_tree(root / "unified", "hugetlb pids"))
    return detect(v2 + v1_line(root / "cpu", "cpu,cpuacct") + v1_line(root / "memory", "memory"))


def v2_host(root: Path) -> Hierarchy:
    return detect(v2_line(v2_tree(root / "unified", "cpuset cpu io memory pids")))


def populate(cgroup: Cgroup) -> None:
    """Put the files into the directories that the kernel would put there by itself."""
    for path in map(Path, cgroup.paths):
        path.mkdir(parents=True, exist_ok=True)
        for name in FILES[path.parts[-3]]:
            (path / name).touch()


def test_v1_host_has_a_tree_per_controller(tmp_path):
    found = v1_host(tmp_path)
    assert found.kind == "v1"
    assert found.unified is None
    assert {name: (t.version, t.mount.name) for name, t in found.trees.items()} == {
        name: (1, name) for name in ("cpu", "cpuacct", "memory", "pids")
    }


def test_v2_host_has_one_tree_for_all(tmp_path):
    found = v2_host(tmp_path)
    assert found.kind == "v2"
    assert set(found.trees) == {"cpu", "memory", "pids"}
    assert {t.mount for t in found.trees.values()} == {tmp_path / "unified"}


def test_hybrid_host_takes_each_controller_from_where_it_is(tmp_path):
    found = hybrid_host(tmp_path)
    assert found.kind == "hybrid"
    versions = {name: t.version for name, t in found.trees.items()}
    assert versions == {"cpu": 1, "cpuacct": 1, "memory": 1, "pids": 2}


def test_an_empty_v2_tree_beside_v1_is_hybrid(tmp_path):
    v2 = v2_line(v2_tree(tmp_path / "unified", ""))
    found = detect(v1_line(tmp_path / "memory", "memory") + v2)
    assert found.kind == "hybrid"
    assert found.trees["memory"].version == 1


def test_named_v1_hierarchy_is_not_a_controller(tmp_path):
    with pytest.raises(RuntimeFault) as caught:
        detect(v1_line(tmp_path / "systemd", "name=systemd"))
    assert caught.value.kind == "host"


def test_mount_point_with_a_space_is_unescaped(tmp_path):
    mount = str(tmp_path / "my cgroup").replace(" ", r"\040")
    assert detect(v1_line(Path(mount), "memory")).trees["memory"].mount == tmp_path / "my cgroup"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (
            v1_host,
            {
                "memory/tare/x/memory.limit_in_bytes": "67108864",
                "memory/tare/x/memory.memsw.limit_in_bytes": "67108864",
                "cpu/tare/x/cpu.cfs_period_us": "100000",
                "cpu/tare/x/cpu.cfs_quota_us": "50000",
                "pids/tare/x/pids.max": "7",
            },
        ),
        (
            v2_host,
            {
                "unified/tare/x/memory.max": "67108864",
                "unified/tare/x/memory.swap.max": "0",
                "unified/tare/x/cpu.max": "50000 100000",
                "unified/tare/x/pids.max": "7",
                "unified/cgroup.subtree_control": "+cpu +memory +pids",
                "unified/tare/cgroup.subtree_control": "+cpu +memory +pids",
            },
        ),
        (
            hybrid_host,
            {
                "memory/tare/x/memory.limit_in_bytes": "67108864",
                "cpu/tare/x/cpu.cfs_quota_us": "50000",
                "unified/tare/x/pids.max": "7",
                "unified/tare/cgroup.subtree_control": "+pids",
            },
        ),
    ],
)
def test_limits_land_in_the_files(tmp_path, host, expected):
    cgroup = Cgroup.plan(host(tmp_path), "x", LIMITS)
    populate(cgroup)
    tree.make(cgroup.steps(LIMITS))
    assert {name: (tmp_path / name).read_text() for name in expected} == expected


def test_no_limits_write_no_limit_files(tmp_path):
    cgroup = Cgroup.plan(v1_host(tmp_path), "x", Resources())
    assert {step[0] for step in cgroup.steps(Resources())} == {"mkdir"}


def test_a_missing_swap_file_is_no_failure(tmp_path):
    cgroup = Cgroup.plan(v1_host(tmp_path), "x", LIMITS)
    populate(cgroup)
    swap = tmp_path / "memory/tare/x/memory.memsw.limit_in_bytes"
    swap.unlink()
    tree.make(cgroup.steps(LIMITS))
    assert not swap.exists()


def test_v2_child_is_born_in_its_cgroup_and_v1_child_is_moved(tmp_path):
    on_v2 = Cgroup.plan(v2_host(tmp_path / "a"), "x", LIMITS)
    assert on_v2.born_in == str(tmp_path / "a/unified/tare/x")
    assert on_v2.joined == ()
    mixed = Cgroup.plan(hybrid_host(tmp_path / "b"), "x", LIMITS)
    assert mixed.born_in == str(tmp_path / "b/unified/tare/x")
    assert mixed.joined == tuple(str(tmp_path / place) for place in ("b/cpu/tare/x", "b/memory/tare/x"))
    populate(mixed)
    tree.enter(map(str, mixed.joined), 42)
    assert (tmp_path / "b/memory/tare/x/cgroup.procs").read_text() == "42"


def test_a_limit_without_its_controller_is_refused(tmp_path):
    host = detect(v1_line(tmp_path / "cpu", "cpu"))
    with pytest.raises(RuntimeFault, match="memory") as caught:
        Cgroup.plan(host, "x", LIMITS)
    assert caught.value.kind == "host"
    assert caught.value.hint


def test_enabled_controllers_are_not_written_again(tmp_path):
    mount = v2_tree(tmp_path / "unified", "memory pids")
    (mount / "cgroup.subtree_control").write_text("memory pids cpu\n")
    tree.make([("enable", str(mount), "+memory +pids")])
    assert (mount / "cgroup.subtree_control").read_text() == "memory pids cpu\n"


def test_make_starts_again_when_the_shared_parent_vanishes(tmp_path, monkeypatch):
    parent, leaf = tmp_path / "tare", tmp_path / "tare/x"
    made = []

    def mkdir(path):
        made.append(path)
        if path == str(leaf) and made.count(path) == 1:
            parent.rmdir()  # another spawner removes the empty parent at the worst moment
        Path(path).mkdir(exist_ok=True)

    monkeypatch.setitem(tree._STEPS, "mkdir", mkdir)
    tree.make([("mkdir", str(parent)), ("mkdir", str(leaf))])
    assert leaf.is_dir()


def test_remove_is_repeatable(tmp_path):
    leaf = tmp_path / "x"
    leaf.mkdir()
    tree.remove([str(leaf)])
    tree.remove([str(leaf)])
    assert not leaf.exists()


def test_remove_says_which_cgroup_stays_busy(tmp_path, monkeypatch):
    leaf = tmp_path / "x"
    leaf.mkdir()
    (leaf / "held").touch()  # rmdir is ENOTEMPTY as it is EBUSY for a cgroup with processes
    monkeypatch.setattr(tree, "_PATIENCE", 0.05)
    with pytest.raises(OSError, match="do not die") as caught:
        tree.remove([str(leaf)])
    assert caught.value.filename == str(leaf)


@pytest.mark.parametrize("wrong", [{"memory": 1000}, {"cpus": 0.0}, {"cpus": float("nan")}, {"pids": 0}])
def test_senseless_limits_are_refused(wrong):
    with pytest.raises(RuntimeFault) as caught:
        Resources(**wrong)
    assert caught.value.kind == "usage"


def test_v1_figures(tmp_path):
    cgroup = Cgroup.plan(v1_host(tmp_path), "x", LIMITS)
    populate(cgroup)
    memory, cpu = tmp_path / "memory/tare/x", tmp_path / "cpu/tare/x"
    (memory / "memory.usage_in_bytes").write_text("1000\n")
    (memory / "memory.stat").write_text("cache 1\nrss 2\ntotal_cache 300\ntotal_rss 500\ntotal_shmem 20\n")
    (memory / "memory.kmem.usage_in_bytes").write_text("200\n")
    (memory / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    (cpu / "cpu.stat").write_text("nr_periods 10\nnr_throttled 4\nthrottled_time 500000000\n")
    (tmp_path / "cpuacct/tare/x/cpuacct.usage").write_text("1500000000\n")
    (tmp_path / "pids/tare/x/pids.current").write_text("5\n")
    stats = cgroup.stats()
    assert (stats.memory.current, stats.memory.anon, stats.memory.file, stats.memory.kernel) == (
        1000,
        500,
        300,
        200,
    )
    assert stats.memory.page_tables is None
    assert cgroup.oom_kills() == stats.memory.oom_kills == 3
    assert (stats.cpu.usage, stats.cpu.throttled, stats.cpu.periods_throttled) == (1.5, 0.5, 4)
    assert stats.pids == 5


def test_v2_figures(tmp_path):
    cgroup = Cgroup.plan(v2_host(tmp_path), "x", LIMITS)
    populate(cgroup)
    leaf = tmp_path / "unified/tare/x"
    (leaf / "memory.current").write_text("1000\n")
    (leaf / "memory.peak").write_text("1200\n")
    (leaf / "memory.stat").write_text("anon 500\nfile 300\nkernel 200\npagetables 40\nshmem 20\n")
    (leaf / "memory.events").write_text("low 0\nmax 7\noom 2\noom_kill 1\n")
    (leaf / "cpu.stat").write_text(
        "usage_usec 1500000\nnr_periods 10\nnr_throttled 4\nthrottled_usec 500000\n"
    )
    (leaf / "pids.current").write_text("5\n")
    stats = cgroup.stats()
    assert (stats.memory.current, stats.memory.peak, stats.memory.kernel) == (1000, 1200, 200)
    assert (stats.memory.page_tables, stats.memory.swap) == (40, None)
    assert cgroup.oom_kills() == 1
    assert (stats.cpu.usage, stats.cpu.throttled) == (1.5, 0.5)
