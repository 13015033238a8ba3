"""Who moves images: Tare, podman, docker and skopeo with umoci, each with storage of its own.

All of them end in the same state: a container of the image could start without more to unpack.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.peers.debian import available
from tests.peers.engines import daemon
from tests.peers.peer import run, scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

Words = list[str]
_LENIENT = ["/bin/sh", "-c", '"$@" || :', "sh"]


@dataclass(frozen=True)
class Mover:
    """The commands that fetch and send an image and build one, and those that remove all images.

    `{image}` stands for a name, `{context}` for the directory of a Dockerfile, `{tag}` for the name of the
    result. To forget what is not there is no error.
    """

    name: str
    what: str
    pull: tuple[Words, ...]
    forget: tuple[Words, ...]
    push: Words | None = None
    build: Words | None = None


def do(commands: tuple[Words, ...], null: int, **values: str) -> None:
    """Run commands one after another, with their words filled in."""
    for words in commands:
        run([word.format(**values) for word in words], null)


def tare_words(root: Path) -> Words:
    """Return how to call the `tare` of the environment whose Python runs this."""
    beside = Path(sys.executable).with_name("tare")
    return [str(beside) if beside.exists() else available("tare"), "--root", str(root)]


@contextmanager
def tare(folder: Path) -> Iterator[Mover]:
    """Give Tare's command line with a root of its own."""
    place = scratch(folder, "tare")
    words = [*tare_words(place), "image"]
    yield Mover(
        "tare", "tare image pull: blobs synced, layers unpacked",
        ([*words, "pull", "-q", "{image}"],),
        ([*_LENIENT, *words, "rm", "-f", "{image}"], [*words, "prune", "--cache"]),
        [*words, "push", "-q", "{image}"],
        [*words, "build", "-q", "--network", "none", "-t", "{tag}", "{context}"],
    )  # fmt: skip


@contextmanager
def podman(folder: Path) -> Iterator[Mover]:
    """Give podman on native overlay."""
    place = scratch(folder, "podman")
    words = [
        available("podman"), "--root", f"{place}/root", "--runroot", f"{place}/run", "--tmpdir",
        f"{place}/tmp", "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs", "--events-backend",
        "none",
    ]  # fmt: skip
    yield Mover(
        "podman", "podman pull: layers in an overlay storage",
        ([*words, "pull", "-q", "--tls-verify=false", "{image}"],),
        ([*words, "rmi", "-af"],),
        [*words, "push", "-q", "--tls-verify=false", "{image}"],
    )  # fmt: skip


@contextmanager
def docker(folder: Path) -> Iterator[Mover]:
    """Give docker, with a daemon that lives as long as the comparison."""
    available("dockerd")
    place = scratch(folder, "docker")
    words = [available("docker"), "--host", f"unix://{place}/socket"]
    with daemon(place, words):
        asked = [*words, "info", "--format", "{{.Driver}}"]
        driver = subprocess.run(asked, check=True, capture_output=True, text=True, timeout=60).stdout.strip()
        yield Mover(
            "docker", f"docker pull: client, daemon, layers in {driver}",
            ([*words, "pull", "-q", "{image}"],),
            ([*words, "image", "rm", "-f", "{image}"], [*words, "image", "prune", "-af"]),
            [*words, "push", "-q", "{image}"],
            [*words, "build", "-q", "--network", "none", "-t", "{tag}", "{context}"],
        )  # fmt: skip


@contextmanager
def skopeo(folder: Path) -> Iterator[Mover]:
    """Give skopeo to fetch and umoci to unpack: one flat tree, without layers to share."""
    place = scratch(folder, "skopeo")
    copy = [available("skopeo"), "--insecure-policy", "copy", "-q", "--src-tls-verify=false"]
    unpack = [available("umoci"), "unpack", "--image", f"{place}/store:1", f"{place}/bundle"]
    yield Mover(
        "skopeo-umoci", "skopeo copy to an OCI layout, umoci unpack into one tree",
        ([*copy, "docker://{image}", f"oci:{place}/store:1"], unpack),
        ([available("rm"), "-rf", f"{place}/store", f"{place}/bundle"],),
    )  # fmt: skip


ALL = {"tare": tare, "podman": podman, "docker": docker, "skopeo-umoci": skopeo}
