"""Help, lists and roots."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from bench.cli import main as cli
from bench.cli.context import Context
from bench.scenarios.registry import METRICS
from tests.fakes.fake_target import FakeTarget, virtual


def test_help_names_every_command_and_imports_none(tare, monkeypatch):
    for name in cli.COMMANDS:
        monkeypatch.delitem(sys.modules, f"bench.cli.{name}", raising=False)
    done = tare("--help")
    assert done.code == 0
    assert all(f"\n  {name} " in done.out for name in cli.COMMANDS)
    assert not [name for name in cli.COMMANDS if f"bench.cli.{name}" in sys.modules]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_can_be_loaded_and_explains_itself(tare, name):
    done = tare(name, "--help")
    assert (done.code, f"Usage: tare {name}" in done.out) == (0, True)


def test_an_unknown_command_ends_with_2(tare):
    done = tare("fly")
    assert (done.code, "No such command 'fly'" in done.err) == (2, True)


def test_scenarios_are_listed_as_a_table_and_as_json(tare):
    rows = json.loads(tare("list", "scenarios", "--format", "json").out)
    assert [row["name"] for row in rows] == list(METRICS)
    lines = tare("list", "scenarios").out.splitlines()
    assert lines[0].split() == ["SCENARIO", "TARGETS", "WHAT"]
    start = lines[0].index("WHAT")
    assert [line[start:] for line in lines[1:]] == [row["title"] for row in rows]


@pytest.mark.parametrize("form", ["table", "json"])
def test_targets_are_listed_with_their_reasons(tare, monkeypatch, form):
    known = {t.name: t for t in (FakeTarget("native"), virtual(), FakeTarget("container", available=False))}
    monkeypatch.setattr("bench.cli.list.targets", lambda _drivers: known)
    done = tare("list", "targets", "--format", form)
    assert done.code == 0
    if form == "json":
        rows = {row["name"]: row for row in json.loads(done.out)}
        assert [row["available"] for row in rows.values()] == [True, True, False]
        assert rows["container"]["reason"] == "the test says no"
        assert rows["vm"]["accelerator"] == {"name": "tcg", "proof": "a fake guest", "seconds": 0.5}
    else:
        rows = [re.split(r"  +", line) for line in done.out.splitlines()]
        assert rows[0] == ["TARGET", "AVAILABLE", "VERSION", "REASON"]
        assert rows[3] == ["container", "no", "1", "the test says no"]


def test_a_root_moves_everything(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Context.at(Path("here")) == Context(tmp_path / "here", tmp_path / "here/run")
    assert Context.at(tmp_path).results == tmp_path / "results"


@pytest.mark.parametrize(
    ("user", "env", "data", "run"),
    [
        (0, {}, "/var/lib/tare", "/run/tare"),
        (0, {"XDG_DATA_HOME": "/d"}, "/d/tare", "/run/tare"),
        (7, {"HOME": "/h"}, "/h/.local/share/tare", "/run/user/7/tare"),
        (7, {"XDG_DATA_HOME": "/d", "XDG_RUNTIME_DIR": "/r"}, "/d/tare", "/r/tare"),
    ],
)
def test_every_user_has_roots_of_their_own(monkeypatch, user, env, data, run):
    for name in ("XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert Context.at(None) == Context(Path(data), Path(run))
