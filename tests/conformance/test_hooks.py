"""hooks: when, where, in which order, and what their failure does (config.md, POSIX-platform Hooks)."""

import json
import os
from pathlib import Path

import pytest

from tests.conformance.must import must

# In the order of the lifecycle; the first three belong to create, the next two to start, the last to delete.
STAGES = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
CREATE, START = STAGES[:3], STAGES[3:5]
INSIDE = ("startContainer",)  # looked up in the container's root
HELD = "echo ready; while :; do sleep 0.02; done"


class Notes:
    """A folder of the host, seen at /notes inside, to which hooks write."""

    def __init__(self, box):
        self.box = box
        self.path = box.bundle.path / "notes"
        self.path.mkdir()
        box.config["hooks"] = {}
        box.config["mounts"].append(
            {"destination": "/notes", "type": "none", "source": str(self.path), "options": ["bind"]}
        )

    def hook(self, stage, script, **others):
        """Add a hook that runs `script`, in which {notes} is the folder as the hook sees it."""
        place = "/notes" if stage in INSIDE else str(self.path)
        shell = "/bin/busybox"
        entry = {
            "path": shell,
            "args": ["sh", "-c", script.format(notes=place)],
            "env": ["PATH=/bin"],
            **others,
        }
        self.box.config["hooks"].setdefault(stage, []).append(entry)

    def read(self, name):
        return (self.path / name).read_text()

    def lines(self, name="log"):
        return self.read(name).split() if (self.path / name).exists() else []


@pytest.fixture
def noted(oci):
    box = oci.box(HELD)
    return box, Notes(box)


def finish(box):
    box.kill("KILL").must_work()
    box.wait()
    return box.delete()


@must("runtime.md#lifecycle", "the hooks MUST be invoked by the runtime: which operation calls which stage")
@pytest.mark.parametrize("stage", STAGES)
def test_the_operation_that_calls_a_hook(noted, stage):
    box, notes = noted
    notes.hook(stage, f"echo {stage} >> {{notes}}/log")
    box.create().must_work()
    assert notes.lines() == ([stage] if stage in CREATE else [])
    box.start().must_work()
    assert notes.lines() == ([] if stage == "poststop" else [stage])
    finish(box).must_work()
    assert notes.lines() == [stage]


@must(
    "config.md#posix-platform-hooks",
    "hooks MUST be called in the listed order, prestart before createRuntime",
)
def test_order(noted):
    box, notes = noted
    for stage in STAGES:
        for number in (1, 2, 3):
            notes.hook(stage, f"echo {stage}{number} >> {{notes}}/log")
    box.launch()
    finish(box).must_work()
    assert notes.lines() == [f"{stage}{number}" for stage in STAGES for number in (1, 2, 3)]


@must("config.md#posix-platform-hooks", "the state MUST be passed to hooks over stdin")
@pytest.mark.parametrize("stage", STAGES)
def test_the_state_on_standard_input(noted, stage):
    box, notes = noted
    box.config["annotations"] = {"com.example.key": "value"}
    notes.hook(stage, "cat > {notes}/state")
    box.launch()
    pid = box.state()["pid"]
    finish(box).must_work()
    state = json.loads(notes.read("state"))
    assert (state["id"], state["bundle"]) == (box.id, str(box.bundle.path))
    assert state["annotations"]["com.example.key"] == "value"
    assert state["ociVersion"]
    assert stage in {"poststop", *INSIDE, "createContainer"} or state["pid"] == pid


@must("config.md#summary", "the status that a hook is told: creating, created, running, stopped")
@pytest.mark.parametrize(
    ("stage", "statuses"),
    [
        ("createRuntime", {"creating"}),
        ("createContainer", {"creating"}),
        ("startContainer", {"created"}),
        ("poststart", {"running"}),
        ("poststop", {"stopped"}),
    ],
)
def test_the_status_in_a_hook(noted, stage, statuses):
    box, notes = noted
    notes.hook(stage, "cat > {notes}/state")
    box.launch()
    finish(box).must_work()
    assert json.loads(notes.read("state"))["status"] in statuses


