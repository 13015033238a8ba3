"""The starter shares its memory with a half-made child, so it may die of that child's death; nobody else."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from runtime.container import Spawner, records
from runtime.container.spec import ContainerSpec, NativeSpec
from runtime.errors import RuntimeFault
from runtime.linux import processes
from runtime.process import watch
from runtime.process.reclaim import DRAFT
from runtime.rootfs.plan import Bind
from tests.torture import traces
from tests.torture.traces import children

pytestmark = pytest.mark.privileged
KILLED = 128 + signal.SIGKILL
REFUSED = "cannot start box: the process that prepared it was killed"


def starter(spawner: Spawner) -> int:
    """The one child of the spawner that still is the spawner's program."""
    own = Path(f"/proc/{spawner.pid}/cmdline")
    return wait_for(
        lambda: [pid for pid in children(spawner.pid) if same(own, Path(f"/proc/{pid}/cmdline"))]
    )[0]


def same(one: Path, other: Path) -> bool:
    try:
        return one.read_bytes() == other.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(condition):
    end = time.monotonic() + 10
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.0005)
    return found


def in_hand(box, place, tmp_path, ask):
    """Have `ask` start a box in a thread; returns that, the starter, and its child, which is on record.

    A thousand binds are half a second in which to find it.
    """
    slow = tuple(Bind(tmp_path, f"/m{number}") for number in range(1000))
    first, known = starter(box.spawner), children(box.spawner.pid)
    asking = threading.Thread(target=ask, args=(slow,))
    asking.start()
    child = wait_for(lambda: [pid for pid in children(box.spawner.pid) if pid not in known])[0]
    wait_for(lambda: child in [record.pid for record in records.records(place[0])])
    return asking, first, child


def segmentation_faults() -> list[str]:
    """What the kernel's log says of such ends of Python."""
    log = subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout
    return [line for line in log.splitlines() if "python" in line and "segfault" in line]


def test_containers_are_the_spawners_children_and_the_starters_memory_is_not_theirs(box):
    running = box.start("sleep", "100")
    assert running.pid in children(box.spawner.pid)
    assert children(starter(box.spawner)) == []
    assert Path(f"/proc/{running.pid}/cmdline").read_bytes() == b"sleep\x00100\x00"


def test_an_idle_starter_that_is_killed_is_replaced(box):
    running = box.start("sleep", "100")
    for _ in range(3):
        os.kill(starter(box.spawner), signal.SIGKILL)
        assert box.sh("echo again") == "again"
    assert running.cgroup.stats().pids == 1


def test_a_child_that_is_killed_before_its_exec_counts_as_killed(box, place, tmp_path):
    faults = segmentation_faults()
    got = []
    asking, first, child = in_hand(
        box, place, tmp_path, lambda slow: got.append(box.start("true", mounts=slow))
    )
    os.kill(child, signal.SIGKILL)
    asking.join(20)
    status = got[0].wait(10)
    assert (status.signal, status.shell_code) == (signal.SIGKILL, KILLED)
    got[0].remove()
    assert got[0].leftovers() == []
    assert starter(box.spawner) != first
    assert segmentation_faults() == faults
    assert box.sh("echo again") == "again"


def test_starters_that_are_killed_as_soon_as_they_are_there_are_an_error_that_says_so(spawner, layer):
    null, over, word = os.open("/dev/null", os.O_RDWR), threading.Event(), f"80{os.getpid()}"
    killing = threading.Thread(target=kill_all, args=(spawner.pid, over))
    killing.start()
    outcomes = {one_life(spawner, layer, null, word) for _ in range(10)}
    over.set()
    killing.join()
    again = "the process that starts containers was killed 3 times in a row"
    assert outcomes <= {again, REFUSED, "killed"}, outcomes
    assert one_life(spawner, layer, null, word) == "started"
    os.close(null)


def kill_all(spawner: int, over: threading.Event) -> None:
    while not over.is_set():
        for pid in children(spawner):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_a_starter_that_is_killed_with_a_child_in_hand_takes_only_that_one_along(box, place, tmp_path):
    running = box.start("sleep", "100")
    got = []
    asking, first, _ = in_hand(box, place, tmp_path, lambda slow: got.append(refusal(box, slow)))
    os.kill(first, signal.SIGKILL)
    asking.join(20)
    assert "was killed" in got[0]
    assert [record.id for record in records.records(place[0])] == [running.id]
    assert running.cgroup.stats().pids == 1


