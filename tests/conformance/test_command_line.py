"""runc's and crun's command line, beyond the five operations: what engines rely on."""

import json
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.conformance import groups
from tests.conformance.must import must
from tests.conformance.terminal import ConsoleSocket

HELD = "echo ready; exec sleep 60"
CAPS, SYS_TIME = ("/bin/grep", "-E", "Cap(Prm|Eff|Bnd)", "/proc/self/status"), 25
TRAPPED = "trap 'echo term; exit 3' TERM; echo ready; while :; do sleep 0.02; done"


@pytest.fixture
def held(oci):
    box = oci.box(HELD).launch()
    box.wait_for("ready")
    return box


@must("command line#run", "run is create, start, wait and delete, with the exit code of the program")
@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_run(oci, script, code):
    box = oci.box(f"echo out; echo err >&2; (exit 0); {script}")
    if "kill" in script:  # process 1 of a namespace does not take its own signals
        box.linux["namespaces"] = [entry for entry in box.linux["namespaces"] if entry["type"] != "pid"]
    result = box.run()
    assert (result.code, result.out, result.err) == (code, "out\n", "err\n")
    assert box.is_gone()


@must("command line#run", "run --detach returns when the program runs")
def test_run_detached(oci):
    box = oci.box(HELD)
    pid_file = box.bundle.path / "pid"
    box.run("--detach", "--pid-file", str(pid_file)).must_work()
    assert box.status() == "running"
    assert int(pid_file.read_text()) == box.state()["pid"]


@must("command line#create", "--pid-file: the file has the pid of the container process")
def test_pid_file(oci):
    box = oci.box()
    pid_file = box.bundle.path / "pid"
    box.create("--pid-file", str(pid_file)).must_work()
    assert int(pid_file.read_text()) == box.state()["pid"]


@must("command line#create", "--preserve-fds N: that many descriptors after 2 are passed on, no others are")
def test_preserved_descriptors(oci):
    box = oci.box("cat <&3; ls /proc/self/fd | wc -l")
    box.bundle.write()
    words = box.bundle.path / "words"
    words.write_text("passed\n")
    command = [
        oci.program,
        "--root",
        str(oci.root),
        "run",
        "--bundle",
        str(box.bundle.path),
        "--preserve-fds",
        "1",
        box.id,
    ]
    script = 'exec 3<"$0" 4<"$0"; exec "$@"'
    assert oci.shell(["/bin/sh", "-c", script, str(words), *command]).must_work().out == "passed\n5\n"


@must("command line#delete", "--force kills and deletes a running container; an unknown one is no error")
def test_delete_by_force(oci, held):
    held.delete("--force").must_work()
    assert held.is_gone()
    held.delete("--force").must_work()


@must("command line#kill", "--all signals every process of the container")
def test_kill_all(oci):
    box = oci.box("sleep 61 & sleep 62 & echo ready; wait")
    box.launch().wait_for("ready")
    assert len(box.groups.pids()) == 3
    oci("kill", "--all", box.id, "KILL").must_work()
    box.wait()
    assert box.groups.pids() == set()


@must("command line#list", "list: table and JSON, with id, pid, status, bundle, created, owner")
def test_list(oci, held):
    entry = next(e for e in json.loads(oci("list", "--format", "json").must_work().out) if e["id"] == held.id)
    assert (entry["status"], entry["bundle"]) == ("running", str(held.bundle.path))
    assert entry["pid"] == held.state()["pid"]
    assert datetime.fromisoformat(entry["created"].partition(".")[0].removesuffix("Z"))
    assert any(
        line.split()[:3] == [held.id, str(entry["pid"]), "running"] for line in oci("list").out.splitlines()
    )


@must("command line#ps", "ps: the processes of the container, as JSON the host's pids")
def test_ps(oci, held):
    assert set(json.loads(oci("ps", "--format", "json", held.id).must_work().out)) == held.groups.pids()


