"""Docker's classic builder and its faults, shown with docker itself: the same Dockerfiles, built by both.

Steps one after the other, stages that nobody needs, secrets that stay. That an ordinary user can't build with
it is docker's design (its daemon is root's); `test_build_rootless` builds as one.
"""

import json
import shutil
import subprocess

import pytest

from tests.fakes.docker import Docker
from tests.privileged.test_build_faults import SECRET, VARIANTS, where

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("dockerd"), reason="needs dockerd: apt-get install docker.io"),
]
# When each stage's command begins and ends, in hundredths of a second since the host's start.
STAGE = """FROM busybox AS {0}
RUN read -r now _ < /proc/uptime; echo ${{now/./}} > /{0}; sleep 1; \\
    read -r now _ < /proc/uptime; echo ${{now/./}} >> /{0}
"""
LAST = "FROM busybox\nCOPY --from=one /one /\nCOPY --from=two /two /\n"


@pytest.fixture(scope="module")
def docker(tmp_path_factory, home):
    place = tmp_path_factory.mktemp("d")
    made = Docker(place)
    try:
        made.await_ready()
        source, target = (
            f"oci:{home}/images:docker.io/library/busybox:latest",
            f"docker-archive:{place}/b.tar",
        )
        subprocess.run(["skopeo", "copy", "-q", source, f"{target}:busybox:latest"], check=True)
        made("load", "-q", "-i", str(place / "b.tar"))
        yield made
    finally:
        made.close()


@pytest.fixture
def classic(docker, lab, monkeypatch):
    """Build with docker's classic builder."""
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")

    def build(text, *options, code=0):
        (lab.context / "Dockerfile").write_text(text)
        words = ("build", "--no-cache", "--network", "none", "-t", "made", *options, str(lab.context))
        return docker(*words, code=code)

    return build


def exported(docker, place):
    """Return the image as an OCI layout, and its manifest's digest."""
    docker("save", "-o", f"{place}/made.tar", "made")
    words = ["skopeo", "copy", "-q", f"docker-archive:{place}/made.tar", f"oci:{place}/layout:made"]
    subprocess.run(words, check=True)
    index = json.loads((place / "layout/index.json").read_text())
    return place / "layout", index["manifests"][0]["digest"]


def spans(one, two):
    """Return the earlier begin's end and the later begin."""
    first, second = sorted([int(word) for word in text.split()] for text in (one, two))
    return first[1], second[0]


def test_independent_stages_are_linear_in_docker_and_parallel_in_tare(docker, classic, lab):
    text = STAGE.format("one") + STAGE.format("two") + LAST
    classic(text)
    shown = [docker("run", "--rm", "--network", "none", "made", "cat", f"/{name}") for name in ("one", "two")]
    end, begin = spans(*shown)
    assert begin >= end
    root = lab.root(lab.built(text, "--no-cache"))
    end, begin = spans((root / "one").read_text(), (root / "two").read_text())
    assert begin < end


def test_a_stage_that_nobody_needs_runs_in_docker_alone(classic, lab):
    text = "FROM busybox AS unused\nRUN exit 7\nFROM busybox\nCOPY a /\n"
    classic(text, code=7)
    lab.built(text, "--no-cache")


# Where the secret is found in the image; None: it refuses to build.
CLASSIC = {"ARG": {"history"}, "deleted file": {"layer 1"}, "secret mount": None}


@pytest.mark.parametrize("variant", VARIANTS)
def test_where_a_secret_stays_in_docker(docker, classic, lab, tmp_path, variant):
    (lab.context / "password").write_text(SECRET)
    (tmp_path / "outside").write_text(SECRET)
    text, options = VARIANTS[variant]
    options = [each.format(outside=tmp_path / "outside") for each in options]
    if CLASSIC[variant] is None:
        classic(f"FROM busybox\n{text}", *options, code=125)
        classic(f"FROM busybox\n{text}", code=1)  # without the option it refuses the mount
        return
    classic(f"FROM busybox\n{text}", *options)
    assert where(*exported(docker, tmp_path)) == CLASSIC[variant]