def test_a_child_that_does_not_go_on_after_its_starters_death_goes_too(box, place, tmp_path):
    # Stopped, it is as one that waits for a lock which a thread of the starter held: it does not find out.
    running = box.start("sleep", "100")
    got = []
    asking, first, child = in_hand(box, place, tmp_path, lambda slow: got.append(refusal(box, slow)))
    os.kill(child, signal.SIGSTOP)
    try:
        os.kill(first, signal.SIGKILL)
        asking.join(10)
        assert got, "the client still waits"
    finally:
        if not got:
            os.kill(child, signal.SIGKILL)
        asking.join()
    assert "was killed" in got[0]
    assert [record.id for record in records.records(place[0])] == [running.id]
    assert running.cgroup.stats().pids == 1
    assert box.sh("echo again") == "again"


def test_a_starter_that_does_not_go_on_after_its_childs_death_is_replaced(box, place, tmp_path):
    # Stopped, it is as one that waits for a lock which the child held: it neither answers nor ends.
    running = box.start("sleep", "100")
    got = []
    asking, first, child = in_hand(
        box, place, tmp_path, lambda slow: got.append(box.start("true", mounts=slow))
    )
    try:
        os.kill(first, signal.SIGSTOP)
        os.kill(child, signal.SIGKILL)
        asking.join(10)
        assert got, "the client still waits"
    finally:
        if not got:
            os.kill(first, signal.SIGKILL)
        asking.join()
    assert got[0].wait(10).signal == signal.SIGKILL
    got[0].remove()
    assert got[0].leftovers() == []
    assert box.sh("echo again") == "again"
    assert running.cgroup.stats().pids == 1
    assert set(children(box.spawner.pid)) == {running.pid, starter(box.spawner)}


def test_a_child_that_stands_still_is_left_alone(box, tmp_path):
    slow = tuple(Bind(tmp_path, f"/m{number}") for number in range(1000))
    first = starter(box.spawner)
    got = []
    asking = threading.Thread(target=lambda: got.append(box.start("true", mounts=slow)))
    asking.start()
    child = wait_for(lambda: [pid for pid in children(box.spawner.pid) if pid != first])[0]
    os.kill(child, signal.SIGSTOP)
    time.sleep(2 * 2 * watch.PERIOD / 1000)  # twice as long as a dead one would get
    os.kill(child, signal.SIGCONT)
    asking.join(20)
    assert got[0].wait(10).code == 0
    assert starter(box.spawner) == first


def test_a_refused_start_leaves_no_zombie(box):
    running = box.start("sleep", "100", id="a")
    for _ in range(3):
        with pytest.raises(RuntimeFault, match="the name a is in use"):
            box.start("true", id="a")
        with pytest.raises(RuntimeFault, match="command not found"):
            box.start("nosuch", id="b")
    assert set(children(box.spawner.pid)) == {running.pid, starter(box.spawner)}


def refusal(box, slow):
    with pytest.raises(RuntimeFault) as caught:
        box.start("sleep", "100", mounts=slow)
    return str(caught.value)


def test_forty_kills_at_any_moment_leave_nothing(place, layer):
    chance, outcomes, word = random.Random(7), [], f"78{os.getpid()}"
    null = os.open("/dev/null", os.O_RDWR)
    with Spawner(*place) as spawner:
        for _ in range(40):
            begin = time.monotonic()
            one_life(spawner, layer, null, word)  # there is a starter from here on
            usual = time.monotonic() - begin
            victim = starter(spawner)
            begun = processes.start_time(victim)
            timer = threading.Timer(chance.uniform(0, 1.2 * usual), kill_this, (victim, begun))
            timer.start()
            outcomes.append(one_life(spawner, layer, null, word))
            timer.join()
        spec = ContainerSpec("box", (layer,), ("true",))
        with spawner.start(spec, stdin=null, stdout=null, stderr=null) as started:
            assert started.wait(10).code == 0
        assert [*traces.of(word), *traces.files(*place)] == []
    os.close(null)
    assert set(outcomes) <= {"started", "killed", REFUSED}, outcomes


def test_children_killed_at_a_hundred_moments_hang_nothing(place, layer):
    chance, outcomes, word = random.Random(11), [], f"79{os.getpid()}"
    null = os.open("/dev/null", os.O_RDWR)
    with Spawner(*place) as spawner:
        for _ in range(100):
            known = children(spawner.pid)
            striking = threading.Thread(target=strike, args=(spawner.pid, known, chance.uniform(0, 0.012)))
            striking.start()
            outcomes.append(one_life(spawner, layer, null, word))
            striking.join()
        assert one_life(spawner, layer, null, word) == "started"
        assert children(spawner.pid) == [starter(spawner)]
        assert [*traces.of(word), *traces.files(*place)] == []
    os.close(null)
    assert set(outcomes) <= {"started", "killed", REFUSED}, outcomes
    assert {"killed", REFUSED} & set(outcomes), "no kill came before the exec"


