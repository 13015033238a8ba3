"""Specifications, plans and records: what can be checked without starting anything."""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.cgroups.hierarchy import Hierarchy, Tree
from runtime.container import Bind, ContainerSpec, NativeSpec, Resources, request
from runtime.container.prune import prune
from runtime.container.records import find, records
from runtime.container.started import ExitStatus, handles
from runtime.errors import RuntimeFault
from runtime.linux import capabilities, processes
from runtime.process import accounts
from runtime.process.reclaim import claim

LAYERS = (Path("/layers/base"), Path("/layers/top"))


@pytest.fixture
def hierarchy(tmp_path):
    return Hierarchy({"memory": Tree(1, tmp_path / "memory"), "pids": Tree(1, tmp_path / "pids")}, None)


def spec(**changes):
    return ContainerSpec(**{"id": "web", "layers": LAYERS, "args": ("sh",), **changes})


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"id": "../up"},
        {"id": ".hidden"},
        {"id": "a" * 64},
        {"args": ()},
        {"args": ("",)},
        {"args": ("a\0b",)},
        {"env": ("NOVALUE",)},
        {"env": ("=x",)},
        {"layers": ()},
        {"cwd": "relative"},
        {"cap_add": ("NO_SUCH",)},
        {"mounts": (Bind(Path("/no/such/path"), "/x"),)},
        {"mounts": (Bind(Path("/"), "relative"),)},
    ],
)
def test_a_wrong_specification_is_refused_with_a_hint(wrong):
    with pytest.raises(RuntimeFault) as caught:
        spec(**wrong)
    assert caught.value.kind == "usage"
    assert caught.value.hint


def test_capabilities_are_dockers_plus_and_minus():
    default = spec().capabilities()
    assert default == 0xA80425FB  # CapEff of `docker run busybox grep Cap /proc/self/status`
    assert spec(cap_drop=("ALL",)).capabilities() == 0
    assert spec(cap_drop=("all",), cap_add=("CAP_KILL",)).capabilities() == 1 << 5
    assert spec(cap_add=("net_admin",)).capabilities() == default | 1 << 12
    assert spec(cap_add=("ALL",)).capabilities() == (1 << capabilities.last() + 1) - 1


def test_plan_follows_the_order_of_the_specification(hierarchy, tmp_path):
    wanted = request.container(spec(readonly=True), tmp_path / "run", tmp_path, hierarchy)
    phrases = [step.describe() for step in wanted.steps]
    order = [
        "make all mounts private",
        "mount the overlay",
        "take /dev/null of the host",
        "pivot to the root directory",
        "mount proc at /proc",
        "mount tmpfs at /dev",
        "mount devpts at /dev/pts",
        "mount sysfs at /sys",
        "mount mqueue at /dev/mqueue",
        "bind /dev/null at /dev/null",
        "make /proc/sys read-only",
        "mask /proc/kcore",
        "make / read-only",
    ]
    assert [phrase for phrase in phrases if phrase in order] == order


def test_request_survives_the_way_to_the_spawner(hierarchy, tmp_path):
    message = request.container(spec(), tmp_path / "run", tmp_path, hierarchy).message
    assert mounts(marshal.loads(marshal.dumps(message)))[1][1] == ("/layers/base", "/layers/top")


def mounts(message):
    return [step for sequence in launch(message)["mounts"] for step in marshal.loads(sequence)]


def launch(message):
    return marshal.loads(message["kind"])[0]


def test_containers_of_a_kind_have_the_same_steps(hierarchy, tmp_path):
    kinds = {"id": "db"}, {"layers": LAYERS[:1]}, {"readonly": True}
    plain, other, layers, readonly, limited = (
        request.container(spec(**kind), tmp_path / "run", tmp_path, hierarchy)
        for kind in ({}, *kinds, {"resources": Resources(pids=7)})
    )
    assert plain.message["kind"] == other.message["kind"]
    assert plain.kind.ground == readonly.kind.ground != limited.kind.ground
    assert plain.message["place"] != other.message["place"]
    assert mounts(plain.message) != mounts(layers.message)
    assert mounts(plain.message) != mounts(readonly.message)


