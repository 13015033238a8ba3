"""`tare container cp`: docker's rules for names, running or not, and no way out by links of the container."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store
from tests.fakes.engine import ROOT, TARE, engine, until

pytestmark = pytest.mark.privileged


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    root = tmp_path_factory.mktemp("copy")
    bootstrap(Store(root / "images"), "busybox")
    return root


@pytest.fixture(params=["running", "stopped"])
def box(request, home):
    """A container with some files, which runs or does not."""
    with engine(home) as made:
        script = ("mkdir -p /d/sub; echo 1 > /d/one; echo 2 > /d/sub/two; ln -s one /d/link; chmod 750 /d/sub"
                  "; chown 33:44 /d/one; echo ready; test $0 = stopped || sleep 1000")  # fmt: skip
        made("run", "-d", "--name", "box", "-v", "kept:/v", "busybox", "sh", "-c", script, request.param)
        until(lambda: made("logs", "box") == "ready\n")
        if request.param == "stopped":
            made("wait", "box")
        yield made
        made("rm", "-f", "box")
        made("volume", "rm", "kept")


def look(box, script):
    """What a command sees in the container, or in what it has written if it does not run."""
    if box.inspect("box")["State"]["Running"]:
        return box("exec", "box", "sh", "-c", script)
    place = box.home / "engine/containers" / box.inspect("box")["Id"] / "upper"
    return subprocess.run(["sh", "-c", script.replace(" /", f" {place}/")], capture_output=True, text=True,
                          check=True).stdout  # fmt: skip


def test_a_file_out_and_in(box, tmp_path):
    box("cp", "box:/d/one", str(tmp_path))
    assert (tmp_path / "one").read_text() == "1\n"
    assert (tmp_path / "one").stat().st_uid == 0
    box("cp", "box:d/one", str(tmp_path / "other"))
    assert (tmp_path / "other").read_text() == "1\n"
    box("cp", "-a", "box:/d/one", str(tmp_path / "owned"))
    assert (tmp_path / "owned").stat().st_uid == 33
    (tmp_path / "mine").write_text("new\n")
    box("cp", str(tmp_path / "mine"), "box:/d")
    box("cp", str(tmp_path / "mine"), "box:/d/sub/two")
    assert look(box, "cat /d/mine /d/sub/two") == "new\nnew\n"


def test_directories(box, tmp_path):
    box("cp", "box:/d", str(tmp_path / "fresh"))
    assert (tmp_path / "fresh/sub/two").read_text() == "2\n"
    assert (tmp_path / "fresh/link").readlink().name == "one"
    assert (tmp_path / "fresh/sub").stat().st_mode & 0o777 == 0o750
    (tmp_path / "there").mkdir()
    box("cp", "box:/d", str(tmp_path / "there"))
    assert (tmp_path / "there/d/one").exists()
    box("cp", "box:/d/.", str(tmp_path / "there"))
    assert (tmp_path / "there/one").exists()
    box("cp", f"{tmp_path}/there/d/.", "box:/d/sub")
    assert look(box, "cat /d/sub/one /d/sub/sub/two") == "1\n2\n"


def test_links(box, tmp_path):
    box("cp", "box:/d/link", str(tmp_path / "a"))
    assert (tmp_path / "a").is_symlink()
    box("cp", "-L", "box:/d/link", str(tmp_path / "b"))
    assert (tmp_path / "b").read_text() == "1\n"
    assert not (tmp_path / "b").is_symlink()


def test_a_volume_is_part_of_it(box, tmp_path):
    (tmp_path / "x").write_text("v\n")
    box("cp", str(tmp_path / "x"), "box:/v/x")
    assert (box.home / "engine/volumes/kept/_data/x").read_text() == "v\n"
    box("cp", "box:/v/x", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "v\n"


def test_tars_through_pipes(box, tmp_path):
    words = [*TARE, "container", "cp", "box:/d", "-"]
    done = subprocess.run(words, cwd=ROOT, env=box.environment, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        assert sorted(archive.getnames()) == ["d", "d/link", "d/one", "d/sub", "d/sub/two"]
        assert archive.getmember("d/one").uid == 33
    words = [*TARE, "container", "cp", "-", "box:/v"]
    subprocess.run(words, cwd=ROOT, env=box.environment, input=done.stdout, capture_output=True, check=True)
    assert (box.home / "engine/volumes/kept/_data/d/sub/two").read_text() == "2\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["box:/none", "/tmp"], "/none: No such file"),
        (["/none", "box:/d"], "/none"),
        (["box:/d", "box:/e"], "must be CONTAINER:PATH"),
        (["/etc", "/tmp"], "must be CONTAINER:PATH"),
        (["/etc/hostname", "box:/none/there"], "there is no directory /none"),
        (["/etc/hostname", "box:/none/"], "there is no directory"),
        (["/etc", "box:/d/one"], "is no directory"),
        (["other:/d", "/tmp"], "there is no container other"),
    ],
)
def test_what_does_not_fit(box, words, says):
    assert says in box.fails("container", "cp", *words)


def test_no_link_of_the_container_leads_out(box, tmp_path):  # CVE-2018-15664, CVE-2019-14271
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("of the host\n")
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    (hostile / "way").symlink_to(outside)
    (hostile / "file").symlink_to(outside / "secret")
    (hostile / "dangling").symlink_to(outside / "made")
    box("cp", f"{hostile}/.", "box:/d")
    assert "No such file" in box.fails("container", "cp", "box:/d/way/secret", str(tmp_path / "got"))
    assert "No such file" in box.fails("container", "cp", "-L", "box:/d/file", str(tmp_path / "got"))
    (tmp_path / "mine").write_text("from here\n")
    box("cp", str(tmp_path / "mine"), "box:/d/file")
    box("cp", str(tmp_path / "mine"), "box:/d/dangling")
    box.tare("container", "cp", str(tmp_path / "mine"), "box:/d/way/new")
    box.tare("container", "cp", str(tmp_path / "mine"), "box:/d/way")
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "of the host\n"


def test_nothing_is_left_mounted(box, tmp_path):
    box("cp", "box:/d", str(tmp_path / "x"))
    assert str(box.home) not in Path("/proc/self/mountinfo").read_text()
