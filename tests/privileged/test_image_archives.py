"""Archives, and what is in them, go through docker, podman, skopeo and umoci, and come back as they were."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from runtime.image import Store, bootstrap
from runtime.image.layer.unpack import unpack
from runtime.image.verify import verify
from tests.fakes import rich_image
from tests.fakes.docker import Docker
from tests.fakes.podman import at
from tests.privileged.building import ROOT, TARE
from tests.registry.server import skopeo

pytestmark = [pytest.mark.privileged, pytest.mark.slow]
NAME = "docker.io/library/rich:latest"


def needs(*programs):
    missing = [name for name in programs if not shutil.which(name)]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}: apt-get install it")


class Place:
    """A root of data of its own, and the command line on it."""

    def __init__(self, home: Path):
        self.home = home
        self.store = Store(home / "images")

    def __call__(self, *words, stdin=None, stdout=subprocess.PIPE):
        done = subprocess.run(
            [*TARE, "--root", str(self.home), "image", *map(str, words)], cwd=ROOT, stdin=stdin,
            stdout=stdout, stderr=subprocess.PIPE, check=False, timeout=90, env=os.environ,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        return (done.stdout or b"").decode()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A place with the image, and a description of the tree that it is."""
    place = Place(tmp_path_factory.mktemp("made"))
    scratch = tmp_path_factory.mktemp("scratch")
    image = rich_image.make(place.store, bootstrap(place.store, "busybox"), scratch)
    return place, image, rich_image.describe(place.store.checkout(image))


@pytest.fixture(scope="module")
def archives(made, tmp_path_factory):
    place, _, _ = made
    folder = tmp_path_factory.mktemp("archives")
    for form in ("oci", "docker"):
        place("save", "--format", form, "-o", folder / form, "rich")
    return folder


@pytest.fixture
def other(tmp_path):
    return Place(tmp_path / "other")


@pytest.fixture(scope="module")
def docker(tmp_path_factory):
    daemon = Docker(tmp_path_factory.mktemp("d"))
    try:
        daemon.await_ready()
        yield daemon
    finally:
        daemon.close()


@pytest.fixture
def podman(tmp_path_factory):
    return at(tmp_path_factory.mktemp("p"))


def same(place, made, *, digest=True, config=True):
    """The image came back whole: its layers, its configuration, its tree."""
    _, image, tree = made
    found = place.store.resolve("rich")
    assert found.diff_ids == image.diff_ids
    assert found.manifest.config.digest == image.manifest.config.digest or not config
    assert found.config == image.config
    assert found.digest == image.digest or not digest
    assert rich_image.describe(place.store.checkout(found)) == tree
    assert verify(place.store) == []


def test_the_tree_is_what_was_made(made):
    """What the others are compared with is itself right: nothing hidden shows, nothing is lost."""
    place, image, tree = made
    names = {name.removeprefix("rich/") for name in tree if name.startswith("rich/")}
    assert {"opaque/new", "replaced", "kept/file", "kept/more", "tool", "sparse", "null", "fifo"} <= names
    assert not names & {"gone", "hidden", "hidden/deep/file", "opaque/file", "opaque/below", "replaced/file"}
    checkout = place.store.checkout(image) / "rich"
    assert tree["rich/tool"][:4] == ("hard link", "rich/kept/same")[:4]
    assert tree["rich/kept/same"][1:5] == (oct(0o6755), 1234, 70000, tree["rich/kept/same"][4])
    assert tree["rich/kept/same"][5] == {
        "security.capability": rich_image.CAPABILITY, "user.note": b"\xff\x00binary"
    }  # fmt: skip
    assert tree["rich/kept/again"][2] is not None
    assert (checkout / "sparse").stat().st_size == rich_image.SPARSE
    for path in (checkout, place.store.layer_paths(image)[1] / "rich"):
        assert (path / "sparse").stat().st_blocks * 512 < 1 << 20
    assert (checkout / "tool").stat().st_ino == (checkout / "kept/same").stat().st_ino
    assert (checkout / "tool").stat().st_mtime_ns % 10**9


