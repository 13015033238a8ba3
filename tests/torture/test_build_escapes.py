"""T9: ways out of a build, into the host: cache mounts, links of the context, links of images and archives.

As in `test_escapes`, each test is red when its defence is taken away, and a sentinel directory of the host
stands for everything outside.
"""

from __future__ import annotations

import ctypes
import gzip
import io
import os
import select
import tarfile
import threading
from pathlib import Path

import pytest

from runtime.image.bootstrap import bootstrap
from tests.privileged.building import Lab

pytestmark = [pytest.mark.privileged, pytest.mark.torture]
SECRET = "of the host, 7d1f"
PUBLIC = "of the context..."
_LIBC = ctypes.CDLL(None, use_errno=True)
_EXCHANGE = 2
_LISTED = 0x10  # IN_CLOSE_NOWRITE (inotify(7)): of the directory, which only a listing opens


@pytest.fixture
def lab(tmp_path):
    made = Lab.at(tmp_path / "tare", tmp_path)
    bootstrap(made.store, "busybox")
    return made


@pytest.fixture
def outside(tmp_path, lab):
    """A directory of the host that no build may read or change."""
    path = tmp_path / "outside"
    path.mkdir()
    (path / "secret").write_text(SECRET)
    (path / "Dockerfile").write_text("FROM busybox\nRUN echo taken from outside\n")
    yield path
    assert sorted(entry.name for entry in path.iterdir()) == ["Dockerfile", "secret"]
    assert (path / "secret").read_text() == SECRET
    assert list(holders(lab.home)) == []


def holders(home):
    """Yield the files below a data root that have the secret, layers uncompressed."""
    for path in home.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        if SECRET.encode() in content:
            yield path


@pytest.mark.parametrize("name", ["../../outside", "/etc/new", "..", "x/../../y"])
def test_a_cache_mount_stays_in_its_place(lab, outside, name):
    """Buildah's id of a cache mount once named any directory of the host (CVE-2024-9675)."""
    (lab.home / "outside").symlink_to(outside)
    text = f"FROM busybox\nRUN --mount=type=cache,id={name},target=/m echo x > /m/made; ls /m > /seen\n"
    image = lab.built(text)
    assert (lab.root(image) / "seen").read_text() == "made\n"
    (made,) = lab.home.rglob("made")
    assert made.parent.parent == lab.home / "build-cache"
    assert not (lab.home / "made").exists()


def test_a_cache_mount_seeded_from_above_its_stage(lab, outside):
    """CVE-2024-9407 and its like: `source` leads above the root that it is taken from."""
    depth = "../" * 20
    text = f"FROM busybox AS one\nRUN ln -s {outside} /link\nFROM busybox\n"
    text += "RUN --mount=type=cache,from=one,source={},target=/m ls /m > /seen\n"
    for source in (f"{depth}{outside}", f"/link/{depth}{outside}", "/link"):
        done = lab.build(text.format(source))
        assert done.returncode == 1, done.stderr
        assert "is not in the stage or image that --from names" in done.stderr


@pytest.mark.parametrize(
    "step",
    [
        "COPY ../outside/secret /got",
        "COPY sub/../../outside/secret /got",
        "COPY {outside}/secret /got",
        "COPY out /got",
        "COPY out/secret /got",
        "COPY absolute /got",
        "COPY sub/up /got",
        "ADD out/secret /got",
        "ADD ../outside /got/",
        "COPY --parents out/./secret /got/",
        "RUN --mount=type=bind,source=out,target=/m cat /m/secret > /got",
        "RUN --mount=type=bind,source=../outside,target=/m cat /m/secret > /got",
    ],
)
def test_nothing_outside_of_the_context_is_a_source(lab, outside, step):
    (lab.context / "out").symlink_to("../outside")
    (lab.context / "absolute").symlink_to(outside / "secret")
    (lab.context / "sub/up").symlink_to("../../outside/secret")
    done = lab.build(f"FROM busybox\n{step.format(outside=outside)}\n")
    assert done.returncode == 2, done.stderr
    assert "/Dockerfile:2: " in done.stderr
    assert "is not in the build context" in done.stderr


