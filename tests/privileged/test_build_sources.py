"""`tare image build`: contexts and Dockerfiles from tars and stdin, and results outside of the store."""

import bz2
import gzip
import io
import lzma
import os
import subprocess
import tarfile
import tempfile

import pytest

pytestmark = pytest.mark.privileged
PACKED = {"plain": bytes, "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}


def tar(files, links=()):
    """Return a tar's bytes; names to contents, and pairs of a link and where it leads."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text), 0o640
            archive.addfile(member, io.BytesIO(text.encode()))
        for name, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return stream.getvalue()


def got(lab, *words, stdin=b""):
    done = lab.tare("image", "build", "-t", "made", *words, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return lab.root(lab.store.resolve("made"))


@pytest.mark.parametrize("packing", PACKED)
def test_a_tar_on_stdin_is_the_context(lab, packing):
    files = {"Dockerfile": "FROM busybox\nCOPY . /ctx/\n", "f": "f", "no": "", ".dockerignore": "no\n"}
    root = got(lab, "-", stdin=PACKED[packing](tar(files)))
    assert sorted(path.name for path in (root / "ctx").iterdir()) == [".dockerignore", "Dockerfile", "f"]
    assert (root / "ctx/f").stat().st_mode & 0o777 == 0o640


def test_a_tar_file_is_the_context_and_f_a_name_inside(lab, tmp_path):
    (tmp_path / "c.tar").write_bytes(tar({"sub/D": "FROM busybox\nCOPY f /got\n", "f": "inside"}))
    assert (got(lab, "-f", "sub/D", str(tmp_path / "c.tar")) / "got").read_text() == "inside"


def test_a_dockerfile_on_stdin_has_no_context(lab):
    root = got(lab, "-", stdin=b"FROM busybox\nRUN echo stdin > /got\nCOPY . /ctx/\n")
    assert (root / "got").read_text() == "stdin\n"
    assert not any((root / "ctx").iterdir())


def test_a_dockerfile_on_stdin_for_a_directory(lab):
    assert (got(lab, "-f", "-", str(lab.context), stdin=b"FROM busybox\nCOPY a /got\n") / "got").exists()


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        (["-f", "-", "-"], b"", "cannot both be stdin"),
        (["https://example.org/x.git"], b"", "a build context at a URL is not supported"),
        (["-"], tar({"x": ""}), "there is no Dockerfile in the context"),
        (["-"], tar({}, [("Dockerfile", "/etc/passwd")]), "there is no Dockerfile in the context"),
        (
            ["-"],
            tar({"Dockerfile": "FROM x"}, [(".dockerignore", "/etc/shadow")]),
            "leads out of the context",
        ),
        (["-"], tar({"../../x": ""}), "outside its root"),
        (["-"], tar({"Dockerfile": "x" * 9000})[:5000], "the context: a layer's tar is damaged"),
    ],
)
def test_sources_that_are_none_are_refused(lab, words, stdin, message):
    done = lab.tare("image", "build", *words, stdin=stdin)
    assert done.returncode != 0
    assert message in done.stderr
    assert not any((lab.home / "scratch").iterdir())


def test_the_tree_as_files_and_as_a_tar(lab, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/own").write_text("stays")
    text = "FROM scratch\nCOPY sub /link/\nCOPY --chown=33 a /a\n"
    outputs = ["-o", str(tmp_path / "out"), "--output", f"type=tar,dest={tmp_path}/t.tar"]
    assert lab.build(text, *outputs).returncode == 0
    names = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*"))
    assert names == ["a", "link", "link/link", "link/x", "own"]
    assert not any((tmp_path / "elsewhere").iterdir())  # a link that was there is replaced, not followed
    assert (tmp_path / "out/a").stat().st_uid == os.geteuid()
    with tarfile.open(tmp_path / "t.tar") as archive:
        assert [(each.name, each.uid) for each in archive] == [
            ("a", 33), ("link", 0), ("link/link", 0), ("link/x", 0),
        ]  # fmt: skip


def test_a_tar_on_stdout_is_all_that_is_there(lab):
    done = lab.build("FROM scratch\nCOPY a /a\n", "-o", "-")
    with tarfile.open(fileobj=io.BytesIO(done.stdout.encode(errors="surrogateescape"))) as archive:
        assert archive.getnames() == ["a"]
    assert "sha256:" in done.stderr


def test_podman_reads_the_archive(lab, tmp_path):
    image = lab.built("FROM busybox\nCOPY a /a\n", "-o", f"type=oci,dest={tmp_path}/i.tar")
    with tempfile.TemporaryDirectory(prefix="pb-", dir="/tmp") as short:  # podman allows 50 characters
        call = f"podman --root {short}/p --runroot {short}/r --storage-driver vfs --cgroup-manager cgroupfs"
        done = subprocess.run(
            ["unshare", "-m", *call.split(), "pull", "-q", f"oci-archive:{tmp_path}/i.tar"],
            check=True, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert done.stdout.strip() == image.manifest.config.digest.hex


@pytest.mark.parametrize("output", ["type=registry", "type=local", "type=tar,dest=x,compression=zstd"])
def test_outputs_that_are_none_are_refused(lab, output):
    done = lab.build("FROM busybox\n", "-o", output)
    assert done.returncode == 2
    assert f"--output {output}" in done.stderr
