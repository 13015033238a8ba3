"""Targets are entry points: whose come first, and what a broken one does."""

import os
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from bench.errors import BenchFault
from bench.target import Box
from bench.targets import installed as names
from bench.targets import program, registry, roles


@pytest.fixture
def installed(monkeypatch):
    """Poses as an environment with these entry points."""

    def put(**values):
        entries = [EntryPoint(name.replace("_", "-"), value, names.GROUP) for name, value in values.items()]
        monkeypatch.setattr(names, "entry_points", lambda *, group: entries if group == names.GROUP else [])
        names.found.cache_clear()

    yield put
    names.found.cache_clear()


OWN = {name.replace("-", "_"): "types:SimpleNamespace" for name in names.STANDARD}


def test_the_standard_ones_come_first_and_the_others_by_name(installed):
    installed(zebra="a:b", ape="a:b", **dict(reversed(OWN.items())))
    assert names.names() == (*names.STANDARD, "ape", "zebra")


def test_an_installation_that_is_older_than_the_code_says_what_to_do(installed):
    installed(native="a:b")
    with pytest.raises(BenchFault, match="does not know its target container") as caught:
        names.names()
    assert "./bootstrap setup" in caught.value.hint


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_module:Thing", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("bench.targets.native:Nothing", "AttributeError"),
        ("bench.targets.native:Native", "calls itself 'native'"),
    ],
)
def test_one_that_cannot_be_loaded_declines_with_the_reason(installed, value, reason):
    installed(other=value, **OWN)
    target = registry.targets(SimpleNamespace())["other"]
    found = target.availability()
    assert not found.available
    assert reason in found.reason
    with pytest.raises(BenchFault, match="other can't prepare agent"):
        target.launcher(Box("agent", 1))


def test_a_program_that_is_missing_names_its_package():
    absent = program.Program("no-such-runtime", "its-package")
    assert absent.missing == "no-such-runtime is not installed: apt-get install its-package"
    found = program.found(program.Program("sh", "dash"), absent, reason="")
    assert (found.available, found.reason) == (False, absent.missing)


def test_a_part_is_known_by_the_programs_own_name():
    assert roles.members([1 << 30], {"sleep": "x"}, "workload")[0].role == "workload"  # gone
    own = roles.words(os.getpid())
    name = own[0].rpartition("/")[2]
    assert roles.members([os.getpid()], {name: "tests"}, "workload")[0].role == "tests"
