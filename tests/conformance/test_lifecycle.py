"""create, start, kill, delete: what they do, and what they refuse (runtime.md, Operations)."""

import json
from pathlib import Path

import pytest

from tests.conformance.must import must

WAITING = "trap 'echo term; exit 3' TERM; trap 'echo usr1' USR1; echo ready; while :; do sleep 0.02; done"


@must("runtime.md#create", "all of the resources MUST be created; the program MUST NOT be run at this time")
def test_create_does_not_run_the_program(oci):
    box = oci.box("echo ran")
    box.create().must_work()
    assert box.status() == "created"
    assert box.groups.pids(), "nothing in its cgroup"
    assert box.stdout.read_text() == ""
    box.start().must_work()
    box.wait()
    assert box.stdout.read_text() == "ran\n"


@must("runtime.md#create", "upon completion the status MUST be created")
def test_status_after_create(oci):
    box = oci.box()
    box.create().must_work()
    assert box.status() == "created"


@must("runtime.md#lifecycle", "updates to config.json after create MUST NOT affect the container")
def test_later_changes_of_the_configuration(oci):
    box = oci.box("echo first")
    box.create().must_work()
    box.process["args"] = ["/bin/sh", "-c", "echo second"]
    box.bundle.write()
    box.start().must_work()
    box.wait()
    assert box.stdout.read_text() == "first\n"


@must("runtime.md#create", "MUST generate an error if not provided a bundle and a container ID")
def test_create_without_id_or_bundle(oci):
    box = oci.box()
    box.bundle.write()
    assert oci("create", "--bundle", str(box.bundle.path)).code != 0
    assert oci("create", "--bundle", str(box.bundle.path / "none"), box.id).code != 0
    assert box.is_gone()
    box.create().must_work()


@must(
    "runtime.md#create",
    "an ID that is not unique MUST generate an error, a new container MUST NOT be created",
)
def test_create_with_an_id_in_use(oci):
    box, other = oci.box(WAITING), oci.box()
    box.launch()
    before = box.state()
    other.bundle.write()
    assert oci("create", "--bundle", str(other.bundle.path), box.id).code != 0
    assert box.state() == before
    assert not other.groups.exist()


@must("runtime.md#create", "an ID that is not valid MUST generate an error")
@pytest.mark.parametrize("name", ["", "..", "a/b", "../escape", "a b"])
def test_create_with_an_invalid_id(oci, name):
    box = oci.box()
    box.create().must_work()
    assert oci("create", "--bundle", str(box.bundle.path), name).code != 0
    assert box.status() == "created"


@must("runtime.md#start", "MUST run the program; upon completion the status MUST be running")
def test_start_runs_the_program(oci):
    box = oci.box(WAITING).launch()
    assert box.status() == "running"
    box.wait_for("ready")


@must(
    "runtime.md#start",
    "MUST generate an error if not provided the ID, or for a container that does not exist",
)
def test_start_without_a_container(oci):
    box = oci.box()
    assert oci("start").code != 0
    assert box.start().code != 0
    box.launch()


@must(
    "runtime.md#start", "starting a container that is not created MUST have no effect and generate an error"
)
def test_start_twice(oci):
    box = oci.box(WAITING).launch()
    before = box.state()
    box.wait_for("ready")
    assert box.start().code != 0
    assert box.state() == before
    assert box.stdout.read_text() == "ready\n"


@must("runtime.md#start", "starting a stopped container MUST have no effect and generate an error")
def test_start_a_stopped_container(oci):
    box = oci.box("echo once").launch()
    box.wait()
    assert box.status() == "stopped"
    assert box.start().code != 0
    assert box.stdout.read_text() == "once\n"


@must("runtime.md#start", "process is REQUIRED when start is called: it MUST generate an error")
def test_start_without_a_process(oci):
    oci.refused(lambda config: config.pop("process"))


@must("runtime.md#kill", "MUST send the specified signal to the container process")
@pytest.mark.parametrize("name", ["USR1", "SIGUSR1", "10"])
def test_kill_sends_the_signal(oci, name):
    box = oci.box(WAITING).launch()
    box.wait_for("ready")
    box.kill(name).must_work()
    box.wait_for("usr1")
    assert box.status() == "running"