@must("config.md#summary", "MUST be executed in the runtime, or in the container namespace, by its stage")
@pytest.mark.parametrize("stage", STAGES)
def test_the_namespaces_of_a_hook(noted, stage):
    box, notes = noted
    notes.hook(stage, "for n in uts net mnt; do readlink /proc/self/ns/$n; done > {notes}/ns")
    box.launch()
    host = [os.readlink(f"/proc/self/ns/{name}") for name in ("uts", "net", "mnt")]  # noqa: PTH115
    inner = [os.readlink(f"/proc/{box.state()['pid']}/ns/{name}") for name in ("uts", "net", "mnt")]  # noqa: PTH115
    finish(box).must_work()
    assert notes.lines("ns") == (inner if stage in {"createContainer", "startContainer"} else host)


@must(
    "config.md#summary",
    "createContainer: path MUST resolve in the runtime namespace, startContainer: in the container's",
)
def test_the_root_of_a_hook(noted):
    box, notes = noted
    (box.bundle.root / "only-inside").write_text("")
    for stage in ("createContainer", "startContainer"):
        notes.hook(
            stage,
            f"test -e /only-inside && echo inside > {{notes}}/{stage} || echo outside > {{notes}}/{stage}",
        )
    box.launch()
    assert notes.read("createContainer") == "outside\n"
    assert notes.read("startContainer") == "inside\n"


@must("config.md#prestart", "before pivot_root, so the container's namespaces are there to be customized")
@pytest.mark.parametrize("stage", ["prestart", "createRuntime"])
def test_a_hook_finds_the_namespaces(noted, stage):
    box, notes = noted
    pid = "sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p'"
    notes.hook(stage, f"readlink /proc/$({pid})/ns/net > {{notes}}/net")
    box.create().must_work()
    assert notes.read("net").strip() == os.readlink(f"/proc/{box.state()['pid']}/ns/net")  # noqa: PTH115


@must("config.md#posix-platform-hooks", "args has the semantics of execv's argv, env those of environ")
def test_arguments_and_environment(noted):
    box, notes = noted
    notes.hook("createRuntime", "", env=["A=1 2", "B="])
    box.config["hooks"]["createRuntime"][0]["args"] = [
        "sh",
        "-c",
        f'env > {notes.path}/env; echo "$0|$1|$2"',
        "zero",
        "",
        "two ",
    ]
    notes.hook(
        "createRuntime", "", args=["sh", "-c", f'echo "$0|$1|$2" > {notes.path}/args', "zero", "", "two "]
    )
    box.create().must_work()
    assert {"A=1 2", "B="} <= set(notes.read("env").splitlines())
    assert notes.read("args") == "zero||two \n"


@must(
    "config.md#posix-platform-hooks", "path MUST be absolute; one that is relative, or not there, is an error"
)
@pytest.mark.parametrize("path", ["bin/true", "/no/such/hook", ""])
def test_a_path_that_is_not_absolute(oci, path):
    def change(config):
        config["hooks"]["createRuntime"][0]["path"] = path

    def base(config):
        config["hooks"] = {"createRuntime": [{"path": "/bin/true"}]}

    oci.refused(change, base=base)