def test_relative_paths_are_the_clients(hierarchy, tmp_path, monkeypatch):
    wanted = spec(layers=(Path("base"),), mounts=(Bind(Path(), "/mnt"),))
    for folder in (tmp_path / "a", tmp_path / "b"):  # the same specification, from elsewhere
        folder.mkdir()
        monkeypatch.chdir(folder)
        steps = mounts(request.container(wanted, tmp_path / "run", tmp_path, hierarchy).message)
        assert steps[1][1] == (str(folder / "base"),)
        assert ["hold", str(folder), True] in steps
        assert ["attach", str(folder), "/mnt", False, True] in steps


def test_state_names_everything_before_it_exists(hierarchy, tmp_path):
    wanted = request.container(spec(), tmp_path / "run", tmp_path, hierarchy)
    message, (directories, steps, joined) = wanted.message, wanted.ground
    made = [step[1] for step in steps if step[0] == "mkdir"]
    assert set(joined) <= set(message["state"]["cgroups"])
    assert set(made) == set(message["state"]["cgroups"]) | set(message["state"]["parents"])
    (place,) = map(Path, message["state"]["directories"])
    assert directories[0] == str(place)
    assert {Path(directory).parent for directory in directories[1:]} == {place}


def test_two_roots_with_one_name_have_different_cgroups(hierarchy, tmp_path):
    first, second = (request.container(spec(), tmp_path / n, tmp_path, hierarchy) for n in ("run1", "run2"))
    assert not set(first.message["state"]["cgroups"]) & set(second.message["state"]["cgroups"])


def test_a_bare_process_has_nothing_around_it(hierarchy, tmp_path):
    wanted = request.native(NativeSpec("n", ("true",), root=tmp_path), tmp_path, hierarchy)
    message = wanted.message
    assert (wanted.launch["clone"], wanted.launch["unshare"]) == (0, 0)
    assert mounts(message) == [["chroot", str(tmp_path)]]
    assert message["state"]["cgroups"] == []
    assert wanted.ground == ([], [], [])


def test_host_network_shares_the_hosts_network_and_names(hierarchy, tmp_path):
    alone = request.container(spec(), tmp_path, tmp_path, hierarchy).message
    shared = request.container(spec(network="host"), tmp_path, tmp_path, hierarchy).message
    assert launch(alone)["unshare"] & 0x40000000
    assert not launch(shared)["unshare"] & 0x40000000
    attached = [step[2:4] for step in mounts(shared) if step[0] == "attach"]
    assert ["/etc/hosts", True] in attached


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (0, 0, [0], "/root")),
        ("0", (0, 0, [0], "/root")),
        ("web", (33, 33, [4, 33], "/var/www")),
        ("web:adm", (33, 4, [4], "/var/www")),
        ("33:7", (33, 7, [7], "/var/www")),
        ("1234", (1234, 0, [], "/")),
        ("1234:5678", (1234, 5678, [5678], "/")),
    ],
)
def test_accounts(tmp_path, text, expected):
    (tmp_path / "passwd").write_text("root:x:0:0::/root:/bin/sh\nbroken\nweb:x:33:33::/var/www:/bin/sh\n")
    (tmp_path / "group").write_text("root:x:0:root\nadm:x:4:web,other\n")
    account = accounts.resolve(text, str(tmp_path))
    assert (account.uid, account.gid, account.groups, account.home) == expected


def test_accounts_are_remembered_until_a_file_says_something_else(tmp_path):
    passwd, group = tmp_path / "passwd", tmp_path / "group"
    passwd.write_text("root:x:0:0::/root:/bin/sh\n")
    group.write_text("root:x:0:root\n")
    known = accounts.Accounts(str(tmp_path))
    first = known.resolve("")
    assert known.resolve("") is first
    group.write_text("root:x:0:root\nadm:x:4:root\n")
    assert known.resolve("").groups == [0, 4]
    passwd.write_text("root:x:0:0::/elsewhere:/bin/sh\n")
    assert known.resolve("").home == "/elsewhere"
    passwd.unlink()
    assert known.resolve("").home == "/"
    with pytest.raises(accounts.UnknownAccount):
        known.resolve("web")