def test_links_out_of_the_context_are_copied_as_links(lab, outside):
    (lab.context / "out").symlink_to("../outside")
    (lab.context / "sub/up").symlink_to(outside / "secret")
    text = "FROM busybox\nCOPY . /all/\nCOPY */secret o*t/s* /none/\n"
    text += "RUN --mount=type=bind,target=/m ls /m/out/ /m/sub/up || echo nothing > /seen\n"
    root = lab.root(lab.built(text))
    assert (root / "all/out").readlink() == Path("../outside")
    assert (root / "all/sub/up").readlink() == outside / "secret"
    assert not list((root / "none").iterdir())
    assert (root / "seen").read_text() == "nothing\n"


@pytest.fixture
def many(lab, outside):
    """A directory of the context, and a link to one outside that has files of the same names."""
    (lab.context / "many").mkdir()
    for number in range(400):
        (lab.context / f"many/{number}").write_text(PUBLIC)
        (outside / f"{number}").write_text(SECRET)
    (lab.context.parent / "link").symlink_to(outside)
    yield [os.fsencode(lab.context / "many"), os.fsencode(lab.context.parent / "link")]
    for number in range(400):
        (outside / f"{number}").unlink()


def exchange(paths):
    assert _LIBC.renameat2(-100, paths[0], -100, paths[1], _EXCHANGE) == 0


def test_a_context_that_changes_once_it_is_listed(lab, many):
    """A directory that becomes a link out of the context when it is listed and its files are not yet read."""
    notices = _LIBC.inotify_init1(os.O_CLOEXEC)
    assert _LIBC.inotify_add_watch(notices, many[0], _LISTED) > 0

    def swap():
        if select.select([notices], [], [], 20)[0]:  # it waits for the end of the listing
            exchange(many)

    thread = threading.Thread(target=swap)
    thread.start()
    done = lab.build("FROM busybox\nCOPY many /many/\n")
    thread.join()
    os.close(notices)
    assert done.returncode == 1
    assert f"cannot read {lab.context}/many/" in done.stderr
    assert list(holders(lab.home)) == []


def test_a_context_that_changes_all_the_time(lab, many, rounds):
    """The same at any moment, back and forth."""
    done = threading.Event()

    def swap():
        while not done.is_set():
            exchange(many)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(rounds(60, 4)):
            lab.build("FROM busybox\nCOPY many /many/\n", "--no-cache")
    finally:
        done.set()
        thread.join()
    assert list(holders(lab.home)) == []


def test_a_bind_mount_leaves_the_context_alone(lab, outside):
    (lab.context / "out").symlink_to(outside)
    text = "FROM busybox\nRUN --mount=type=bind,target=/m,rw echo x > /m/a; echo x > /m/new; rm -r /m/sub/*; "
    lab.built(text + "mkdir -p /m/out || true\n")
    assert (lab.context / "a").read_text() == "a"
    assert not (lab.context / "new").exists()
    assert (lab.context / "sub/x").exists()


@pytest.mark.parametrize("step", ["COPY --from=one /link/secret /got", "COPY --from=one /file /got"])
def test_links_of_a_stage_lead_nowhere_else(lab, outside, step):
    text = f"FROM busybox AS one\nRUN ln -s {outside} /link; ln -s /../../..{outside}/secret /file\n"
    done = lab.build(f"{text}FROM busybox\n{step}\n")
    assert done.returncode == 1
    assert "is not in the stage or image that --from names" in done.stderr


def test_what_is_copied_through_a_link_of_the_image(lab, outside):
    links = (
        f"ln -s {outside} /out; ln -s ../../../../..{outside} /up; mkdir /d; ln -s {outside}/secret /d/file"
    )
    with tarfile.open(lab.context / "t.tar", "w") as archive:
        member = tarfile.TarInfo("out/secret")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    text = f"FROM busybox\nRUN {links}\nCOPY a /out/\nCOPY a /up/b\nCOPY a /d/file\nADD t.tar /\n"
    root = lab.root(lab.built(text + "WORKDIR /out/made\nCOPY <<here /out/\nx\nhere\n"))
    inside = root / str(outside).lstrip("/")
    assert sorted(entry.name for entry in inside.iterdir()) == ["a", "b", "here", "made", "secret"]


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore"])
def test_links_of_a_packed_context_lead_nowhere_else(lab, outside, name):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        content = b"FROM busybox\n"
        if name != "Dockerfile":
            member = tarfile.TarInfo("Dockerfile")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.SYMTYPE, str(outside / "Dockerfile")
        archive.addfile(link)
    done = lab.tare("image", "build", "-", stdin=packed.getvalue())
    assert done.returncode == 2
    expected = "there is no Dockerfile in the context" if name == "Dockerfile" else f"{name} leads out"
    assert expected in done.stderr
