"""A state.json that can't be read: it goes, and nothing else waits for it."""

import json
import os

import pytest

from runtime.container.prune import prune
from runtime.container.records import find, load
from runtime.errors import RuntimeFault
from runtime.linux import processes
from runtime.process.reclaim import claim

WHOLE = {
    "id": "bad", "kind": "container", "args": ["sh"], "labels": {}, "created": 1.0, "init": None,
    "owner": {"pid": os.getpid(), "start": 1}, "cgroups": [], "parents": [], "directories": [],
}  # fmt: skip
DAMAGE = {
    "empty": b"",
    "truncated": json.dumps(WHOLE).encode()[:60],
    "zeros": bytes(300),
    "bytes": b"\xff\xfe{}",
    "a list": b"[]",
    "null": b"null",
    "an owner of a wrong type": json.dumps(WHOLE | {"owner": 7}).encode(),
    "a time of a wrong type": json.dumps(WHOLE | {"created": "now"}).encode(),
    "fields missing": json.dumps({"owner": WHOLE["owner"]}).encode(),
}


@pytest.fixture
def roots(tmp_path):
    """Two dead containers and a living one, with their layers, and one that a test may damage."""
    run, data = tmp_path / "run", tmp_path / "data"
    own = {"pid": os.getpid(), "start": processes.start_time(os.getpid())}
    for name, owner in {
        "a": WHOLE["owner"],
        "bad": WHOLE["owner"],
        "living": own,
        "z": WHOLE["owner"],
    }.items():
        layer = data / "containers" / name
        (layer / "upper").mkdir(parents=True)
        state = WHOLE | {"id": name, "owner": owner, "directories": [str(layer)]}
        claim(str(run / "containers" / name), state)
    return run, data


def damage(run, content):
    (run / "containers/bad/state.json").write_bytes(content)


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_record_goes_and_so_does_all_else(roots, content):
    run, data = roots
    damage(run, content)
    with pytest.raises(RuntimeFault, match=r"bad/state\.json is damaged") as caught:
        find(run, "bad")
    assert (caught.value.kind, "tare system prune" in caught.value.hint) == ("corrupt", True)
    said = []
    assert prune(run, data, said.append) == ["a", "bad", "z"]
    assert [path.name for path in (run / "containers").iterdir()] == ["living"]
    assert [path.name for path in (data / "containers").iterdir()] == ["living"]
    assert said == []


def test_a_living_owner_that_can_be_read_keeps_its_container(roots):
    run, data = roots
    owner = {"pid": os.getpid(), "start": processes.start_time(os.getpid())}
    damage(run, json.dumps(WHOLE | {"owner": owner, "args": "sh"}).encode())
    said = []
    assert prune(run, data, said.append) == ["a", "z"]
    assert (data / "containers/bad/upper").is_dir()
    (line,) = said
    assert f"process {os.getpid()} still has it" in line
    assert str(run / "containers/bad/state.json") in line
    assert "tare system prune" in line


def test_a_text_where_a_list_of_directories_belongs_is_never_walked(roots, tmp_path):
    run, data = roots
    (tmp_path / "precious").mkdir()
    damage(run, json.dumps(WHOLE | {"directories": str(tmp_path / "precious")}).encode())
    with pytest.raises(RuntimeFault, match="damaged"):
        load(run / "containers/bad")
    prune(run, data)
    assert (tmp_path / "precious").exists()


def test_odd_names_are_no_drafts(roots):
    run, data = roots
    (run / "containers/.new-odd").mkdir()
    assert ".new-odd" in prune(run, data)
