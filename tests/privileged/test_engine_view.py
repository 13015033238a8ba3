"""`ps --filter`, `ps --format`, `inspect -f`: what scripts that were written for docker ask."""

from __future__ import annotations

import pytest

from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store
from tests.fakes.engine import engine

pytestmark = pytest.mark.privileged


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("view")
    bootstrap(Store(root / "images"), "busybox")
    with engine(root) as found:
        found("run", "-d", "--name", "web", "-l", "tier=web", "-l", "a.b=c", "-v", "kept:/data", "busybox",
              "sleep", "1000")  # fmt: skip
        found("run", "-d", "--name", "done", "-l", "tier=db", "busybox", "sh", "-c", "exit 3")
        found("wait", "done")
        found("create", "--name", "fresh", "--network", "host", "busybox", "true")
        yield found


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ((), "web"),
        (("name=we",), "web"),
        (("name=other",), ""),
        (("label=tier",), "web"),
        (("label=tier=db",), ""),
        (("label=tier=web", "label=a.b=x"), ""),
        (("status=exited",), "done"),
        (("status=exited", "status=created"), "done fresh"),
        (("status=exited", "label=tier=web"), ""),
        (("exited=3",), "done"),
        (("exited=0",), ""),
        (("volume=kept",), "web"),
        (("network=none",), "web"),
        (("ancestor=busybox",), "web"),
        (("ancestor=other",), ""),
    ],
)
def test_filters(made, filters, names):
    words = [word for text in filters for word in ("--filter", text)]
    assert sorted(made("ps", *words, "--format", "{{.Names}}").split()) == names.split()


def test_a_filter_that_is_not_known(made):
    assert "--filter since=web is not supported" in made.fails("container", "ps", "-f", "since=web")


def test_a_template_for_each_line(made):
    web = made.inspect("web")
    form = "{{.ID}} {{.Names}} {{.Image}} {{.State}} {{.Labels}} {{.Mounts}}"
    assert made("ps", "--format", form) == f"{web['Id'][:12]} web busybox running a.b=c,tier=web kept\n"


def test_a_template_of_the_document(made):
    web = made.inspect("web")
    assert made("inspect", "-f", "{{.State.Pid}}", "web") == f"{web['State']['Pid']}\n"
    form = '{{.Name}} {{.State.ExitCode}} {{index .Config.Labels "tier"}}'
    assert made("inspect", "--format", form, "web", "done") == "/web 0 web\n/done 3 db\n"
    assert made("inspect", "-f", "{{(index .Mounts 0).Name}}", "web") == "kept\n"
    assert "there is no field Nothing" in made.fails("container", "inspect", "-f", "{{.Nothing}}", "web")