@pytest.mark.parametrize("form", ["oci", "docker"])
@pytest.mark.parametrize("packer", ["cat", "gzip", "zstd", "bzip2", "xz"])
def test_our_own_archives_packed_with_anything(made, archives, other, form, packer):
    with (archives / form).open("rb") as plain, subprocess.Popen(
        [packer], stdin=plain, stdout=subprocess.PIPE
    ) as packed:  # fmt: skip
        assert other("load", stdin=packed.stdout) == "Loaded image: rich:latest\n"
    same(other, made)


@needs("dockerd")
@pytest.mark.parametrize("form", ["oci", "docker"])
def test_docker_loads_ours_and_we_load_dockers(made, archives, docker, form, tmp_path):
    other = Place(tmp_path / "other")
    assert "Loaded image: rich:latest" in docker("load", "-i", str(archives / form))
    script = "cd /rich; cat kept/more replaced tool; stat -c %a:%u:%g tool; ls opaque; cat gone 2>&1"
    said = docker("run", "--rm", "--network", "none", "rich", "sh", "-c", f"{script}; true")
    assert said.split("\n")[0] == "morea file nowtool6755:1234:70000"
    assert said.split("\n")[1:] == ["new", "cat: can't open 'gone': No such file or directory", ""]
    docker("save", "-o", str(tmp_path / "back"), "rich")
    docker("rmi", "rich")
    assert "Loaded image: rich:latest\n" in other("load", "-q", "-i", tmp_path / "back")
    same(other, made, digest=False)


@needs("dockerd")
def test_docker_unpacks_ours_to_the_same_tree(made, archives, docker, tmp_path):
    """What docker makes of our layers; its export leaves out times below a second and user attributes."""
    docker("load", "-i", str(archives / "docker"))
    docker("create", "--name", "box", "rich")
    docker("export", "-o", str(tmp_path / "tar"), "box")
    docker("rm", "box")
    (tmp_path / "tree").mkdir()
    with (tmp_path / "tar").open("rb") as tar:
        unpack(tar, tmp_path / "tree")
    place, image, _ = made
    theirs = rich_image.describe(tmp_path / "tree", "rich", without=("user.",))
    ours = rich_image.describe(place.store.checkout(image), "rich", without=("user.",))
    assert _seconds(theirs) == _seconds(ours)


def _seconds(tree):
    """Docker and umoci write layers whose times are rounded to seconds."""
    return {
        name: one if one[0] == "hard link" else (*one[:4], round(one[4] / 10**9), *one[5:])
        for name, one in tree.items()
    }


@needs("dockerd")
def test_a_container_committed_by_docker(made, archives, other, docker, tmp_path):
    """Whiteouts, opaque directories and owners of docker's making arrive."""
    docker("load", "-i", str(archives / "oci"))
    script = (
        "cd /rich; rm -r opaque; mkdir opaque; echo o > opaque/o; rm tool; mknod zero c 1 5; "
        "mkdir d; ln kept/more d/linked; chown 77:88 d; chmod 2750 d; ln -s d e"
    )
    docker("run", "--name", "box", "--network", "none", "rich", "sh", "-c", script)
    docker("commit", "box", "changed:2")
    docker("rm", "box")
    docker("save", "-o", str(tmp_path / "back"), "changed:2")
    assert "changed:2" in other("load", "-q", "-i", tmp_path / "back")
    tree = other.store.checkout(other.store.resolve("changed:2")) / "rich"
    assert sorted(path.name for path in (tree / "opaque").iterdir()) == ["o"]
    assert not (tree / "tool").exists()
    assert (tree / "zero").stat().st_rdev == os.makedev(1, 5)
    assert (oct((tree / "d").stat().st_mode), (tree / "d").stat().st_uid) == (oct(0o42750), 77)
    assert (tree / "d/linked").read_text() == "more"
    assert (tree / "e").readlink() == Path("d")


