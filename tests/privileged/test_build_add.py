"""`ADD` of archives and URLs, and the flags of COPY; compared with podman where it has them."""

import hashlib
import http.server
import io
import subprocess
import tarfile
import tempfile
import threading
from contextlib import contextmanager
from functools import partial

import pytest

from tests.privileged.test_build_image import podman, tree

pytestmark = pytest.mark.privileged


@pytest.fixture
def server(tmp_path):
    """A web server of files in a directory; yields its URL, the directory, and the paths it was asked for."""
    (tmp_path / "www").mkdir()
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_words):
            asked.append(self.path)

        def do_GET(self):
            if self.path == "/short":
                self.send_response(200)
                self.send_header("Content-Length", "100")
                self.end_headers()
                self.wfile.write(b"only")
                return
            super().do_GET()

    handler = partial(Handler, directory=str(tmp_path / "www"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{web.server_port}", tmp_path / "www", asked
        web.shutdown()
        thread.join()


@contextmanager
def short_name():
    with tempfile.TemporaryDirectory(prefix="pb-", dir="/tmp") as place:
        yield place


def pack(path, mode="w:gz"):
    """Write an archive with owners, modes, links and an own idea of a directory that the image has."""
    with tarfile.open(path, mode) as archive:
        for name, kind, rights, text in (
            ("tmp", tarfile.DIRTYPE, 0o700, ""),
            ("d", tarfile.DIRTYPE, 0o2750, ""),
            ("d/file", tarfile.REGTYPE, 0o4755, "file"),
            ("d/hard", tarfile.LNKTYPE, 0o4755, "d/file"),
            ("d/soft", tarfile.SYMTYPE, 0o777, "file"),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.uid, member.gid, member.mtime = kind, rights, 7, 8, 1000
            if kind == tarfile.REGTYPE:
                member.size = len(text)
            else:
                member.linkname = text
            archive.addfile(member, io.BytesIO(text.encode()))


ARCHIVES = """FROM busybox
ADD a.tar.gz /
ADD b.tar.xz a /into/
ADD sub /sub/
ADD no.gz /
"""


def test_archives_are_unpacked_as_podman_does(lab):
    pack(lab.context / "a.tar.gz")
    pack(lab.context / "b.tar.xz", "w:xz")
    pack(lab.context / "sub/kept.tar")  # in a directory: not named itself
    (lab.context / "no.gz").write_bytes(b"\x1f\x8b\x08\x00no tar in it")
    ours = tree(lab.root(lab.built(ARCHIVES)))
    with short_name() as short:
        root, _ = podman(lab.home, short, lab.context)
        theirs = tree(root)
    assert {
        path: (ours.get(path), theirs.get(path))
        for path in {*ours, *theirs}
        if ours.get(path) != theirs.get(path)
    } == {}
    assert ours["d/file"][:3] == ("0o104755", 7, 8)
    assert {"sub/kept.tar", "no.gz", "into/a"} <= set(ours)


def test_an_owner_is_for_all_of_an_archive(lab):
    """BuildKit's rule; podman keeps the archive's."""
    pack(lab.context / "a.tar.gz")
    root = lab.root(lab.built("FROM busybox\nADD --chown=5:6 a.tar.gz /owned/\n"))
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in (root / "owned").rglob("*")} == {(5, 6)}


def test_an_archive_that_leads_out_is_refused(lab, tmp_path):
    with tarfile.open(lab.context / "evil.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("../../../escaped"))
    done = lab.build("FROM busybox\nADD evil.tar /\n")
    assert "evil.tar" in done.stderr
    assert "outside its root" in done.stderr
    assert not (tmp_path / "escaped").exists()


def test_links_of_the_archive_and_the_image_stay_inside(lab, tmp_path):
    (tmp_path / "outside").mkdir()
    with tarfile.open(lab.context / "links.tar", "w") as archive:
        member = tarfile.TarInfo("out")
        member.type, member.linkname = tarfile.SYMTYPE, str(tmp_path / "outside")
        archive.addfile(member)
    root = lab.root(
        lab.built("FROM busybox\nADD links.tar /\nCOPY a /out/\nADD --unpack=false links.tar /kept/\n")
    )
    assert not any((tmp_path / "outside").iterdir())
    assert (root / f".{tmp_path}/outside/a").exists()
    assert (root / "kept/links.tar").exists()


def test_a_url_is_fetched_once_and_cached_by_content(lab, server):
    url, www, asked = server
    (www / "f").write_text("one")
    text = f"FROM busybox\nADD {url}/f /got/\nADD --chmod=640 --chown=1:2 {url}/f /as\n"
    root = lab.root(lab.built(text))
    status = (root / "got/f").stat()
    assert ((root / "got/f").read_text(), status.st_mode & 0o7777) == ("one", 0o600)
    assert int(status.st_mtime) == int((www / "f").stat().st_mtime)
    assert ((root / "as").stat().st_mode & 0o7777, (root / "as").stat().st_uid) == (0o640, 1)
    assert asked == ["/f"]
    assert lab.build(text).stderr.count(" cached") == 2
    (www / "f").write_text("two")
    assert (lab.root(lab.built(text)) / "as").read_text() == "two"


def test_a_checksum_is_demanded_and_saves_the_fetch(lab, server):
    url, www, asked = server
    (www / "f").write_text("one")
    checksum = hashlib.sha256(b"one").hexdigest()
    text = f"FROM busybox\nADD --checksum=sha256:{checksum} {url}/f /\n"
    lab.built(text)
    (www / "f").write_text("two")
    assert " cached" in lab.build(text).stderr
    assert asked == ["/f"]
    done = lab.build(text, "--no-cache")
    assert done.returncode == 1
    assert f"not sha256:{checksum}" in done.stderr


def test_an_archive_at_a_url_is_unpacked_on_request(lab, server):
    url, www, _ = server
    pack(www / "a.tar.gz")
    root = lab.root(
        lab.built(f"FROM busybox\nADD {url}/a.tar.gz /x/\nADD --unpack=true {url}/a.tar.gz /y/\n")
    )
    assert (root / "x/a.tar.gz").is_file()
    assert (root / "y/d/file").read_text() == "file"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("{url}/none /", "the server says 404"),
        ("{url}/short /", "96 bytes are missing"),
        ("http://127.0.0.1:1/x /", "Connection refused"),
        ("{url}/ /x/", "has no file name"),
        ("--checksum=md5:00 {url}/f /", "--checksum takes sha256:"),
        ("{url}/none.git /", "git says: repository"),
        ("git://127.0.0.1:1/x#main /", "git says: unable to connect"),
        ("{url}/x.git#--upload-pack=x /", "is no branch, tag or commit"),
        ("--keep-git-dir=true {url}/f /", "--keep-git-dir needs a git repository"),
    ],
)
def test_what_cannot_be_fetched_names_its_line(lab, server, words, message):
    lab.refuses(f"FROM busybox\nADD {words.format(url=server[0])}\n", "Dockerfile:2: ", message)


def test_parents_and_excludes_and_modes(lab):
    (lab.context / "deep/er").mkdir(parents=True)
    (lab.context / "deep").chmod(0o700)
    for name in ("deep/er/x.c", "deep/er/x.o", "deep/y.c"):
        (lab.context / name).write_text(name)
    root = lab.root(lab.built(
        "FROM busybox\nCOPY --parents deep/*/x.c deep/./er/x.o /p/\n"
        "COPY --exclude=**/*.o --exclude=deep/y.c --chmod=u=rwX,go=rX . /all/\n"
    ))  # fmt: skip
    names = sorted(str(path.relative_to(root / "p")) for path in (root / "p").rglob("*"))
    assert names == ["deep", "deep/er", "deep/er/x.c", "er", "er/x.o"]
    assert (root / "p/deep").stat().st_mode & 0o777 == 0o700
    assert not (root / "all/deep/er/x.o").exists()
    assert not (root / "all/deep/y.c").exists()
    assert (root / "all/deep").stat().st_mode & 0o777 == 0o755
    assert (root / "all/deep/er/x.c").stat().st_mode & 0o777 == 0o644


def test_hard_links_stay_links_between_stages(lab):
    text = "FROM busybox AS one\nRUN mkdir /d; echo x > /d/a; ln /d/a /d/b\n"
    text += "FROM busybox\nCOPY --from=one /d /d/\n"
    root = lab.root(lab.built(text))
    assert (root / "d/a").stat().st_ino == (root / "d/b").stat().st_ino
    assert subprocess.run(["cmp", root / "d/a", root / "d/b"], check=False).returncode == 0
