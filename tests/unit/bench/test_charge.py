import os
from pathlib import Path

import pytest

from bench.errors import BenchFault
from bench.targets.charge import Charge, below, home

V1 = "29 1 0:26 {root} {mount} rw shared:9 - cgroup cgroup rw,{controllers}\n"
V2 = "30 1 0:27 {root} {mount} rw - cgroup2 cgroup2 rw,nsdelegate\n"
DISK = "1 0 254:0 / / rw,relatime - ext4 /dev/vda rw\n"


@pytest.fixture
def proc(tmp_path):
    folder = tmp_path / "proc"
    folder.mkdir()

    def fill(mountinfo, cgroup):
        (folder / "mountinfo").write_text(DISK + mountinfo)
        (folder / "cgroup").write_text(cgroup)
        return folder

    return fill


def unified(tmp_path, controllers):
    tree = tmp_path / "unified"
    tree.mkdir()
    (tree / "cgroup.controllers").write_text(controllers + "\n")
    return tree


@pytest.mark.parametrize(
    ("root", "path", "found"),
    [
        ("/", "/", "/sys/fs/cgroup/memory"),
        ("/", "/user.slice/a", "/sys/fs/cgroup/memory/user.slice/a"),
        ("/docker/f00", "/docker/f00", "/sys/fs/cgroup/memory"),
        ("/docker/f00", "/docker/f00/tare/x", "/sys/fs/cgroup/memory/tare/x"),
    ],
)
def test_a_cgroup_appears_below_its_mount(root, path, found):
    assert below("/sys/fs/cgroup/memory", root, path) == Path(found)


def test_home_on_version_1_is_in_the_memory_controllers_tree(proc):
    mounts = V1.format(root="/", mount="/cg/cpu", controllers="cpu") + V1.format(
        root="/", mount="/cg/memory", controllers="memory"
    )
    assert home(proc(mounts, "4:memory:/job/7\n1:cpu:/other\n0::/\n")) == Path("/cg/memory/job/7")


def test_controllers_that_share_a_tree_are_found_there(proc):
    mounts = V1.format(root="/", mount="/cg/both", controllers="cpu,memory")
    assert home(proc(mounts, "4:cpu,memory:/job/7\n9:name=systemd:/x\n0::/\n")) == Path("/cg/both/job/7")


def test_home_on_version_2_is_in_the_one_tree(proc, tmp_path):
    tree = unified(tmp_path, "cpuset cpu io memory pids")
    assert home(proc(V2.format(root="/", mount=tree), "0::/a.slice/b.scope\n")) == tree / "a.slice/b.scope"


def test_on_a_hybrid_host_the_tree_without_memory_is_passed_over(proc, tmp_path):
    tree = unified(tmp_path, "hugetlb")
    mounts = V2.format(root="/", mount=tree) + V1.format(root="/c", mount="/cg/m", controllers="memory")
    assert home(proc(mounts, "4:memory:/c/7\n0::/else\n")) == Path("/cg/m/7")


def test_without_a_memory_controller_the_host_lacks_something(proc, tmp_path):
    tree = unified(tmp_path, "cpu pids")
    with pytest.raises(BenchFault, match="no memory controller") as caught:
        home(proc(V2.format(root="/", mount=tree), "0::/\n"))
    assert caught.value.kind == "host"


def test_home_here_holds_this_very_process():
    try:
        place = home()
    except BenchFault:
        pytest.skip("this host mounts no memory controller")
    assert os.getpid() in map(int, (place / "cgroup.procs").read_text().split())


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_whoever_joins_is_moved_in_and_home_again(tmp_path, error):
    groups = [tmp_path / name for name in ("charged", "home")]
    for group in groups:
        group.mkdir()
        (group / "cgroup.procs").write_text("")
    charge = Charge(*groups)
    seen = []
    try:
        with charge.joined():
            seen = [(group / "cgroup.procs").read_text() for group in groups]
            if error:
                raise error
    except KeyboardInterrupt:
        assert error
    assert seen == ["0", ""]
    assert (groups[1] / "cgroup.procs").read_text() == "0"
