"""What is remembered of a specification is what would be decided anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runtime.cgroups.hierarchy import Hierarchy, Tree
from runtime.cgroups.manager import Cgroup
from runtime.container import Bind, ContainerSpec, NativeSpec, Resources, request
from runtime.container.request import Requests
from runtime.errors import RuntimeFault

SPEC = ContainerSpec("web", (Path("/layers/base"),), ("sh",))
NATIVE = NativeSpec("bare", ("sh",), resources=Resources(pids=9))


@pytest.fixture(params=["v1", "v2", "hybrid"])
def hierarchy(request, tmp_path):
    versions = {"v1": (1, 1), "v2": (2, 2), "hybrid": (1, 2)}[request.param]
    unified = tmp_path / "unified"
    trees = {
        name: Tree(version, tmp_path / name if version == 1 else unified)
        for name, version in zip(("memory", "pids"), versions, strict=True)
    }
    return Hierarchy(trees, unified if 2 in versions else None)


@pytest.fixture
def requests(tmp_path, hierarchy):
    return Requests(tmp_path / "run", tmp_path / "data", hierarchy)


def anew(requests, spec):
    run, data, hierarchy = requests._run, requests._data, requests._hierarchy
    if isinstance(spec, NativeSpec):
        return request.native(spec, run, hierarchy)
    return request.container(spec, run, data, hierarchy)


def told(wanted):
    message = {**wanted.message, "state": {**wanted.message["state"], "created": 0}}
    return message, wanted.cgroup, wanted.cgroup and vars(wanted.cgroup), wanted.steps, wanted.ground


@pytest.mark.parametrize("spec", [SPEC, NATIVE, replace(NATIVE, resources=None), replace(SPEC, hostname="h")])
def test_another_of_a_kind_is_as_if_it_were_the_first(requests, spec):
    requests.of(spec)
    again = replace(spec, id="another.one")
    assert told(requests.of(again)) == told(anew(requests, again))
    assert requests.of(again).kind is requests.of(spec).kind


@pytest.mark.parametrize(
    "changed",
    [
        {"args": ("true",)}, {"env": ("A=1",)}, {"cwd": "/tmp"}, {"hostname": "x"}, {"user": "1"},
        {"resources": Resources(pids=3)}, {"network": "host"}, {"readonly": True}, {"cap_add": ("ALL",)},
        {"cap_drop": ("ALL",)}, {"no_new_privileges": True}, {"seccomp": bytes(8)}, {"labels": {"a": "b"}},
        {"layers": (Path("/layers/other"),)}, {"mounts": (Bind(Path("/"), "/mnt"),)},
    ],
)  # fmt: skip
def test_a_change_of_any_field_makes_another_kind(requests, changed):
    requests.of(SPEC)
    other = replace(SPEC, **changed)
    assert told(requests.of(other)) == told(anew(requests, other))
    assert told(requests.of(SPEC)) == told(anew(requests, SPEC))


def test_labels_that_are_changed_afterwards_are_not_remembered(requests):
    labels = {"a": "1"}
    spec = replace(SPEC, labels=labels)
    first = requests.of(spec)
    labels["a"] = "2"
    assert requests.of(spec).message["state"]["labels"] == {"a": "2"}
    assert first.message["state"]["labels"] == {"a": "1"}


def test_what_depends_on_the_working_directory_is_decided_each_time(requests, tmp_path, monkeypatch):
    relative = replace(SPEC, layers=(Path("base"),)), replace(SPEC, mounts=(Bind(Path(), "/mnt"),))
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        monkeypatch.chdir(folder)
        for spec in relative:
            assert told(requests.of(spec)) == told(anew(requests, spec))


def test_only_the_last_kinds_are_remembered(requests):
    first = requests.of(SPEC).kind
    for number in range(8):
        requests.of(replace(SPEC, args=(str(number),)))
    assert requests.of(SPEC).kind is not first
    assert len(requests._known) == 8


def test_a_limit_that_the_host_cannot_enforce_is_refused_each_time(requests):
    for _ in range(2):
        with pytest.raises(RuntimeFault, match="no cpu cgroup controller"):
            requests.of(replace(SPEC, resources=Resources(cpus=1)))


def test_a_cgroup_under_another_name_is_the_one_that_is_planned(hierarchy):
    planned = Cgroup.plan(hierarchy, "one", Resources())
    assert vars(planned.named("another")) == vars(Cgroup.plan(hierarchy, "another", Resources()))
