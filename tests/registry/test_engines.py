"""What Tare builds and pushes runs in docker and podman; what they and buildah push runs in Tare."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store
from tests.fakes.docker import Docker
from tests.fakes.podman import LIMITS, at
from tests.registry import password

pytestmark = [pytest.mark.privileged, pytest.mark.slow, pytest.mark.timeout(180)]
ROOT = Path(__file__).resolve().parents[2]
OURS = """
FROM busybox
RUN mkdir /data && echo from tare > /data/said && chmod 4711 /data && ln -s said /data/link && rm -r /home
ENV WHO=nobody
USER 65534:65534
WORKDIR /data
ENTRYPOINT ["sh", "-c", "cat link; id -u; echo $WHO; ls -ld /data | cut -c1-10; ls -d /home 2>&1; true"]
"""
SAID = ["from tare", "65534", "nobody", "drws--x--x", "ls: /home: No such file or directory"]
THEIRS = """
FROM {base}
USER 0
RUN echo more > /data/more && rm /data/link
ENV WHO=them
ENTRYPOINT ["sh", "-c", "cat /data/more; echo $WHO; ls /data"]
"""


class Tare:
    """Tare's command line with a root of its own."""

    def __init__(self, root):
        self.environment = {**os.environ, "TARE_ROOT": str(root), "HOME": str(root)}

    def __call__(self, *words, stdin=""):
        command = [sys.executable, "-c", "from bench.cli.main import main; main()", *map(str, words)]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False, timeout=100,
            input=stdin,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def tare(tmp_path):
    bootstrap(Store(tmp_path / "tare/images"), "busybox")
    return Tare(tmp_path / "tare")


@pytest.fixture
def pushed(tare, registry, tmp_path):
    """Name of an image that Tare has built and pushed."""
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours/Dockerfile").write_text(OURS)
    name = f"{registry.host}/team/ours:1"
    tare("image", "build", "-q", "-t", name, tmp_path / "ours")
    tare("image", "push", "-q", name)
    return name


@pytest.fixture
def context(tmp_path, pushed):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/Dockerfile").write_text(THEIRS.format(base=pushed))
    return tmp_path / "theirs"


@pytest.fixture
def docker(tmp_path_factory):
    assert shutil.which("dockerd"), "apt-get install docker.io"
    made = Docker(tmp_path_factory.mktemp("d"))
    try:
        made.await_ready()
        yield made
    finally:
        made.close()


def test_docker_runs_ours_and_we_run_dockers(tare, docker, pushed, context):
    docker("pull", "-q", pushed)
    assert docker("run", "--rm", "--network", "none", pushed).splitlines() == SAID
    theirs = pushed.replace("ours", "docker")
    docker("build", "-q", "--network", "none", "-t", theirs, str(context))
    docker("push", theirs)
    tare("image", "pull", "-q", theirs)
    assert tare("container", "run", theirs).split() == ["more", "them", "more", "said"]


def test_podman_runs_ours_and_we_run_podmans(tare, pushed, context, tmp_path_factory):
    podman = at(tmp_path_factory.mktemp("p"))
    podman("pull", "-q", "--tls-verify=false", pushed)
    assert podman.run(pushed).splitlines() == SAID
    theirs = pushed.replace("ours", "podman")
    podman("build", "-q", "--isolation", "chroot", "--network", "host", *LIMITS, "-t", theirs, str(context))
    podman("push", "-q", "--tls-verify=false", theirs)
    tare("image", "pull", "-q", theirs)
    assert tare("container", "run", theirs).split() == ["more", "them", "more", "said"]


def test_docker_and_podman_use_and_forget_what_we_store(
    tare, docker, start_registry, tmp_path, tmp_path_factory
):
    """All three have the same home, and docker's daemon has none."""
    home = tare.environment["HOME"] = str(tmp_path / "home")
    registry = password.closed(start_registry, tmp_path)
    name = f"{registry.host}/team/box:1"
    words = ("registry", "login", "-u", "ann", "--password-stdin", registry.host)
    tare(*words, stdin="secret")
    tare("image", "push", "-q", "busybox", name)
    docker("pull", "-q", name)
    podman = at(tmp_path_factory.mktemp("p"))
    podman("pull", "-q", "--tls-verify=false", name)
    docker("logout", registry.host)
    assert json.loads((Path(home) / ".docker/config.json").read_text())["auths"] == {}
    docker("rmi", name)
    docker("pull", "-q", name, code=1)


class Buildah:
    """buildah with storage of its own."""

    def __init__(self, place):
        self.base = [
            "buildah", "--root", place / "root", "--runroot", place / "run", "--storage-driver", "vfs",
        ]  # fmt: skip

    def __call__(self, *words):
        done = subprocess.run(
            [*self.base, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=100,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.mark.parametrize("form", ["oci", "docker"])
def test_we_run_what_buildah_builds(tare, pushed, context, tmp_path_factory, form):
    assert shutil.which("buildah"), "apt-get install buildah"
    buildah = Buildah(tmp_path_factory.mktemp("b"))
    theirs = pushed.replace("ours", "buildah")
    buildah(
        "build", "-q", "--isolation", "chroot", "--network", "host", "--tls-verify=false", "--format", form,
        "-t", theirs, context,
    )  # fmt: skip
    buildah("push", "-q", "--tls-verify=false", theirs)
    tare("image", "pull", "-q", theirs)
    assert tare("container", "run", theirs).split() == ["more", "them", "more", "said"]
