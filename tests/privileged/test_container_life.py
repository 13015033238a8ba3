"""How real containers start, fail, end and are removed, and that nothing stays."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from runtime.container import ContainerSpec, Spawner
from runtime.container.started import handles
from runtime.errors import RuntimeFault
from tests import descriptors
from tests.fakes.engine import until

pytestmark = pytest.mark.privileged


@pytest.mark.parametrize(
    ("args", "kind"),
    [
        (("nothing-here",), "not-found"),
        (("/no/such/path",), "not-found"),
        (("/notexec",), "not-executable"),
        (("/noformat",), "not-executable"),
        (("/etc",), "not-executable"),
    ],
)
def test_what_cannot_be_executed_is_told_and_leaves_nothing(box, place, args, kind):
    before = descriptors.of()
    with pytest.raises(RuntimeFault) as caught:
        box.start(*args, stdio=2)
    assert caught.value.kind == kind
    assert args[0] in str(caught.value)
    assert caught.value.hint
    assert list((place[1] / "containers").iterdir()) == []
    assert not descriptors.since(before)


def test_exit_codes(box):
    assert box.run("sh", "-c", "exit 42")[0].shell_code == 42
    status = box.run("sh", "-c", "kill -KILL $$; sleep 1; exit 3")[0]
    assert status.code == 3  # even SIGKILL does not reach process 1 from inside its namespace
    with box.start("sleep", "100") as started:
        started.kill()
        assert started.wait(5).shell_code == 137
        assert not started.wait().oom


def test_wait_times_out_and_can_be_repeated(box):
    with box.start("sh", "-c", "read x; exit 5", stdio=None) as started:
        assert started.wait(5).code == 5
        assert started.wait(5).code == 5
    with box.start("sleep", "100") as started, pytest.raises(TimeoutError):
        started.wait(0.05)


def test_stop_asks_first_and_kills_after_the_grace(box):
    polite = box.start("sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.02; done")
    until(lambda: handles(polite.pid, signal.SIGTERM))
    assert polite.stop(5).code == 7
    deaf = box.start("sh", "-c", "trap '' TERM; trap : USR1; while :; do sleep 0.02; done")
    until(lambda: handles(deaf.pid, signal.SIGUSR1))
    assert deaf.stop(0.1).signal == signal.SIGKILL
    no_handler = box.start("sleep", "100")
    began = time.monotonic()
    assert no_handler.stop(10).signal == signal.SIGKILL
    assert time.monotonic() - began < 2
    for started in (polite, deaf, no_handler):
        started.remove()
        assert started.leftovers() == []


def test_stdio_is_one_bidirectional_channel(box):
    ours, theirs = socket.socketpair()
    with ours, theirs, box.start("sh", "-c", "read x; echo got $x", stdio=theirs.fileno()) as started:
        ours.sendall(b"word\n")
        assert ours.recv(100) == b"got word\n"
        assert started.wait(5).code == 0


def test_thirty_starts_leave_nothing(box, place):
    box.null()
    before = descriptors.of()
    mounts = Path("/proc/self/mountinfo").read_text()
    for _ in range(30):
        started = box.start("sh", "-c", "sleep 100 & sleep 100 & echo x >/file; wait")
        assert started.leftovers()
        started.remove()
        started.remove()
        assert started.leftovers() == []
    assert not descriptors.since(before)
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert list(place[0].glob("containers/*")) == list(place[1].glob("containers/*")) == []
    spawner_fds = list(Path(f"/proc/{box.spawner.pid}/fd").iterdir())
    assert len(spawner_fds) <= 6  # three of its own, the client, and its starter: what it says, and its end


def test_twenty_at_once_from_several_threads(spawner, layer):
    null = os.open("/dev/null", os.O_RDWR)
    running = []

    def start(number):
        spec = ContainerSpec(f"many{number}", (layer,), ("sleep", "100"))
        running.append(spawner.start(spec, stdin=null, stdout=null, stderr=null))

    threads = [threading.Thread(target=start, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.close(null)
    assert len({started.pid for started in running}) == 20
    for started in running:
        started.remove()
    assert [left for started in running for left in started.leftovers()] == []


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, layer):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=4", "none", small], check=True)
    try:
        with (
            Spawner(small / "run", small / "data") as spawner,
            pytest.raises(RuntimeFault, match="No space") as caught,
        ):
            spawner.start(ContainerSpec("a", (layer,), ("true",)), stdin=0, stdout=1, stderr=2)
        assert caught.value.kind == "host"
        assert "free" in caught.value.hint
        assert not list(small.glob("*/containers/*"))
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_top_on_an_overlay_is_refused_with_a_remedy(box, layer, tmp_path):
    lower, upper, work, merged = (tmp_path / name for name in ("lower", "upper", "work", "merged"))
    for path in (lower, upper, work, merged):
        path.mkdir()
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "-o", options, "none", merged], check=True)
    try:
        with Spawner(tmp_path / "run2", merged) as spawner, pytest.raises(RuntimeFault) as caught:
            spawner.start(ContainerSpec("a", (layer,), ("true",)), stdin=0, stdout=1, stderr=2)
        assert caught.value.kind == "host"
        assert "ext4" in caught.value.hint
    finally:
        subprocess.run(["umount", merged], check=True)


def test_a_missing_layer_is_named(box, tmp_path):
    with pytest.raises(RuntimeFault, match="overlay"):
        box.start("true", layers=(tmp_path / "nope",))


def test_a_name_is_used_once(box):
    with box.start("sleep", "100", id="web"):
        with pytest.raises(RuntimeFault, match="web is in use") as caught:
            box.start("true", id="web")
        assert caught.value.kind == "usage"
    box.start("true", id="web").remove()


def test_close_removes_what_still_runs(place, layer):
    null = os.open("/dev/null", os.O_RDWR)
    with Spawner(*place) as spawner:
        started = spawner.start(
            ContainerSpec("a", (layer,), ("sleep", "100")), stdin=null, stdout=null, stderr=null
        )
        parents = [Path(parent) for parent in started.cgroup.parents]
    os.close(null)
    assert started.leftovers() == []
    assert not any(path.exists() for path in parents if not list(path.glob("*/")))
    assert not Path(f"/proc/{spawner.pid}").exists()


def test_an_end_and_a_removal_at_the_same_moment_are_no_surprise(spawner, box):
    """Both events wait for the spawner when it looks: it must not read of a descriptor that it has closed."""
    started = box.start("sleep", "100")
    others = [box.start("sleep", "100") for _ in range(2)]
    os.kill(spawner.pid, signal.SIGSTOP)
    try:
        started.kill()
        remover = threading.Thread(target=started.remove)
        remover.start()
        assert select.select([started.pidfd], [], [], 5)[0]
        time.sleep(0.1)  # the request is in the socket
    finally:
        os.kill(spawner.pid, signal.SIGCONT)
    remover.join(5)
    assert started.leftovers() == []
    for other in others:
        other.remove()
        assert other.leftovers() == []