@needs("podman")
@pytest.mark.parametrize("form", ["oci", "docker"])
def test_podman_loads_ours_and_we_load_podmans(made, archives, podman, tmp_path, form):
    other = Place(tmp_path / "other")
    assert NAME in podman("load", "-i", str(archives / form))
    said = podman.run(NAME, "sh", "-c", "cd /rich; cat kept/more replaced tool; stat -c %a:%u:%g tool")
    assert said == "morea file nowtool6755:1234:70000\n"
    podman("save", "--format", f"{form}-archive", "-o", str(tmp_path / "back"), NAME)
    assert "Loaded image: rich:latest\n" in other("load", "-q", "-i", tmp_path / "back")
    same(other, made, digest=False)


@needs("skopeo")
def test_skopeo_copies_both_ways(made, archives, other, tmp_path):
    for kind, form in (("oci-archive", "oci"), ("docker-archive", "docker"), ("docker-archive", "oci")):
        skopeo("copy", f"{kind}:{archives / form}:{NAME}", f"oci:{tmp_path / kind}{form}:x")
        skopeo("copy", f"oci:{tmp_path / kind}{form}:x", f"{kind}:{tmp_path / 'back'}:{NAME}")
        other("rm", "rich") if other.store.images() else None
        assert "Loaded image: rich:latest\n" in other("load", "-q", "-i", tmp_path / "back")
        same(other, made, digest=False, config=False)  # it writes configurations anew
        (tmp_path / "back").unlink()


@needs("umoci", "skopeo")
def test_umoci_unpacks_ours_to_the_same_tree_and_we_unpack_umocis(made, archives, other, tmp_path):
    _, _, tree = made
    layout, bundle = tmp_path / "layout", tmp_path / "bundle"
    skopeo("copy", f"oci-archive:{archives / 'oci'}", f"oci:{layout}:rich")
    _umoci("unpack", "--image", f"{layout}:rich", str(bundle))
    assert rich_image.describe(bundle / "rootfs") == tree

    rich = bundle / "rootfs/rich"
    shutil.rmtree(rich / "opaque")
    (rich / "null").unlink()
    os.mknod(rich / "null", 0o020600, os.makedev(1, 5))
    (rich / "replaced").unlink()
    (rich / "replaced").mkdir(0o700)
    os.setxattr(rich / "replaced", "user.new", b"\x00\xff")
    os.chown(rich / "sparse", 9, 10)
    _umoci("repack", "--image", f"{layout}:again", str(bundle))
    skopeo("copy", f"oci:{layout}:again", f"oci-archive:{tmp_path / 'back'}:again:1")
    assert other("load", "-q", "-i", tmp_path / "back") == "Loaded image: again:1\n"
    found = other.store.resolve("again:1")
    ours, theirs = other.store.checkout(found), bundle / "rootfs"
    assert _seconds(rich_image.describe(ours)) == _seconds(rich_image.describe(theirs))


def _umoci(*words):
    done = subprocess.run(["umoci", *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_several_images_share_what_they_have_in_common(made, other, tmp_path):
    place, image, _ = made
    for form in ("oci", "docker"):
        place("save", "--format", form, "-o", tmp_path / form, "rich", "rich-below", image.digest.hex[:12])
        listing = subprocess.check_output(["tar", "-tf", tmp_path / form], text=True).split()
        assert len(listing) == len(set(listing))
        assert other("load", "-q", "-i", tmp_path / form) == (
            "Loaded image: rich:latest\nLoaded image: rich-below:latest\n"
        )
        assert len(other.store.images()) == 2
    assert other("verify") == ""


def test_the_tree_alone_as_a_tar(made, tmp_path):
    place, _, tree = made
    place("export", "-o", tmp_path / "tar", "rich")
    (tmp_path / "tree").mkdir()
    with (tmp_path / "tar").open("rb") as tar:
        unpack(tar, tmp_path / "tree")
    assert rich_image.describe(tmp_path / "tree") == tree
    with (tmp_path / "gnu").open("wb") as sink:
        place("export", "rich", stdout=sink)
    assert (tmp_path / "gnu").read_bytes() == (tmp_path / "tar").read_bytes()
    assert "rich/opaque/new" in subprocess.check_output(["tar", "-tf", tmp_path / "gnu"], text=True)
