"""kill -9 of the keeper and of clients, at random moments: what is on record afterwards, and nothing else."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.container.kind import key
from runtime.engine import documents
from runtime.engine.client import Connection
from runtime.engine.places import Places
from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store
from tests.fakes.engine import ROOT, engine, until

pytestmark = pytest.mark.privileged
ROUNDS = 20
SEED = 20261124


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    bootstrap(Store(root / "images"), "busybox")
    return root / "images"


@pytest.fixture(name="engine")
def one(tmp_path, images):
    (tmp_path / "images").symlink_to(images)
    with engine(tmp_path) as made:
        yield made


@pytest.fixture
def network(engine):
    """A network namespace of the test's own, in which the engine and its keepers run."""
    holder = subprocess.Popen(["unshare", "-n", "sleep", "1000"])
    ours, path = Path("/proc/self/ns/net").readlink(), Path(f"/proc/{holder.pid}/ns/net")
    until(lambda: path.readlink() != ours)
    engine.prefix = ["nsenter", f"--net={path}"]
    subprocess.run([*engine.prefix, "ip", "link", "set", "lo", "up"], check=True)
    yield engine.prefix
    for name in engine.names():
        engine("rm", "-f", name)
    until(lambda: not engine.keeper())
    holder.kill()
    holder.wait()


def traces(engine):
    """Everything that a container, or its end, could leave behind."""
    mark = f"engine-{key(engine.home / 'run')}-"
    tree = os.walk("/sys/fs/cgroup")
    groups = [f"{path}/{name}" for path, names, _ in tree for name in names if name.startswith(mark)]
    members = [path for path in Path("/proc").glob("[0-9]*") if mark in _text(path / "cgroup")]
    mounts = [line for line in _text(Path("/proc/self/mountinfo")).splitlines() if str(engine.home) in line]
    home, names = engine.home / "engine", ("run/engine/oci", "engine/removed", "engine/drafts")
    files = [path for name in names for path in _children(engine.home / name)]
    stale = [
        path for path in _children(home / "names") if not (home / "containers" / path.readlink()).exists()
    ]
    return [*groups, *members, *mounts, *files, *stale]


