"""A record that can't be read: the guest goes if nobody has it, and nothing else waits for it."""

import fcntl
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from vmdriver.channel import Listener
from vmdriver.errors import MachineFault
from vmdriver.process import Identity, myself
from vmdriver.prune import prune
from vmdriver.record import Record, read

DEAD = Identity(myself().pid, myself().start - 1)
DAMAGE = {
    "empty": b"",
    "truncated": b'{"name": "bad", "flavour": "vm", "owner": {"pi',
    "zeros": bytes(200),
    "bytes": b"\xff\xfe{}",
    "a list": b"[]",
    "null": b"null",
    "owner of a wrong type": b'{"name": "bad", "flavour": "vm", "owner": 7, "uri": "", "root": ""}',
    "a number as text": b'{"name": "bad", "flavour": "", "owner": {"pid": "1", "start": 1}, "uri": ""}',
    "fields missing": json.dumps({"owner": {"pid": DEAD.pid, "start": DEAD.start}}).encode(),
}


def record(run, name, owner=DEAD):
    made = Record(name, "vm", run / "guests" / name, owner, "qemu:///embed", "")
    made.write()
    (made.directory / "disk-0.qcow2").touch()
    return made.directory


def damaged(run, content=b""):
    directory = record(run, "bad")
    (directory / "guest.json").write_bytes(content)
    return directory


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_record_keeps_nothing_from_being_removed(tmp_path, content):
    bad = damaged(tmp_path, content)
    others = [record(tmp_path, "a-dead"), record(tmp_path, "z-dead")]
    living = record(tmp_path, "living", myself())
    with pytest.raises(MachineFault, match=r"bad/guest\.json is damaged") as caught:
        read(bad)
    assert (caught.value.kind, "tare system prune" in caught.value.hint) == ("corrupt", True)
    said = []
    removed = prune(tmp_path, say=said.append)
    assert [words.split(",")[0].split(" of ")[0] for words in removed] == [
        "guest a-dead", "guest bad", "guest z-dead",
    ]  # fmt: skip
    assert not any(path.exists() for path in (bad, *others))
    assert living.exists()
    assert said == []


def test_a_directory_in_the_place_of_a_record_is_damage(tmp_path):
    bad = damaged(tmp_path)
    (bad / "guest.json").unlink()
    (bad / "guest.json/deep").mkdir(parents=True)
    assert len(prune(tmp_path)) == 1
    assert not bad.exists()


def test_the_machine_of_a_damaged_record_is_ended(tmp_path):
    bad = damaged(tmp_path)
    with machine(f"{bad}/agent.sock") as orphan:
        prune(tmp_path)
        assert orphan.wait(5) == -9
    assert not bad.exists()


def test_libvirts_notes_on_it_go_too_unless_their_directory_is_in_use(tmp_path):
    damaged(tmp_path / "run")
    notes = [tmp_path / f"data/vm/libvirt/slot-{n}/run/qemu/bad.xml" for n in (0, 1)]
    for note in notes:
        note.parent.mkdir(parents=True)
        note.touch()
        (note.parents[2] / "lock").touch()
    with (notes[1].parents[2] / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        prune(tmp_path / "run", tmp_path / "data")
    assert [note.exists() for note in notes] == [False, True]


def test_a_guest_whose_channel_is_open_stays_with_its_machine(tmp_path):
    bad, dead = damaged(tmp_path), record(tmp_path, "dead")
    said = []
    with Listener(bad / "agent.sock") as listener, socket.socket(socket.AF_UNIX) as theirs:
        theirs.connect(str(listener.path))
        with listener.accept(1) as ours:
            listener.close()  # as after a start: the path is gone, the connection stays
            with machine(f"{bad}/agent.sock") as running:
                assert prune(tmp_path, say=said.append) == [f"guest dead of process {DEAD.pid}"]
                assert running.poll() is None
                running.kill()
            assert ours.fileno() >= 0
    assert (bad.exists(), dead.exists()) == (True, False)
    (line,) = said
    assert f"process {myself().pid} still has it" in line
    assert str(bad / "guest.json") in line
    assert "tare system prune" in line
    assert len(prune(tmp_path, say=said.append)) == 1
    assert not bad.exists()


def test_an_owner_that_can_be_read_decides(tmp_path):
    owner = {"pid": myself().pid, "start": myself().start}
    bad = damaged(tmp_path, json.dumps({"owner": owner, "name": 7}).encode())
    said = []
    assert prune(tmp_path, say=said.append) == []
    assert bad.exists()
    assert f"process {myself().pid}" in said[0]


def test_a_directory_without_a_record_goes(tmp_path):
    left = record(tmp_path, "cut-short")
    (left / "guest.json").unlink()
    assert len(prune(tmp_path)) == 1
    assert not left.exists()


def test_a_removal_under_way_is_left_to_who_does_it(tmp_path):
    going = record(tmp_path, "going")
    (going / "guest.json").unlink()
    owner = threading.Thread(target=lambda: (time.sleep(0.2), shutil.rmtree(going)))
    owner.start()
    assert prune(tmp_path) == []
    owner.join()
    assert not going.exists()


@contextmanager
def machine(path):
    wait = "import time; print('up', flush=True); time.sleep(60)"
    with subprocess.Popen(
        ["qemu-fake", "-c", wait, path], executable=sys.executable, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        yield process
        process.kill()