@must("runtime.md#kill", "when the process is stopped by a signal the status MUST be stopped")
def test_status_after_kill(oci):
    box = oci.box(WAITING).launch()
    box.wait_for("ready")
    box.kill("TERM").must_work()
    box.wait()
    assert box.status() == "stopped"
    assert box.stdout.read_text() == "ready\nterm\n"


@must("runtime.md#kill", "when the process is stopped for any other reason the status MUST be stopped")
def test_status_after_the_program_ended(oci):
    box = oci.box("exit 5").launch()
    box.wait()
    assert box.status() == "stopped"


@must("runtime.md#kill", "a created container takes signals")
def test_kill_a_created_container(oci):
    box = oci.box(WAITING)
    box.create().must_work()
    box.kill("KILL").must_work()
    box.wait()
    assert box.status() == "stopped"


@must(
    "runtime.md#kill", "MUST generate an error if not provided the ID, or for a container that does not exist"
)
def test_kill_without_a_container(oci):
    box = oci.box(WAITING)
    assert oci("kill").code != 0
    assert box.kill("KILL").code != 0
    box.launch().kill("KILL").must_work()


@must("runtime.md#kill", "a signal to a container neither created nor running MUST generate an error")
def test_kill_a_stopped_container(oci):
    box = oci.box("true").launch()
    box.wait()
    before = box.state()
    assert box.kill("KILL").code != 0
    assert box.state() == before


@must("runtime.md#kill", "an unknown signal is an error, and the container goes on")
def test_kill_with_an_unknown_signal(oci):
    box = oci.box(WAITING).launch()
    box.wait_for("ready")
    assert box.kill("NOSUCH").code != 0
    assert box.status() == "running"


@must(
    "runtime.md#delete",
    "MUST generate an error if not provided the ID, or for a container that does not exist",
)
def test_delete_without_a_container(oci):
    box = oci.box()
    assert oci("delete").code != 0
    assert box.delete().code != 0
    box.create().must_work()
    box.delete("--force").must_work()


@must("runtime.md#delete", "deleting a running container MUST have no effect and generate an error")
def test_delete_a_running_container(oci):
    box = oci.box(WAITING).launch()
    before = box.state()
    assert box.delete().code != 0
    assert box.state() == before


@must(
    "runtime.md#delete",
    "deleting a created container (not stopped) MUST have no effect and generate an error",
)
def test_delete_a_created_container(oci):
    box = oci.box()
    box.create().must_work()
    assert box.delete().code != 0
    assert box.status() == "created"


@must("runtime.md#delete", "MUST delete the resources that were created during create")
def test_delete_removes_everything(oci):
    mounts = _mounts()
    box = oci.box().launch()
    box.wait()
    assert (oci.root / box.id).exists()
    box.delete().must_work()
    assert box.is_gone()
    assert _mounts() == mounts


@must("runtime.md#delete", "resources not created by this container MUST NOT be deleted")
def test_delete_leaves_what_is_not_its_own(oci):
    first, second = oci.box(WAITING).launch(), oci.box()
    second.launch().wait()
    second.delete().must_work()
    assert first.status() == "running"
    assert first.groups.pids()
    assert json.loads((second.bundle.path / "config.json").read_text()) == second.config
    assert (second.bundle.root / "bin/busybox").exists()


@must("runtime.md#delete", "once deleted, the ID MAY be used by a subsequent container")
def test_an_id_is_used_again(oci):
    box = oci.box("echo again")
    for _ in range(2):
        box.launch().wait()
        assert box.stdout.read_text() == "again\n"
        box.delete().must_work()


@must("runtime.md#errors", "an error MUST leave the environment as if the operation were never attempted")
def test_a_failed_create_leaves_nothing(oci):
    mounts = _mounts()
    oci.refused(
        lambda config: config["mounts"].append({"destination": "/m", "type": "nosuch", "source": "x"})
    )
    assert _mounts() == mounts
    assert not any(oci.root.glob("cf*"))


def _mounts():
    return Path("/proc/self/mountinfo").read_text()
