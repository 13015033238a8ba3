"""`image rm` and `image prune` beside containers that do not run: docker's rules."""

from __future__ import annotations

import json

import pytest

from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store
from tests.fakes.engine import engine

pytestmark = pytest.mark.privileged


@pytest.fixture
def made(tmp_path):
    bootstrap(Store(tmp_path / "images"), "busybox")
    with engine(tmp_path) as found:
        yield found


def digits(made):
    return json.loads(made.tare("image", "inspect", "busybox").stdout)["digest"].removeprefix("sha256:")[:12]


def test_the_last_name_stays_while_a_stopped_container_has_it(made):
    made("create", "--name", "box", "busybox", "echo", "still here")
    assert "used by stopped container box" in made.fails("image", "rm", "busybox")
    made.tare("image", "tag", "busybox", "other:1")
    assert made.tare("image", "rm", "busybox").returncode == 0
    assert "used by stopped container box" in made.fails("image", "rm", "other:1")
    assert made.tare("image", "rm", "-f", "other:1").returncode == 0
    assert made.tare("image", "ls", "--format", "json").stdout.strip() == "[]"


def test_by_digits_all_names_go_but_not_under_a_running_container(made):
    made("run", "-d", "--name", "box", "busybox", "sleep", "1000")
    made.tare("image", "tag", "busybox", "busybox:other")
    assert "used by running container box" in made.fails("image", "rm", "-f", digits(made))
    made("kill", "box")
    made("wait", "box")
    assert "used by stopped container box" in made.fails("image", "rm", digits(made))
    assert made.tare("image", "rm", "-f", digits(made)).stderr.count("removed") == 2


def test_a_prune_leaves_the_layers_of_a_container_until_it_is_removed(made):
    made("create", "--name", "box", "busybox", "echo", "still here")
    made.tare("image", "rm", "-f", "busybox")
    made.tare("image", "prune", "--cache")
    assert made("start", "-a", "box") == "still here\n"
    made("rm", "box")
    made.tare("image", "prune")
    assert list((made.home / "images/layers").iterdir()) == []
