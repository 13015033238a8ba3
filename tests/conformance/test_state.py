"""state: what it tells (runtime.md, State)."""

import json
from pathlib import Path

import pytest

from tests.conformance.must import must

HELD = "echo ready; exec sleep 60"


@must(
    "runtime.md#query-state", "MUST generate an error if not provided the ID, or for one that does not exist"
)
def test_state_without_a_container(oci):
    box = oci.box()
    assert oci("state").code != 0
    assert box("state").code != 0
    box.create().must_work()
    assert box.state()["id"] == box.id


@must("runtime.md#state", "MUST include ociVersion, the version with which the state complies")
def test_state_has_the_version(oci):
    box = oci.box()
    box.create().must_work()
    numbers = box.state()["ociVersion"].partition("-")[0].split(".")
    assert len(numbers) == 3
    assert int(numbers[0]) == 1


@must("runtime.md#state", "MUST include id, the container's ID")
def test_state_has_the_id(oci):
    box = oci.box()
    box.create().must_work()
    assert box.state()["id"] == box.id


@must("runtime.md#state", "MUST include pid, the container process as seen by the host")
def test_state_has_the_pid(oci):
    box = oci.box(HELD).launch()
    box.wait_for("ready")
    pid = box.state()["pid"]
    assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x0060\x00"
    assert pid in box.groups.pids()
    assert Path(f"/proc/{pid}/ns/pid").readlink() != Path("/proc/self/ns/pid").readlink()


@must("runtime.md#state", "pid is REQUIRED when the status is created")
def test_created_state_has_the_pid(oci):
    box = oci.box()
    box.create().must_work()
    assert box.groups.pids() == {box.state()["pid"]}


@must("runtime.md#state", "MUST include bundle, the absolute path of the bundle")
def test_state_has_the_absolute_bundle(oci):
    box = oci.box()
    box.bundle.write()
    oci("create", "--bundle", ".", box.id, cwd=box.bundle.path, stdout=None, stderr=None).must_work()
    assert box.state()["bundle"] == str(box.bundle.path)


@must("runtime.md#state", "MUST include status: created, running, stopped")
def test_state_goes_through_the_statuses(oci):
    box = oci.box(HELD)
    seen = []
    box.create().must_work()
    seen.append(box.status())
    box.start().must_work()
    seen.append(box.status())
    box.kill("KILL").must_work()
    box.wait()
    seen.append(box.status())
    assert seen == ["created", "running", "stopped"]


@must("runtime.md#state", "additional statuses MUST represent new runtime states: paused")
def test_a_paused_container_is_not_called_running(oci):
    box = oci.box(HELD).launch()
    box("pause").must_work()
    assert box.status() not in {"created", "running", "stopped"}
    box("resume").must_work()
    assert box.status() == "running"


@must("runtime.md#state", "annotations contains the annotations associated with the container")
def test_state_has_the_annotations(oci):
    box = oci.box()
    box.config["annotations"] = {"com.example.key": "value", "empty": ""}
    box.create().must_work()
    found = box.state()["annotations"]
    assert found["com.example.key"] == "value"
    assert found["empty"] == ""


@must("runtime.md#state", "when serialized in JSON the format MUST adhere to the pattern")
@pytest.mark.parametrize("started", [False, True])
def test_state_has_the_types_of_the_pattern(oci, started):
    box = oci.box(HELD)
    box.create().must_work()
    if started:
        box.start().must_work()
    state = json.loads(box("state").must_work().out)
    types = {"ociVersion": str, "id": str, "status": str, "pid": int, "bundle": str}
    assert {name: type(state[name]) for name in types} == types
    assert isinstance(state.get("annotations") or {}, dict)


@must(
    "runtime.md#scope-of-a-container",
    "the creating entity MUST be able to use the operations on that container",
)
def test_every_invocation_knows_the_container(oci):
    box = oci.box(HELD).launch()
    assert box.id in oci("list", "-q").must_work().out.split()
    assert [entry["id"] for entry in json.loads(oci("list", "--format", "json").must_work().out)].count(
        box.id
    ) == 1
