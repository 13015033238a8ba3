"""`exec -u NAME`: the name is the container's, whatever links its /etc holds."""

from __future__ import annotations

import pytest

from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store
from tests.fakes.engine import engine

pytestmark = pytest.mark.privileged


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("account")
    bootstrap(Store(root / "images"), "busybox")
    with engine(root) as found:
        found("run", "-d", "--name", "box", "busybox", "sleep", "1000")
        yield found


def test_no_link_leads_to_a_user_of_the_host(made, tmp_path):
    secret = tmp_path / "passwd"
    secret.write_text("eve:x:4242:4242::/:/bin/sh\n")
    made("exec", "box", "sh", "-c", f"rm -f /etc/passwd; ln -s {secret} /etc/passwd")
    assert "no user eve" in made.fails("container", "exec", "-u", "eve", "box", "id")


def test_a_link_inside_is_followed(made):
    script = "echo eve:x:4343:4344::/:/bin/sh > /users; rm -f /etc/passwd; ln -s ../../users /etc/passwd"
    made("exec", "box", "sh", "-c", f"{script}; echo team:x:4345:eve > /etc/group")
    assert made("exec", "-u", "eve", "box", "sh", "-c", "id -u; id -g; id -G") == "4343\n4344\n4344 4345\n"
    assert made("exec", "-u", "eve:team", "box", "id", "-g") == "4345\n"


def test_a_pipe_in_place_of_the_file_makes_nobody_wait(made):
    made("exec", "box", "sh", "-c", "rm -f /etc/passwd; mkfifo /etc/passwd")
    assert "/etc/passwd of the container is no file" in made.fails(
        "container", "exec", "-u", "eve", "box", "id"
    )
