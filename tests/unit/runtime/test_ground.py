"""A container's directory and cgroups, from a table and step by step: both make the same."""

import os
from pathlib import Path

import pytest

from runtime.linux import batch
from runtime.process.ground import GROUP, ID, Ground, kind
from runtime.process.ground_table import GroundTable, Unsuited

NAMES = ("box", "0123-box")
FILES = {"pids": ("tasks", "pids.max"), "memory": ("tasks", "memory.limit_in_bytes"), "cpu": ("tasks",)}


def host(root):
    """A directory that poses as v1 hierarchies: the kernel makes the files, here they are there before."""
    for name, files in FILES.items():
        group = root / name / "tare" / NAMES[1]
        group.mkdir(parents=True)
        for file in files:
            (group / file).write_text("")
    (root / "data").mkdir()
    return root


def wire(root, *, limit="write"):
    groups = [f"{root}/{name}/tare/{GROUP}" for name in FILES]
    steps = [step for group in groups for step in (("mkdir", group.rpartition("/")[0]), ("mkdir", group))]
    steps += [(limit, f"{groups[0]}/pids.max", "9"), ("write", f"{groups[1]}/memory.limit_in_bytes", "4096")]
    steps.append(("try", f"{groups[1]}/memory.memsw.limit_in_bytes", "4096"))
    return kind([f"{root}/data/{ID}", f"{root}/data/{ID}/upper"], steps, groups)


def in_a_child(act):
    """Its exit status: in a process of its own, whose directory changes."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            status = act() or 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def enter(ground, names=NAMES):
    return in_a_child(lambda: ground.enter(names))


def found(root):
    paths = sorted(root.rglob("*"))
    return {str(path.relative_to(root)): path.read_text() if path.is_file() else None for path in paths}


@pytest.mark.skipif(not batch.possible(), reason="tables are made for x86_64")
def test_a_table_makes_what_the_steps_make(tmp_path):
    places = [host(tmp_path / name) for name in ("steps", "table")]
    assert enter(Ground(wire(places[0]))) == 0
    table = GroundTable(*Ground(wire(places[1])).of((ID, GROUP)))
    assert in_a_child(lambda: 0 if table.run(NAMES) else 1) == 0
    made = found(places[0])
    assert made == found(places[1])
    assert made["pids/tare/0123-box/pids.max"] == "9"
    assert made["cpu/tare/0123-box/tasks"] == made["memory/tare/0123-box/tasks"] == "0"
    assert "data/box/upper" in made


def test_a_second_run_is_of_the_second_names(tmp_path):
    ground = Ground(kind([f"{tmp_path}/{ID}", f"{tmp_path}/{ID}/work"], (), ()))
    ground.again()
    for name in ("a-long-name", "b"):
        assert enter(ground, (name, "")) == 0
    assert sorted(found(tmp_path)) == ["a-long-name", "a-long-name/work", "b", "b/work"]


def test_a_parent_that_is_missing_is_made(tmp_path):
    ground = Ground(kind([f"{tmp_path}/new/containers/{ID}"], (), ()))
    ground.again()
    assert enter(ground) == 0
    assert (tmp_path / "new/containers/box").is_dir()


def test_a_failure_is_the_one_of_its_step(tmp_path):
    ground = Ground(wire(host(tmp_path)))
    ground.again()
    (tmp_path / "pids/tare/0123-box/pids.max").unlink()
    (tmp_path / "pids/tare/0123-box/pids.max").mkdir()

    def fail():
        with pytest.raises(IsADirectoryError) as caught:
            ground.enter(NAMES)
        return 0 if caught.value.filename.endswith("/pids.max") else 1

    assert in_a_child(fail) == 0


def test_steps_of_another_kind_have_no_table(tmp_path):
    with pytest.raises(Unsuited):
        GroundTable([], [("mkdir", f"/c/{GROUP}"), ("enable", "/c", "+pids")], ())
    ground = Ground(wire(host(tmp_path), limit="confirm"))
    ground.again()
    assert enter(ground) == 0
    assert (tmp_path / "pids/tare/0123-box/pids.max").read_text() == "9"


def test_a_bare_process_stays_where_it_was_started(tmp_path):
    host(tmp_path)
    ground = Ground(kind([], [("mkdir", f"{tmp_path}/cpu/tare/{GROUP}")], [f"{tmp_path}/cpu/tare/{GROUP}"]))
    ground.again()

    def stay():
        os.chdir("/")
        ground.enter(NAMES)
        return 0 if Path.cwd() == Path("/") else 1

    assert in_a_child(stay) == 0
    assert (tmp_path / "cpu/tare/0123-box/tasks").read_text() == "0"