@must("command line#pause", "pause stops every process and resume lets them go on; the state says paused")
def test_pause_and_resume(oci):
    box = oci.box("while :; do echo tick; sleep 0.02; done").launch()
    box.wait_for("tick")
    box("pause").must_work()
    assert box.status() == "paused"
    before = box.stdout.stat().st_size
    time.sleep(0.1)
    assert box.stdout.stat().st_size == before
    box("resume").must_work()
    box.wait_for("tick\n" * (before // 5 + 1))
    assert box.status() == "running"


@must(
    "command line#pause", "resume of a container that is not paused, and pause of an unknown one, are errors"
)
def test_pause_errors(oci, held):
    assert held("resume").code != 0
    assert oci("pause", "unknown").code != 0
    assert held.status() == "running"


@must("command line#pause", "a paused container can be killed and deleted by force")
def test_delete_a_paused_container(oci, held):
    held("pause").must_work()
    held.delete("--force").must_work()
    assert held.is_gone()


@must(
    "command line#update", "update changes the limits of a running container, by options and by --resources"
)
def test_update(oci, held):
    oci("update", "--memory", "50331648", "--pids-limit", "77", held.id).must_work()
    assert held.groups.read("memory/memory.limit_in_bytes", "memory.max") == "50331648"
    assert held.groups.read("pids/pids.max", "pids.max") == "77"
    file = held.bundle.path / "resources.json"
    file.write_text(json.dumps({"pids": {"limit": 88}, "cpu": {"quota": 20000, "period": 100000}}))
    oci("update", "--resources", str(file), held.id).must_work()
    assert held.groups.read("pids/pids.max", "pids.max") == "88"
    quota = held.groups.read("cpu/cpu.cfs_quota_us", "cpu.max")
    assert quota == ("20000 100000" if groups.is_v2() else "20000")


@must(
    "command line#events",
    "events --stats: one JSON object of type stats with figures of the container's cgroups",
)
def test_events(oci, held):
    entry = json.loads(oci("events", "--stats", held.id).must_work().out)
    assert (entry["type"], entry["id"]) == ("stats", held.id)
    assert entry["data"]["pids"]["current"] == 1
    assert entry["data"]["memory"]["usage"]["usage"] > 0
    assert entry["data"]["cpu"]["usage"]["total"] > 0


@must("command line#exec", "exec runs a further process in the container's namespaces and cgroups")
def test_exec(oci, held):
    script = "for n in pid net ipc uts mnt; do readlink /proc/self/ns/$n; done; cat /proc/self/cgroup; exit 4"
    result = held("exec", "/bin/sh", "-c", script)
    process = Path(f"/proc/{held.state()['pid']}")
    expected = [str((process / "ns" / name).readlink()) for name in ("pid", "net", "ipc", "uts", "mnt")]
    assert result.code == 4
    assert result.out.splitlines()[:5] == expected
    assert result.out.splitlines()[5:] == (process / "cgroup").read_text().splitlines()


@must("command line#exec", "--cwd, --env, --user, --additional-gids, --cap, --no-new-privs")
def test_exec_options(oci, held):
    options = (
        "--cwd",
        "/tmp",
        "--env",
        "A=b c",
        "--user",
        "12:34",
        "--additional-gids",
        "56",
        "--no-new-privs",
    )
    script = "pwd; echo $A; id -u; id -G; grep NoNewPrivs /proc/self/status"
    result = oci("exec", *options, held.id, "/bin/sh", "-c", script).must_work()
    assert result.out.split("\n")[:4] == ["/tmp", "b c", "12", "34 56"]
    assert result.out.split()[-1] == "1"
    assert not any(number >> SYS_TIME & 1 for number in sets(oci("exec", held.id, *CAPS)))
    given = sets(oci("exec", "--cap", "CAP_SYS_TIME", held.id, *CAPS))
    assert all(number >> SYS_TIME & 1 for number in given)


def sets(result):
    """Permitted, effective and bounding set."""
    return [int(word, 16) for word in result.must_work().out.split()[1::2]]


@must("command line#exec", "--process FILE: a process object as in config.json")
def test_exec_a_process_file(oci, held):
    file = held.bundle.path / "process.json"
    args = ["/bin/sh", "-c", "pwd; echo $A; id -u; ulimit -c"]
    limits = [{"type": "RLIMIT_CORE", "soft": 512, "hard": 1024}]
    process = {
        "args": args,
        "cwd": "/etc",
        "env": ["PATH=/bin", "A=x"],
        "user": {"uid": 9, "gid": 9},
        "rlimits": limits,
    }
    file.write_text(json.dumps(process))
    assert oci("exec", "--process", str(file), held.id).must_work().out == "/etc\nx\n9\n1\n"


@must("command line#exec", "the rlimits of the container hold for a further process, RLIMIT_NOFILE too")
def test_the_limits_of_exec(oci):
    box = oci.box(HELD)
    box.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 111, "hard": 222}]
    box.launch()
    assert box("exec", "/bin/sh", "-c", "ulimit -n; ulimit -H -n").must_work().out == "111\n222\n"


