"""Faults of a classic build, and what became of them: secrets that stay, and steps one after the other."""

import gzip
import json
import subprocess
import tempfile

import pytest

from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store
from tests.privileged.building import Lab

pytestmark = pytest.mark.privileged
SECRET = "hunter2-0123456789"


@pytest.fixture
def lab(home, tmp_path):
    made = Lab.at(home, tmp_path)
    (made.context / "password").write_text(SECRET)
    (tmp_path / "outside").write_text(SECRET)
    return made


def where(layout, digest):
    """Search an image of an OCI layout for the secret: the names of the documents and layers that have it."""

    def blob(name):
        content = (layout / "blobs/sha256" / name.removeprefix("sha256:")).read_bytes()
        return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content

    manifest = json.loads(blob(digest))
    config = json.loads(blob(manifest["config"]["digest"]))
    found = {
        "manifest": json.dumps(manifest).encode(),
        "history": json.dumps(config.pop("history")).encode(),
        "config": json.dumps(config).encode(),
        **{f"layer {n}": blob(layer["digest"]) for n, layer in enumerate(manifest["layers"])},
    }
    return {name for name, content in found.items() if SECRET.encode() in content}


VARIANTS = {
    "ARG": ("ARG TOKEN\nRUN echo $TOKEN | wc -c > /size\n", ["--build-arg", f"TOKEN={SECRET}"]),
    "deleted file": ("COPY password /p\nRUN wc -c < /p > /size; rm /p\n", []),
    "secret mount": (
        "RUN --mount=type=secret,id=p wc -c < /run/secrets/p > /size\n",
        ["--secret", "id=p,src={outside}"],
    ),
}
# A layer below keeps what one above deletes: that is how layers are, and no builder can mend it.
OURS = {"ARG": set(), "deleted file": {"layer 1"}, "secret mount": set()}
CLASSIC = {"ARG": {"history"}, "deleted file": {"layer 1"}, "secret mount": set()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_where_a_secret_stays(lab, tmp_path, variant):
    text, options = VARIANTS[variant]
    options = [each.format(outside=tmp_path / "outside") for each in options]
    image = lab.built("FROM busybox\n" + text, *options)
    assert (lab.root(image) / "size").read_text().split()[0] in {str(len(SECRET)), str(len(SECRET) + 1)}
    assert where(lab.home / "images", image.digest) == OURS[variant]
    classic, digest = podman(lab, tmp_path, options)
    assert where(classic, digest) == CLASSIC[variant]


def test_nothing_of_a_mounted_or_given_secret_is_anywhere(lab, tmp_path):
    only = tmp_path / "only"  # the module's root has the deleted file of another test
    bootstrap(Store(only / "images"), "busybox")
    alone = Lab(only, lab.context)
    for variant in ("ARG", "secret mount"):
        text, options = VARIANTS[variant]
        alone.built("FROM busybox\n" + text, *(o.format(outside=tmp_path / "outside") for o in options))
    done = subprocess.run(["grep", "-ral", SECRET, only], check=False, capture_output=True, text=True)
    assert done.stdout == ""


def podman(lab, place, options):
    """Build the context's Dockerfile with podman; returns an OCI layout and the manifest's digest."""
    with tempfile.TemporaryDirectory(prefix="pb-", dir="/tmp") as short:  # podman allows 50 characters
        call = f"podman --root {short}/p --runroot {short}/r --storage-driver vfs --cgroup-manager cgroupfs"
        script = f"""set -e
{call} pull -q oci:{lab.home}/images:docker.io/library/busybox:latest >/dev/null
{call} tag $({call} images -q) busybox
{call} build -q --layers --pull=never --isolation chroot --network host \
    --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 -t made {" ".join(options)} {lab.context} >/dev/null
{call} push -q made oci:{place}/classic:made
"""
        subprocess.run(["unshare", "-m", "sh", "-c", script], check=True, capture_output=True, timeout=100)
    index = json.loads((place / "classic/index.json").read_text())
    return place / "classic", index["manifests"][0]["digest"]


def test_two_stages_are_under_way_together(lab):
    """By the order of events: both have begun before either is done. Each waits for a file of the other."""
    wait = "for i in $(seq 100); do [ -e /m/{} ] && exit 0; sleep 0.1; done; exit 1"
    stage = "FROM busybox AS {0}\nRUN --mount=type=cache,id=order,target=/m touch /m/{0} /{0}; {1}\n"
    text = stage.format("one", wait.format("two")) + stage.format("two", wait.format("one"))
    done = lab.build(text + "FROM scratch\nCOPY --from=one /one /\nCOPY --from=two /two /\n")
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    begun = [number for number, line in enumerate(lines) if ": RUN " in line]
    ended = [number for number, line in enumerate(lines) if " done in " in line]
    assert len(begun) == 2
    assert max(begun) < min(ended)