def strike(spawner: int, known: list[int], delay: float) -> None:
    """Kill the spawner's next child `delay` seconds after it is there."""
    found = []
    end = time.monotonic() + 10
    while not found and time.monotonic() < end:
        found = [pid for pid in children(spawner) if pid not in known]
    end = time.monotonic() + delay
    while time.monotonic() < end:
        pass
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_this(pid: int, begun: int) -> None:
    if processes.alive(pid, begun):
        os.kill(pid, signal.SIGKILL)


def one_life(spawner, layer, null, word):
    """The same name each time: what is left of one start would be in the way of the next."""
    spec = ContainerSpec("box", (layer,), ("sleep", word))
    try:
        started = spawner.start(spec, stdin=null, stdout=null, stderr=null)
    except RuntimeFault as fault:
        return str(fault)
    with started:
        return "started" if processes.alive(started.pid, processes.start_time(started.pid)) else "killed"


def test_a_name_in_use_stays_with_the_one_that_has_it(spawner, layer, place):
    null = os.open("/dev/null", os.O_RDWR)
    spec = ContainerSpec("a", (layer,), ("sleep", "100"))
    started = spawner.start(spec, stdin=null, stdout=null, stderr=null)
    with pytest.raises(RuntimeFault, match="the name a is in use"):
        spawner.start(spec, stdin=null, stdout=null, stderr=null)
    with (
        Spawner(*place) as other,
        pytest.raises(RuntimeFault, match="the name a is in use"),
    ):
        other.start(spec, stdin=null, stdout=null, stderr=null)
    os.close(null)
    assert records.records(place[0])[0].status == "running"
    started.remove()
    assert started.leftovers() == []


def test_a_user_file_that_is_no_file_or_has_no_end_does_not_hold_the_start(spawner, tmp_path, layer):
    null = os.open("/dev/null", os.O_RDWR)
    (tmp_path / "top/etc").mkdir(parents=True)
    os.mkfifo(tmp_path / "top/etc/passwd")
    spec = ContainerSpec("a", (layer, tmp_path / "top"), ("true",), user="web")
    with pytest.raises(RuntimeFault, match="the image has no user web"):
        spawner.start(spec, stdin=null, stdout=null, stderr=null)
    (tmp_path / "top/etc/passwd").unlink()
    with (tmp_path / "top/etc/passwd").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(RuntimeFault, match=r"/etc/passwd is larger than"):
        spawner.start(spec, stdin=null, stdout=null, stderr=null)
    os.close(null)


def test_a_bare_process_keeps_no_signal_blocked_and_no_descriptor(spawner):
    read, write = os.pipe()
    script = "grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd | wc -l"
    with os.fdopen(read) as output:
        spec = NativeSpec("n", ("/bin/sh", "-c", script))
        with spawner.start_native(spec, stdin=write, stdout=write, stderr=write) as started:
            os.close(write)
            text = output.read().split()
            assert started.wait(10).code == 0
    assert text == ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16, "4"]  # of ls: 0 to 2, and the directory


def test_a_name_is_free_as_soon_as_it_is_removed(spawner, layer, place):
    null = os.open("/dev/null", os.O_RDWR)
    spec = ContainerSpec("a", (layer,), ("true",))
    for _ in range(30):
        with spawner.start(spec, stdin=null, stdout=null, stderr=null) as started:
            assert started.wait(10).code == 0
    last = spawner.start(spec, stdin=null, stdout=null, stderr=null)
    assert last.wait(10).code == 0
    with pytest.raises(RuntimeFault, match="the name a is in use"):
        spawner.start(spec, stdin=null, stdout=null, stderr=null)
    os.close(null)
    spawner.close()  # the record of the last is removed, though the refused one was told of after it
    assert last.leftovers() == []
    assert traces.files(*place) == []


def test_a_dead_starter_and_a_name_in_use_do_not_cost_the_one_that_has_it(box):
    running = box.start("sleep", "100", id="a")
    os.kill(starter(box.spawner), signal.SIGKILL)
    with pytest.raises(RuntimeFault, match="the name a is in use"):
        box.start("sleep", "100", id="a")
    assert running.cgroup.stats().pids == 1
    running.remove()
    assert running.leftovers() == []


def test_a_record_that_a_killed_child_had_begun_is_not_in_the_way(box, place):
    box.sh("true")
    owner = {"pid": box.spawner.pid, "start": processes.start_time(box.spawner.pid)}
    draft = place[0] / "containers" / f"{DRAFT}{owner['pid']}-{owner['start']}-a"
    draft.mkdir()
    (draft / "state.json").write_text('{"id": ')
    assert box.start("true", id="a").wait(10).code == 0
    assert not draft.exists()
