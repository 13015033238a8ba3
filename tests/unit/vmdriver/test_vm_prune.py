import fcntl
import json
import subprocess
import sys

import pytest

from vmdriver.errors import MachineFault
from vmdriver.files import abandoned, once, temporary
from vmdriver.process import Identity, identify, myself
from vmdriver.prune import prune
from vmdriver.record import Record, own, read, records
from vmdriver.slot import acquire

DEAD = Identity(myself().pid, myself().start - 1)


def record(run, name, owner=DEAD, root=""):
    made = Record(name, "vm", run / "guests" / name, owner, "qemu:///embed", root)
    made.write()
    (made.directory / "disk-0.qcow2").touch()
    return made


def test_a_record_is_read_as_it_was_written(tmp_path):
    made = own("g1", "vm-micro", tmp_path, "qemu:///embed", tmp_path / "slot")
    made.write()
    assert read(made.directory) == made
    assert records(tmp_path) == (made,)
    assert made.owner == myself()


def test_a_name_is_given_once(tmp_path):
    record(tmp_path, "g1")
    with pytest.raises(MachineFault, match="there is a guest named g1") as caught:
        record(tmp_path, "g1")
    assert caught.value.kind == "usage"
    assert [path.name for path in (tmp_path / "guests").iterdir()] == ["g1"]


def test_a_damaged_record_is_named(tmp_path):
    (record(tmp_path, "g1").directory / "guest.json").write_text('{"name": "g1"')
    with pytest.raises(MachineFault, match=r"g1/guest\.json is damaged") as caught:
        records(tmp_path)
    assert caught.value.kind == "corrupt"


def test_what_dead_owners_left_goes_and_the_living_keep_theirs(tmp_path):
    dead, living = record(tmp_path, "dead"), record(tmp_path, "living", myself())
    (removed,) = prune(tmp_path)
    assert "guest dead" in removed
    assert not dead.directory.exists()
    assert (living.directory / "disk-0.qcow2").exists()
    assert prune(tmp_path) == []


def test_the_machine_of_a_dead_owner_is_ended_and_only_that(tmp_path):
    dead = record(tmp_path, "dead")
    wait = "import sys, time; print('up', flush=True); time.sleep(60)"
    with (
        machine(wait, f"{dead.directory}/agent.sock") as orphan,
        machine(wait, f"{dead.directory}-2/agent.sock") as other,
    ):
        prune(tmp_path)
        orphan.wait(5)
        assert identify(other.pid) is not None
        other.kill()


def machine(code, path):
    process = subprocess.Popen(
        ["qemu-fake", "-c", code, path], executable=sys.executable, stdout=subprocess.PIPE
    )
    process.stdout.readline()
    return process


def test_libvirts_notes_go_unless_a_living_process_holds_them(tmp_path):
    root = tmp_path / "slot-0"
    note = root / "run/qemu/dead.xml"
    note.parent.mkdir(parents=True)
    note.touch()
    half = root / "run/qemu/dead.xml.new"
    half.touch()
    (root / "run/qemu/driver.pid").touch()
    (root / "lock").touch()
    with (root / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        record(tmp_path, "dead", root=str(root))
        prune(tmp_path)
        assert note.exists()
    record(tmp_path, "dead", root=str(root))
    prune(tmp_path)
    assert not note.exists()
    assert not half.exists()
    assert (root / "run/qemu/driver.pid").exists()


def test_half_built_files_of_the_dead_go(tmp_path):
    disks = tmp_path / "data/vm/disks"
    disks.mkdir(parents=True)
    left = disks / f".x.raw.{DEAD}.0"
    ours = temporary(disks / "y.raw")
    for path in (left, ours, disks / "z.raw", disks / ".z.raw.lock"):
        path.touch()
    assert abandoned(disks) == (left,)
    prune(tmp_path / "run", tmp_path / "data")
    assert sorted(path.name for path in disks.iterdir()) == sorted([ours.name, "z.raw", ".z.raw.lock"])


def test_a_thing_is_built_once_and_never_half(tmp_path):
    target = tmp_path / "deep/thing"
    with pytest.raises(RuntimeError), once(target) as fresh:
        fail_after_writing(fresh)
    assert not target.exists()
    with once(target) as fresh:
        fresh.write_text("whole")
    with once(target) as fresh:
        assert fresh is None
    assert target.read_text() == "whole"
    assert abandoned(target.parent) == ()


def fail_after_writing(path):
    path.write_text("half")
    raise RuntimeError


def test_every_process_takes_a_libvirt_directory_of_its_own(tmp_path):
    first, second = acquire(tmp_path), acquire(tmp_path)
    assert [slot.root.name for slot in (first, second)] == ["slot-0", "slot-1"]
    assert 'security_driver = "none"' in (first.root / "etc/qemu.conf").read_text()
    (first.root / "cache/qemu").mkdir(parents=True)
    (first.root / "cache/qemu/known.xml").write_text("<qemuCaps/>")
    first.release()
    third = acquire(tmp_path)
    assert third.root.name == "slot-0"
    assert (acquire_new(tmp_path) / "cache/qemu/known.xml").exists()
    second.release()
    third.release()


def acquire_new(data):
    slot = acquire(data)
    slot.release()
    return slot.root


def test_a_record_says_who_owns_the_guest(tmp_path):
    fields = json.loads((record(tmp_path, "g1").directory / "guest.json").read_text())
    assert fields["owner"] == {"pid": DEAD.pid, "start": DEAD.start}
