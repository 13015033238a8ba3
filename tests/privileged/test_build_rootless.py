"""Builds of an ordinary user: the same image as root's, byte for byte, and nothing left behind."""

import os
import re
import shutil
import signal
import subprocess

import pytest

from runtime.image.store import Store
from tests.fakes.ordinary_user import UID
from tests.privileged.building import ROOT, TIME
from tests.privileged.test_rootless_oci import user_with

pytestmark = pytest.mark.privileged

PACKAGES = ("msgspec", "isal", "backports.zstd", "click", "urllib3")
EVERYTHING = """FROM busybox AS one
RUN mkdir /d; echo one > /d/one; ln /d/one /d/two; rm -r /home; chmod 1777 /mnt
FROM busybox
WORKDIR /srv/app
COPY --chown=33:44 a sub ./
RUN --mount=type=cache,target=/kept --mount=type=bind,target=/ctx \\
    --mount=type=tmpfs,target=/scratch,size=2m \\
    cat /ctx/a > /got; echo kept > /kept/x; touch /scratch/x
RUN --network=none ls /sys/class/net > /own; chown 5:6 /own; chmod 4755 /own
COPY --from=one /d /d/
USER 33
RUN id -u > /tmp/who; echo $HOME >> /tmp/who
USER 33:44
RUN id > /tmp/both
USER daemon
RUN id > /tmp/daemon
USER root
RUN <<END
#!/bin/sh
rm -r /mnt /d/one
echo "$0" > /script
END
ENTRYPOINT ["/bin/sh"]
"""


@pytest.fixture(scope="module")
def user():
    for made in user_with(ranges=True):
        made.packages(*PACKAGES)
        for name in ("bench", "vmdriver"):
            shutil.copytree(ROOT / name, made.code / name, ignore=shutil.ignore_patterns("__pycache__"))
        yield made


@pytest.fixture
def theirs(user, home, tmp_path):
    """The user's root, with the same base image."""
    place = user.place / tmp_path.name
    for name in ("blobs", "index.json", "oci-layout"):
        target = place / "images" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if name == "blobs" else shutil.copy
        copy(home / "images" / name, target)
    user.own(place)
    return place


def command(user, theirs, lab, text, *options, **environment):
    """Return the user's command line for a build of a copy of the context."""
    context = theirs / "context"
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(lab.context, context, symlinks=True)
    (context / "Dockerfile").write_text(text)
    user.own(context)
    program = f"import os; os.environ.update({environment!r})\nfrom bench.cli.main import main; main()"
    words = ["--root", theirs, "image", "build", "-t", "made", *options, context]
    return user.python(program, *words)


def test_the_same_digest_as_roots(user, theirs, lab):
    said = user.run(command(user, theirs, lab, EVERYTHING, **TIME))
    image = lab.built(EVERYTHING, **TIME)
    ours = Store(theirs / "images").resolve("made")
    assert [layer.digest for layer in ours.layers] == [layer.digest for layer in image.layers]
    assert ours.document == image.document
    assert said.split()[-1] == image.digest
    root = lab.root(image)
    assert (root / "tmp/who").read_text() == "33\n/\n"
    assert (root / "own").read_text() == "lo\n"
    assert "gid=44" in (root / "tmp/both").read_text()


def test_a_failing_command_names_its_place_and_leaves_nothing(user, theirs, lab):
    names = (theirs / "images/index.json").read_bytes()
    said = user.run(command(user, theirs, lab, "FROM busybox\nRUN echo said; exit 7\n"), code=1)
    assert "Dockerfile:2: RUN echo said; exit 7: the command ended with exit code 7" in said
    assert re.search(r"^#\d+ said$", said, re.MULTILINE)
    assert not any((theirs / "scratch").iterdir())
    assert not any((theirs / "run/builds").iterdir())
    assert (theirs / "images/index.json").read_bytes() == names


def test_after_a_kill_the_next_build_removes_what_is_left(user, theirs, lab):
    call = command(user, theirs, lab, "FROM busybox\nRUN echo begun; sleep 51234\n")
    with subprocess.Popen(
        call, env=user.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        while not (process.stderr.readline() or b" begun\n").endswith(b" begun\n"):
            pass
        process.kill()  # by exec this is the build itself
    assert any((theirs / "run/builds").iterdir())
    user.run(command(user, theirs, lab, "FROM busybox\nRUN true\n"))
    assert not any((theirs / "run/builds").iterdir())
    assert not any((theirs / "scratch").iterdir())
    assert _sleeping() == []


def test_an_interrupt_ends_the_build(user, theirs, lab):
    call = command(user, theirs, lab, "FROM busybox\nRUN echo begun; sleep 51234\n")
    with subprocess.Popen(
        call, env=user.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        while not (process.stderr.readline() or b" begun\n").endswith(b" begun\n"):
            pass
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=25)
    assert process.returncode == 130, rest
    assert not any((theirs / "run/builds").iterdir())
    assert _sleeping() == []


def test_one_id_is_too_few(lab):
    for made in user_with(ranges=False):
        made.packages(*PACKAGES)
        for name in ("bench", "vmdriver"):
            shutil.copytree(ROOT / name, made.code / name)
        context = made.place / "context"
        shutil.copytree(lab.context, context, symlinks=True)
        program = "from bench.cli.main import main; main()"
        words = ["--root", made.place / "tare", "image", "build", context]
        assert "a build needs more ids than your own" in made.run(made.python(program, *words), code=3)


def _sleeping():
    """Return the processes of the user's command, which must be gone."""
    found = subprocess.run(["pgrep", "-f", "sleep 51234"], check=False, capture_output=True, text=True)
    own = str(os.getpid())
    return [pid for pid in found.stdout.split() if pid != own]


def test_the_user_owns_what_is_his(user, theirs, lab):
    """A tree on disk is root's in the namespace, so the user's outside."""
    out = theirs / "out"
    user.run(command(user, theirs, lab, "FROM scratch\nCOPY --chown=33 a /a\n", "-o", str(out)))
    assert (out / "a").stat().st_uid == UID