@must("config.md#posix-platform-hooks", "timeout is the number of seconds before aborting the hook")
def test_timeout(oci):
    def base(config):
        config["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "0.01"], "timeout": 2}]}

    def change(config):
        config["hooks"]["createRuntime"][0]["args"][1] = "60"  # more than a command may take

    begin = os.times().elapsed
    oci.refused(change, base=base)
    assert os.times().elapsed - begin > 1.9


@must("config.md#posix-platform-hooks", "if set, timeout MUST be greater than zero")
@pytest.mark.parametrize("timeout", [0, -1])
def test_a_timeout_of_nothing(oci, timeout):
    def base(config):
        config["hooks"] = {"createRuntime": [{"path": "/bin/true", "timeout": 1}]}

    def change(config):
        config["hooks"]["createRuntime"][0]["timeout"] = timeout

    oci.refused(change, base=base)


@must(
    "runtime.md#lifecycle",
    "if a hook of create fails: an error, stop the container, and poststop hooks are called",
)
@pytest.mark.parametrize("stage", CREATE)
def test_a_failing_hook_of_create(noted, stage):
    box, notes = noted
    notes.hook(stage, "echo failed >> {notes}/log; exit 3")
    notes.hook(stage, "echo next >> {notes}/log")
    notes.hook("poststop", "echo poststop >> {notes}/log")
    assert box.create().code != 0
    assert box.is_gone()
    assert notes.lines() == ["failed", "poststop"]


@must(
    "runtime.md#lifecycle",
    "if a startContainer hook fails: an error, stop the container, the program is not run",
)
def test_a_failing_hook_of_start(noted):
    box, notes = noted
    notes.hook("startContainer", "echo failed >> {notes}/log; exit 3")
    box.create().must_work()
    assert box.start().code != 0
    assert notes.lines() == ["failed"]
    box.wait()
    assert box.stdout.read_text() == ""
    assert box("state").code != 0 or box.status() == "stopped"


@must(
    "runtime.md#lifecycle",
    "if a poststart hook fails: a warning (1.0 to 1.2), or an error and a stopped container (1.3)",
)
def test_a_failing_poststart_hook(noted):
    box, notes = noted
    notes.hook("poststart", "echo failed >> {notes}/log; exit 3")
    box.create().must_work()
    result = box.start()
    assert notes.lines() == ["failed"]
    assert result.err.strip(), "not a word of it"
    if result.code == 0:
        assert box.status() == "running"
    else:
        box.wait()
        assert box("state").code != 0 or box.status() == "stopped"


@must(
    "runtime.md#lifecycle", "if a poststop hook fails: a warning, the remaining hooks and lifecycle continue"
)
def test_a_failing_poststop_hook(noted):
    box, notes = noted
    notes.hook("poststop", "echo failed >> {notes}/log; exit 3")
    notes.hook("poststop", "echo next >> {notes}/log")
    box.launch()
    result = finish(box)
    assert result.code == 0
    assert notes.lines() == ["failed", "next"]
    assert result.err.strip(), "not a word of it"
    assert box.is_gone()


@must("config.md#poststart", "MUST be called after the program is executed but before start returns")
def test_poststart_comes_after_the_program(noted):
    box, notes = noted
    script = "n=0; while [ $n -lt 100 ] && ! grep -q ready {out}; do sleep 0.02; n=$((n+1)); done; cp {out} "
    notes.hook(
        "poststart", script.replace("{out}", str(box.stdout)) + "{notes}/out; echo called > {notes}/log"
    )
    box.create().must_work()
    assert notes.lines() == []
    box.start().must_work()
    assert notes.lines() == ["called"]
    assert notes.read("out") == "ready\n"


@must("config.md#poststop", "MUST be called after the container is deleted but before delete returns")
def test_poststop_comes_after_the_deletion(noted):
    box, notes = noted
    places = " ".join(str(place) for place in box.groups.directories())
    notes.hook(
        "poststop",
        f"for d in {places}; do test -d $d && echo $d >> {{notes}}/left; done; echo called > {{notes}}/log",
    )
    box.launch()
    assert box.groups.exist()
    finish(box).must_work()
    assert notes.lines() == ["called"]
    assert notes.lines("left") == []


@must("config.md#startcontainer-hooks", "MUST be called before the program is executed, as part of start")
def test_start_container_comes_before_the_program(noted):
    box, notes = noted
    box.process["args"] = ["/bin/sh", "-c", "echo program >> /notes/log; sleep 60"]
    notes.hook("startContainer", "echo hook >> {notes}/log")
    box.launch()
    box.kill("KILL")
    box.wait()
    assert notes.lines()[0] == "hook"
    assert Path(box.bundle.root).is_dir()