def test_large_files_and_many_accounts_are_not_remembered(tmp_path):
    known = accounts.Accounts(str(tmp_path))
    kept = [known.resolve(str(uid)) for uid in range(17)]
    assert known.resolve("16") is kept[16]
    assert known.resolve("0") is not kept[0]
    (tmp_path / "passwd").write_text("x:x:1:1::/x:/bin/sh\n" * 4000)
    assert known.resolve("1") is not known.resolve("1")


@pytest.mark.parametrize("text", ["nobody-here", "0:nogroup-here"])
def test_unknown_accounts(tmp_path, text):
    with pytest.raises(accounts.UnknownAccount, match="here"):
        accounts.resolve(text, str(tmp_path))


def test_exit_codes_as_a_shell_reports_them():
    assert ExitStatus(3, None, oom=False).shell_code == 3
    assert ExitStatus(None, 9, oom=True).shell_code == 137


def test_a_pid_is_only_alive_with_its_start_time():
    own = os.getpid()
    started = processes.start_time(own)
    assert processes.alive(own, started)
    assert not processes.alive(own, started + 1)
    assert processes.start_time(2**22 + 1) == 0


def test_a_zombie_is_not_alive():
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not processes.alive(child.pid, processes.start_time(child.pid))
    child.wait()


def test_signal_handlers_are_seen():
    code = "import signal,sys; signal.signal(15, lambda *_: None); print(flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", code], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert handles(child.pid, 15)
        assert not handles(child.pid, 1)
        child.kill()


def state(owner_pid, owner_start, **changes):
    nothing = {"init": None, "cgroups": [], "parents": [], "directories": []}
    owner = {"pid": owner_pid, "start": owner_start}
    known = {"id": "web", "kind": "container", "args": ["sh"], "labels": {}, "created": 1.0, "owner": owner}
    return {**nothing, **known, **changes}


def test_a_name_is_claimed_once(tmp_path):
    own = state(os.getpid(), processes.start_time(os.getpid()))
    claim(str(tmp_path / "containers/web"), own)
    with pytest.raises(FileExistsError):
        claim(str(tmp_path / "containers/web"), own)
    assert [r.id for r in records(tmp_path)] == ["web"]
    assert [p.name for p in (tmp_path / "containers").iterdir()] == ["web"]


def test_prune_takes_the_dead_owners_and_leaves_the_living(tmp_path):
    layer, living = (
        tmp_path / "data/containers",
        state(os.getpid(), processes.start_time(os.getpid()), id="living"),
    )
    for name in ("dead", "living", "orphan"):
        (layer / name / "upper").mkdir(parents=True)
    run = tmp_path / "run"
    claim(str(run / "containers/dead"), state(os.getpid(), 1, id="dead", directories=[str(layer / "dead")]))
    claim(str(run / "containers/living"), {**living, "directories": [str(layer / "living")]})
    (run / "containers/.new-1-1-draft").mkdir()
    (run / "containers/cut-short").mkdir()
    assert prune(run, tmp_path / "data") == ["cut-short", "dead", "draft", "orphan"]
    assert prune(run, tmp_path / "data") == []
    assert [p.name for p in (layer).iterdir()] == ["living"]
    assert [p.name for p in (run / "containers").iterdir()] == ["living"]


def test_a_damaged_record_is_named(tmp_path):
    broken = tmp_path / "containers/web"
    broken.mkdir(parents=True)
    (broken / "state.json").write_text('{"id": "web"')
    with pytest.raises(RuntimeFault, match="damaged") as caught:
        records(tmp_path)
    assert caught.value.kind == "corrupt"


def test_an_unknown_name_lists_the_known(tmp_path):
    claim(str(tmp_path / "containers/web"), state(1, 1))
    for name in ("nope", "../web", ""):
        with pytest.raises(RuntimeFault) as caught:
            find(tmp_path, name)
        assert caught.value.kind == "missing"
        assert "web" in caught.value.hint