def devices(prefix):
    """Links, rules and forwarding programs in the network namespace."""
    links = subprocess.run([*prefix, "ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    rules = subprocess.run([*prefix, "nft", "list", "ruleset"], capture_output=True, text=True, check=True)
    return [line.split(":")[1].strip() for line in links.splitlines()] + rules.stdout.split()


def _text(path):
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _children(path):
    return sorted(path.iterdir()) if path.is_dir() else []


def kill_keeper(engine):
    keeper = engine.keeper()
    assert keeper  # 0 would be our own process group
    os.kill(keeper, signal.SIGKILL)
    until(lambda: not engine.keeper())


def test_a_keeper_killed_during_a_start_leaves_a_container_that_starts(engine):
    engine("create", "--name", "box", "busybox", "sleep", "1000")
    container, chance = engine.inspect("box")["Id"], random.Random(SEED)
    places = Places(str(engine.home / "run"), str(engine.home))
    usual = 0.0
    for number in range(ROUNDS):
        with Connection(places) as connection:
            begin = time.monotonic()
            connection.ask((), op="start", id=container)
            if number == 0:  # how long it takes on this host now
                connection.hear()
                usual = time.monotonic() - begin
            else:
                time.sleep(chance.uniform(0, 1.2 * usual))
            os.kill(connection.keeper, signal.SIGKILL)
        with Connection(places) as connection:  # the next keeper, which clears up
            connection.ask((), op="wait", id=container)
            assert not connection.hear()[0]["exit"]["Running"]
        until(lambda: not engine.keeper())
        assert traces(engine) == []
    engine("start", "box")
    assert engine.inspect("box")["State"]["Running"]


def test_a_keeper_killed_in_a_restart_starts_it_again(engine):
    engine("run", "-d", "--restart", "always", "--name", "box", "busybox", "sleep", "0.05")
    container, chance = engine.inspect("box")["Id"], random.Random(SEED)
    places = Places(str(engine.home / "run"), str(engine.home))
    for _ in range(ROUNDS // 2):
        time.sleep(chance.uniform(0, 0.3))
        kill_keeper(engine)
        with Connection(places):
            count = engine.inspect("box")["RestartCount"]
            until(lambda: engine.inspect("box")["RestartCount"] > count)  # noqa: B023 - called here
    assert engine.inspect("box")["Id"] == container
    engine("rm", "-f", "box")
    assert traces(engine) == []


def test_a_keeper_killed_beside_published_ports_leaves_no_network(engine, network):
    before = devices(network)
    for number in (1, 2):
        engine(
            "run", "-d", "--name", f"w{number}", "-p", f"127.0.0.1:808{number}:80", "busybox", "sleep", "99"
        )
    engine("run", "-d", "--name", "back", "--restart", "always", "-p", "8083:80", "busybox", "sleep", "99")
    assert devices(network) != before
    kill_keeper(engine)
    assert engine("wait", "w1", "w2") == "137\n137\n"
    until(lambda: engine.inspect("back")["State"]["Running"])
    assert engine("port", "back") == "80/tcp -> 0.0.0.0:8083\n"
    engine("start", "w1")
    engine("rm", "-f", "w1", "w2", "back")
    assert devices(network) == before
    assert traces(engine) == []


def test_what_had_ended_keeps_its_code(engine):
    engine("run", "-d", "--name", "done", "busybox", "sh", "-c", "exit 3")
    assert engine("wait", "done") == "3\n"
    engine("run", "-d", "--name", "other", "busybox", "sleep", "1000")
    engine("run", "-d", "--rm", "--name", "gone", "busybox", "sleep", "1000")
    kill_keeper(engine)
    assert engine("wait", "done", "other") == "3\n137\n"
    until(lambda: engine.names() == ["done", "other"])


def clients():
    """The commands of which one is killed, and what they do it to."""
    script = "echo one; sleep 1000"
    yield ["run", "--name", "box", "busybox", "sh", "-c", script], signal.SIGKILL
    yield ["run", "-i", "--name", "box", "busybox", "sh", "-c", script], signal.SIGKILL
    yield ["run", "-d", "--name", "box", "busybox", "sh", "-c", script], signal.SIGKILL
    yield ["create", "--name", "box", "busybox", "sh", "-c", script], signal.SIGKILL


def test_a_client_killed_while_starting_leaves_its_name_to_be_used_again(engine):
    chance, words = random.Random(SEED), list(clients())
    containers = engine.home / "engine/containers"
    for number in range(ROUNDS):
        args, fatal = words[number % len(words)]
        client = engine.begin("container", *args, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        until(lambda: _children(containers), pause=0.001)  # its first step
        time.sleep(chance.uniform(0, 0.15))
        client.send_signal(fatal)
        client.communicate()
        engine("rm", "-f", "box")
        until(lambda: not engine.keeper())
        assert traces(engine) == []
        assert engine("run", "--name", "box", "busybox", "echo", "again") == "again\n"


# What a client does, in order: the directory, the name, three documents. It is killed before step N.
CREATING = """
import os, signal, sys
from pathlib import Path
from runtime.engine import blueprint, documents
from runtime.engine.places import Places
from runtime.engine.wanted import Wanted
from runtime.image.store import Store
home, last = Path(sys.argv[1]), int(sys.argv[2])
count = 0
def counted(function):
    def step(*args):
        global count
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1
        return function(*args)
    return step
documents.claim, documents.write = counted(documents.claim), counted(documents.write)
store = Store(home / "images")
image = store.resolve("busybox")
wanted = Wanted("busybox", ("true",), name="box")
print(blueprint.create(Places(str(home / "run"), str(home)), wanted, image, store.layer_paths(image)))
"""


@pytest.mark.parametrize("step", range(5))
def test_a_client_killed_at_any_step_of_a_creation_takes_no_name(engine, step):
    words = [sys.executable, "-c", CREATING, str(engine.home), str(step)]
    made = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == (0 if step == 4 else -signal.SIGKILL), made.stderr
    if step == 4:
        assert "in use" in engine.fails("container", "create", "--name", "box", "busybox", "true")
        return
    assert engine("run", "--name", "box", "busybox", "echo", "again") == "again\n"
    until(lambda: not engine.keeper())
    assert engine.names() == []
    assert not list((engine.home / "engine/containers").iterdir())


def test_a_client_that_is_still_at_it_keeps_its_name(engine):
    places = Places(str(engine.home / "run"), str(engine.home))
    Path(places.of("half")).mkdir(parents=True)
    with documents.working_on(places, "half"):
        documents.claim(places, "box", "half")
        assert "in use by half" in engine.fails("container", "create", "--name", "box", "busybox", "true")
        engine("run", "busybox", "true")  # its keeper sweeps
        assert Path(places.of("half")).exists()
    engine("create", "--name", "box", "busybox", "true")
    assert not Path(places.of("half")).exists()


def test_half_a_removal_is_finished_by_the_next_keeper(engine):
    engine("create", "--name", "box", "busybox", "true")
    engine("create", "--name", "other", "busybox", "true")
    until(lambda: not engine.keeper())
    half = engine.home / "engine/containers" / engine.inspect("box")["Id"]
    (half / "container.json").unlink()  # what a removal does first
    assert engine("start", "-a", "other") == ""
    assert not half.exists()
    assert engine.names() == ["other"]


def test_killed_readers_and_execs_leave_the_container_alone(engine):
    engine("run", "-d", "--name", "box", "busybox", "sh", "-c", "while echo x; do sleep 0.01; done")
    chance, verbs = random.Random(SEED), (["logs", "-f", "box"], ["exec", "box", "sleep", "1000"],
                                          ["attach", "box"])  # fmt: skip
    for number in range(ROUNDS):
        client = engine.begin("container", *verbs[number % len(verbs)], stdout=subprocess.PIPE,
                              stdin=subprocess.DEVNULL)  # fmt: skip
        time.sleep(chance.uniform(0.1, 0.5))
        client.kill()
        client.wait()
        client.stdout.close()
    size = len(engine("logs", "box"))
    until(lambda: len(engine("logs", "box")) > size)
    assert len(json.loads(engine("ps", "--format", "json"))) == 1
    engine("rm", "-f", "box")
    until(lambda: not engine.keeper())
    assert traces(engine) == []


def test_a_client_that_goes_before_it_is_greeted_is_dropped(engine):
    engine("run", "-d", "--name", "box", "busybox", "sleep", "1000")
    keeper = engine.keeper()
    os.kill(keeper, signal.SIGSTOP)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(f"{engine.home}/run/engine/keeper.sock")
    os.kill(keeper, signal.SIGCONT)
    assert engine("exec", "box", "echo", "here") == "here\n"
    assert engine.keeper() == keeper
    engine("rm", "-f", "box")
    until(lambda: not engine.keeper())
    assert traces(engine) == []


def test_a_reader_that_goes_while_there_is_something_to_tell_it_is_dropped(engine):
    engine("run", "-d", "--name", "box", "busybox", "sh", "-c", "while echo x; do sleep 0.01; done")
    client = engine.begin("container", "attach", "box", stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert client.stdout.read(2) == b"x\n"
    keeper = engine.keeper()
    os.kill(keeper, signal.SIGSTOP)
    client.kill()
    client.wait()
    client.stdout.close()
    time.sleep(0.1)  # ten lines: the keeper reads them before it learns of the reader
    os.kill(keeper, signal.SIGCONT)
    size = len(engine("logs", "box"))
    until(lambda: len(engine("logs", "box")) > size)
    assert engine.keeper() == keeper
    engine("rm", "-f", "box")
    until(lambda: not engine.keeper())
    assert traces(engine) == []


def test_a_client_whose_keeper_is_killed_ends(engine):
    client = engine.begin("container", "run", "--name", "box", "busybox", "sleep", "1000",
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # fmt: skip
    until(lambda: "Up" in engine("ps"))
    kill_keeper(engine)
    assert "has died" in client.communicate(timeout=15)[1]
    assert client.returncode == 125
    until(lambda: traces(engine) == [] and engine.names() == [])


def test_a_container_that_was_half_made_is_removed_by_force(engine):
    engine("run", "-d", "--name", "other", "busybox", "sleep", "1000")  # its keeper has swept already
    engine("create", "--name", "box", "busybox", "true")
    (engine.home / "engine/containers" / engine.inspect("box")["Id"] / "container.json").unlink()
    assert engine("rm", "-f", "box") == "box\n"
    assert engine.names() == ["other"]
    engine("rm", "-f", "other")
    until(lambda: not engine.keeper())
    assert traces(engine) == []
    assert engine("run", "--name", "box", "busybox", "echo", "again") == "again\n"
