import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from vmdriver.adoption import adopting, collecting
from vmdriver.process import Identity, command_line, identify, kill, myself, running_with, wait_gone


def test_a_process_is_its_number_and_its_start():
    me = myself()
    assert me.pid == os.getpid()
    assert me.alive()
    assert not Identity(me.pid, me.start - 1).alive()


def test_a_zombie_is_not_alive():
    child = subprocess.Popen(["true"])
    identity = identify(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert identify(child.pid) is None
    child.wait()
    assert identity is None or not identity.alive()


def test_waiting_ends_when_the_process_does():
    with subprocess.Popen(["sleep", "30"]) as child:
        identity = identify(child.pid)
        assert not wait_gone(identity, 0.02)
        child.send_signal(signal.SIGTERM)
        assert wait_gone(identity, 5)


def test_a_process_under_a_reused_number_is_left_alone():
    with subprocess.Popen(["sleep", "30"]) as child:
        stranger = Identity(child.pid, identify(child.pid).start - 1)
        assert kill(stranger)
        assert identify(child.pid) is not None
        assert kill(identify(child.pid))


def test_only_machines_are_found_by_their_words():
    with subprocess.Popen(["sleep", "31.4159"]) as child:
        deadline = time.monotonic() + 5
        while not (words := command_line(child.pid)) and time.monotonic() < deadline:
            time.sleep(0.001)  # exec has begun when Popen returns, and has no command line for a moment
        assert "31.4159" in words
        assert running_with("31.4159") == ()
        child.kill()
    with subprocess.Popen(
        ["qemu-fake", "-c", "import time; time.sleep(30)"], executable=sys.executable
    ) as child:
        wait_for(lambda: "time.sleep" in command_line(child.pid))
        assert [found.pid for found in running_with("time.sleep(30)")] == [child.pid]
        child.kill()


def wait_for(true):
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_daemon_born_in_the_block_is_ours_to_collect(tmp_path):
    with adopting(tmp_path / "pid"):
        pid = int(subprocess.check_output(["sh", "-c", "sleep 0.3 >/dev/null & echo $!"]))
    assert parent(pid) == os.getpid()
    with collecting(pid):
        wait_for(lambda: not Path(f"/proc/{pid}").exists())


def test_a_daemon_born_after_it_is_not(tmp_path):
    with adopting(tmp_path / "pid"):
        pass
    pid = int(subprocess.check_output(["sh", "-c", "sleep 0.3 >/dev/null & echo $!"]))
    assert parent(pid) != os.getpid()


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_machine_that_dies_while_it_is_started_is_collected_and_no_other_child(tmp_path):
    mine = subprocess.Popen(["true"])
    with adopting(tmp_path / "pid"):
        pid = int(subprocess.check_output(["sh", "-c", "sleep 0.1 >/dev/null & echo $!"]))
        (tmp_path / "pid").write_text(f"{pid}\n")
        wait_for(lambda: not Path(f"/proc/{pid}").exists())
    assert mine.wait() == 0
    assert mine.returncode == 0
