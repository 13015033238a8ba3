"""`ADD` of git repositories, from git's own server and from one that only has files (no shallow fetches)."""

import http.server
import os
import socket
import subprocess
import threading
import time
from functools import partial

import pytest

pytestmark = pytest.mark.privileged
PERSON = {
    f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


class Served:
    """A repository `project.git` with two commits, a tag and a branch, at `url`."""

    def __init__(self, place):
        self.place, self.bare, self.work = place, place / "project.git", place / "work"
        self.url = ""
        self.git("init", "-q", "-b", "main", str(self.work))
        (self.work / "sub").mkdir()
        (self.work / "sub/tool").write_text("first")
        (self.work / "sub/tool").chmod(0o755)
        (self.work / "README").write_text("first")
        self.first = self.commit(self.work)
        self.git("-C", str(self.work), "tag", "-a", "v1", "-m", "one")
        self.git("-C", str(self.work), "branch", "old")
        (self.work / "README").write_text("second")
        self.second = self.commit(self.work)
        self.git("clone", "-q", "--bare", str(self.work), str(self.bare))
        self.publish()

    def git(self, *words):
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *words], check=True, capture_output=True, text=True,
            env={**os.environ, **PERSON},
        )  # fmt: skip
        return done.stdout.strip()

    def commit(self, where):
        self.git("-C", str(where), "add", "-A")
        self.git("-C", str(where), "commit", "-q", "-m", "x")
        return self.git("-C", str(where), "rev-parse", "HEAD")

    def publish(self):
        self.git("-C", str(self.work), "push", "-q", "--all", str(self.bare))
        self.git("-C", str(self.bare), "update-server-info")


@pytest.fixture(params=["git", "http"])
def served(request, tmp_path):
    made = Served(tmp_path)
    if request.param == "http":
        handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
            threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05}).start()
            made.url = f"http://127.0.0.1:{web.server_port}/project.git"
            yield made
            web.shutdown()
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        "git",
        "daemon",
        "--export-all",
        "--listen=127.0.0.1",
        f"--port={port}",
        f"--base-path={tmp_path}",
    ]
    daemon = subprocess.Popen([*words, str(tmp_path)], stderr=subprocess.DEVNULL)
    made.url = f"git://127.0.0.1:{port}/project.git"
    while subprocess.run(["git", "ls-remote", made.url], check=False, capture_output=True).returncode:
        assert daemon.poll() is None
        time.sleep(0.02)
    yield made
    daemon.terminate()
    daemon.wait()


def test_what_a_name_stands_for(lab, served):
    url = served.url
    root = lab.root(lab.built(
        f"FROM busybox\nADD {url} /head\nADD {url}#v1 /tag/\nADD {url}#old:sub /part/\n"
        f"ADD {url}#{served.first} /commit\nADD --checksum={served.second[:12]} {url}#main /sum\n"
        f"ADD --keep-git-dir=true --chown=7:8 {url}#main /kept/\nADD --exclude=sub {url} /without/\n"
        f"RUN mkdir /there\nADD {url}#refs/heads/old /there\n"
    ))  # fmt: skip
    said = {name: (root / name / "README").read_text() for name in
            ("head", "tag", "commit", "sum", "kept", "without", "there")}  # fmt: skip
    firsts = ("tag", "commit", "there")
    assert said == {name: "first" if name in firsts else "second" for name in said}
    assert [path.name for path in (root / "part").iterdir()] == ["tool"]
    assert (root / "part/tool").stat().st_mode & 0o7777 == 0o755
    assert (root / "kept/README").stat().st_uid == 7
    assert (root / "head/README").stat().st_uid == 0
    assert (root / "kept/.git/HEAD").exists()
    assert not (root / "head/.git").exists()
    assert not (root / "without/sub").exists()
    assert not any((lab.home / "scratch").iterdir())


def test_a_branch_that_moved_makes_the_step_anew_and_nothing_else(lab, served):
    text = f"FROM busybox\nADD {served.url}#main /head\nADD {served.url}#v1 /tag\n"
    lab.built(text)
    assert lab.build(text).stderr.count(" cached") == 2
    (served.work / "README").write_text("third")
    served.commit(served.work)
    served.publish()
    done = lab.build(text)
    assert done.stderr.count(" cached") == 0  # the second ADD is on top of the first
    assert (lab.root(lab.store.resolve(done.stdout.strip())) / "head/README").read_text() == "third"


@pytest.mark.parametrize(("words", "message"), [
    ("{url}#nosuch /", "has no branch or tag 'nosuch'"),
    ("--checksum=0000000 {url} /", "is at commit"),
    ("--checksum=sha256:00 {url} /", "takes a commit"),
    ("{url}#main:nosuch /", "nosuch is not in"),
])  # fmt: skip
def test_what_is_not_there_names_its_line(lab, served, words, message):
    lab.refuses(f"FROM busybox\nADD {words.format(url=served.url)}\n", "Dockerfile:2: ", message)
