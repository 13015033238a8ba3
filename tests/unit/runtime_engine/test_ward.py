"""One container in the keeper's care: what it costs while it idles, and who is told of its end."""

from __future__ import annotations

import json
import select
import socket
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import pytest

from runtime.engine import documents
from runtime.engine.places import Places
from runtime.engine.ward import Ward

PLAN = {
    "Config": {"Tty": False, "OpenStdin": False, "Env": [f"NAME{number}=value" for number in range(100)]},
    "HostConfig": {"AutoRemove": False, "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
                   "LogConfig": {"Type": "json-file", "Config": {}}},
    "Created": "2026-01-01T00:00:00Z", "Name": "/x",
}  # fmt: skip
IDS = [f"{number:064x}" for number in range(100)]


@pytest.fixture
def keeper(tmp_path):
    """What a ward asks of its keeper: places, a poll, and a way to answer; `told` has the answers."""
    places, told = Places(str(tmp_path / "run"), str(tmp_path / "data")), []
    for name in IDS:
        (tmp_path / "data/engine/containers" / name).mkdir(parents=True)
        directory = places.of(name)
        documents.write(f"{directory}/container.json", {**PLAN, "Id": name, "LogPath": f"{directory}/log"})
        documents.write(f"{directory}/state.json", documents.fresh_state())
    return SimpleNamespace(
        places=places, poll=select.poll(), told=told, wards={},
        send=lambda client, message: told.append((client, message)),
    )  # fmt: skip


def test_an_idle_one_takes_little_memory(keeper):
    def kept(names):
        wards = []
        for name in names:
            ward = Ward(keeper, name)
            ward.stdio.begin([], -1)
            ward.save(Status="running", Pid=4711, StartedAt=documents.now(), Keeper={"pid": 1, "start": 2})
            wards.append(ward)
        return wards

    made = kept(IDS[:10])  # what only the first ones need
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        made += kept(IDS[10:])
        each = (tracemalloc.get_traced_memory()[0] - before) / len(IDS[10:])
    finally:
        tracemalloc.stop()
    assert each < 3072  # a page is 4096; the plan alone would be more
    for ward in made:
        ward.stdio.drain()
        ward.forget()


def test_who_has_gone_is_not_kept_to_be_told(keeper):
    ward = Ward(keeper, IDS[0])
    here, gone = socket.socketpair()
    with here, gone:
        ward.await_end(gone)
        ward.await_end(here)
        ward.await_end(here, {"done": True})
        ward.disregard(gone)
        ward.removing = True
        ward.save(ExitCode=3)
        ward._finished()
        assert [client for client, _ in keeper.told] == [here, here]
        assert keeper.told[0][1]["exit"]["ExitCode"] == 3
        assert keeper.told[1][1] == {"done": True}


def test_its_settings_are_what_the_plan_says_now(keeper):
    ward = Ward(keeper, IDS[1])
    ward.save(Status="exited")
    assert not ward._again()
    plan = documents.plan(keeper.places, IDS[1])
    plan["HostConfig"]["RestartPolicy"]["Name"] = "always"
    documents.write(f"{keeper.places.of(IDS[1])}/container.json", plan)
    assert ward._again()


def test_a_plan_that_is_damaged_meanwhile_restarts_nothing_and_removes_nothing(keeper, capsys):
    ward = Ward(keeper, IDS[2])
    Path(keeper.places.of(IDS[2]), "container.json").write_text("{", encoding="ascii")
    assert ward._settings()["AutoRemove"] is False
    assert not ward._again()
    assert "is damaged" in capsys.readouterr().err


def test_its_state_is_on_disk_at_once(keeper):
    ward = Ward(keeper, IDS[3])
    ward.save(ExitCode=7)
    text = Path(keeper.places.of(IDS[3]), "state.json").read_text(encoding="ascii")
    assert json.loads(text)["ExitCode"] == ward.state["ExitCode"] == 7
