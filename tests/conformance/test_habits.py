"""Habits of runc that its users rely on without having read of them."""

import json
import subprocess
import time

import pytest

from tests.conformance import groups
from tests.conformance.must import must

HELD = "echo ready; exec sleep 60"


@pytest.fixture
def held(oci):
    box = oci.box(HELD).launch()
    box.wait_for("ready")
    return box


def home_of(oci, user, *env):
    box = oci.box("echo $HOME")
    box.process.update(user=user, env=["PATH=/bin", *env])
    return box.output()


@must("command line#create", "HOME is what the container's /etc/passwd says, else /, unless it is given")
def test_home(oci):
    assert home_of(oci, {"uid": 0, "gid": 0}) == "/root\n"
    assert home_of(oci, {"uid": 33, "gid": 0}) == "/var/www\n"
    assert home_of(oci, {"uid": 4711, "gid": 0}) == "/\n"
    assert home_of(oci, {"uid": 0, "gid": 0}, "HOME=/here") == "/here\n"


@must("command line#exec", "HOME is that of the further process's user")
def test_home_of_exec(oci, held):
    words = ("/bin/sh", "-c", "echo $HOME")
    assert held("exec", *words).must_work().out == "/root\n"
    assert oci("exec", "--user", "33:33", held.id, *words).must_work().out == "/var/www\n"


@must("command line#exec", "a working directory that is not there is an error; exec makes none")
def test_exec_without_its_directory(oci, held):
    assert oci("exec", "--cwd", "/etc", held.id, "pwd").must_work().out == "/etc\n"
    assert oci("exec", "--cwd", "/etc/none", held.id, "pwd").code != 0
    assert held("exec", "test", "-e", "/etc/none").code == 1


@must("command line#exec", "an error of the runtime itself is exit code 255, to be told from the program's")
def test_exit_code_of_a_failed_exec(oci, held):
    assert held("exec", "/bin/sh", "-c", "exit 1").code == 1
    assert held("exec", "nosuchprogram").code == 255
    assert oci("exec", "unknown", "true").code == 255


@must("command line#exec", "in a paused container it is an error, unless --ignore-paused lets it wait there")
def test_exec_in_a_paused_container(oci, held):
    held("pause").must_work()
    assert held("exec", "true").code != 0
    words = [oci.program, "--root", str(oci.root), "exec", "--ignore-paused", held.id, "echo", "late"]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as waiting:
        time.sleep(0.3)
        assert waiting.poll() is None
        held("resume").must_work()
        assert waiting.communicate(timeout=10)[0] == "late\n"
    assert waiting.returncode == 0


@must("command line#update", "memory is in bytes, or with a unit")
def test_update_with_a_unit(oci, held):
    if not groups.has("memory"):
        pytest.skip("no memory controller")
    oci("update", "--memory", "64m", held.id).must_work()
    assert held.groups.read("memory/memory.limit_in_bytes", "memory.max") == str(64 << 20)
    assert oci("update", "--memory", "64x", held.id).code != 0
    assert held.groups.read("memory/memory.limit_in_bytes", "memory.max") == str(64 << 20)


@must("command line#kill", "signal 0 asks whether the process is there")
def test_kill_with_signal_0(oci, held):
    held("kill", "0").must_work()
    assert held.status() == "running"
    assert held("kill", "-1").code != 0
    held("kill", "KILL").must_work()
    held.wait()
    assert held("kill", "0").code != 0


@must("command line#state", "an argument too many is an error, and nothing is done")
@pytest.mark.parametrize("verb", ["state", "delete", "pause", "start"])
def test_an_argument_too_many(oci, held, verb):
    assert held(verb, "another").code != 0
    assert held.status() == "running"


@must("command line#create", "a name of the environment can't be empty, nor can an entry lack =")
@pytest.mark.parametrize("entry", ["=value", "NAME"])
def test_an_invalid_entry_of_the_environment(oci, entry):
    oci.refused(lambda config: config["process"]["env"].append(entry))


@must("command line#log", "--log-format json without --log: standard error has the JSON")
def test_json_on_standard_error(oci):
    done = oci("state", "unknown", before=("--log-format", "json"))
    assert done.code != 0
    found = json.loads(done.err)
    assert (found["level"], bool(found["msg"])) == ("error", True)


@must("command line#delete", "a container whose process was killed while it was paused can be deleted")
def test_delete_after_a_kill_in_a_pause(oci, held):
    held("pause").must_work()
    held("kill", "KILL").must_work()
    end = time.monotonic() + 5
    while held.status() != "stopped":
        assert time.monotonic() < end
        time.sleep(0.02)
    held.delete().must_work()
    assert held.is_gone()