@must("command line#exec", "--detach with --pid-file: the process goes on, the file has its pid")
def test_exec_detached(oci, held):
    pid_file = held.bundle.path / "exec.pid"
    oci("exec", "--detach", "--pid-file", str(pid_file), held.id, "sleep", "50").must_work()
    pid = int(pid_file.read_text())
    assert pid in held.groups.pids()
    assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x0050\x00"


@must("command line#exec", "--tty with --console-socket: a terminal for the process")
def test_exec_with_a_terminal(oci, held):
    with ConsoleSocket(oci.scratch / "console-exec") as console:
        options = ("--tty", "--detach", "--console-socket", str(console.path))
        oci("exec", *options, held.id, "/bin/sh", "-c", "read line; test -t 0 && echo got $line.").must_work()
        assert console.master > 0
        console.write("words\n")
        console.read_until("got words.")


@must("command line#exec", "in a container that is not running, or for a program that is not there: an error")
def test_exec_errors(oci, held):
    assert held("exec", "nosuchprogram").code != 0
    assert oci("exec", "unknown", "true").code != 0
    held("exec", "true").must_work()
    held.kill("KILL").must_work()
    held.wait()
    assert held("exec", "true").code != 0


@must("command line#log", "--log FILE --log-format json: errors as JSON lines of level, msg and time")
def test_log(oci):
    log = oci.scratch / "log.json"
    result = oci("start", "unknown", before=("--log", str(log), "--log-format", "json"))
    assert result.code != 0
    last = json.loads(log.read_text().splitlines()[-1])
    assert last["level"] == "error"
    assert last["msg"]
    assert last["time"]
    box = oci.box()
    box.bundle.write()
    oci("create", "--bundle", str(box.bundle.path), box.id, before=("--log", str(log))).must_work()


@must("command line#log", "a --log that can't be written is an error, and nothing is done")
def test_a_log_that_can_not_be_written(oci):
    box = oci.box()
    box.bundle.write()
    log = str(oci.scratch / "nowhere/log")
    result = oci("create", "--bundle", str(box.bundle.path), box.id, before=("--log", log))
    assert result.code != 0
    assert log in result.err
    assert box.is_gone()
    box.create().must_work()


@must("command line#spec", "spec writes a config.json with which a bundle runs")
def test_spec(oci):
    box = oci.box()
    oci("spec", cwd=box.bundle.path).must_work()
    config = json.loads((box.bundle.path / "config.json").read_text())
    assert config["process"]["terminal"] is True
    config["process"].update(terminal=False, args=["echo", "fine"])
    box.bundle.config = config
    box.config = config
    assert box.output() == "fine\n"


@must("command line#version", "--version names the runtime and the version of the specification")
def test_version(oci):
    lines = oci("--version").must_work().out.splitlines()
    assert lines[0].split()[1] == "version"
    assert any(line.startswith("spec: 1.") for line in lines)


@must("command line#help", "an unknown verb or option is an error")
def test_unknown_words(oci):
    assert oci("nosuchverb").code != 0
    assert oci("create", "--nosuchoption", "x").code != 0
    oci.box().create().must_work()


@must("command line#stop", "a program that handles SIGTERM ends as it likes")
def test_the_exit_of_a_handler(oci):
    box = oci.box(TRAPPED)
    box.launch().wait_for("ready")
    box.kill().must_work()
    box.wait()
    assert box.stdout.read_text() == "ready\nterm\n"
