"""A build that would change nothing is answered from a note; whatever differs leads to the ordinary build."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.cli import again
from bench.cli.context import Context
from runtime.builder import shelf
from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store

pytestmark = pytest.mark.privileged
ROOT = Path(__file__).resolve().parents[2]
TARE = [sys.executable, "-c", "from bench.cli.entry import main; main()"]
TEXT = "FROM busybox\nCOPY sub /sub\nCOPY a /a\n"
NOTHING = "nothing has changed"
AGAIN = f"{NOTHING} since the last build: every step is cached\n"


class Lab:
    """A context, and a store with busybox."""

    def __init__(self, place):
        self.home, self.context = place / "home", place / "context"
        (self.context / "sub").mkdir(parents=True)
        (self.context / "sub/x").write_text("x")
        (self.context / "a").write_text("a")
        (self.context / "Dockerfile").write_text(TEXT)
        self.store = Store(self.home / "images")
        bootstrap(self.store, "busybox")

    def build(self, *options, **environment):
        """Build; returns the digest and what was said."""
        done = subprocess.run(
            [*TARE, "--root", str(self.home), "image", "build", "-t", "made", *options, str(self.context)],
            cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
            timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip(), done.stderr

    def noted(self, *options):
        """Build until there is a note, and see that it is used; returns the digest."""
        time.sleep(1.1)  # what is younger than a second is not noted
        digest, said = self.build(*options)
        assert NOTHING not in said
        assert self.build(*options) == (digest, AGAIN)
        return digest


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path)


def edited(path):
    """Another content of the same size, and the old time put back, as a careful tool would."""
    before = path.stat()
    path.write_text("b")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path):
    path.with_name("new").write_text("a")
    path.with_name("new").rename(path)


FILES = {
    "edited": edited,
    "replaced": replaced,
    "mode": lambda path: path.chmod(0o600),
    "more": lambda path: path.with_name("y").write_text("y"),
    "less": Path.unlink,
    "a directory": lambda path: (path.parent / "new").mkdir(),
    "a link instead": lambda path: (path.unlink(), path.symlink_to("y")),
}


@pytest.mark.parametrize("change", FILES)
def test_a_file_that_changed_is_seen(tmp_path, change):
    path = tmp_path / "context/sub/x"
    path.parent.mkdir(parents=True)
    path.write_text("a")
    roots = [str(tmp_path / "context"), str(tmp_path / "absent")]
    before = [again.Seen(roots, contents=each).digest for each in (False, True)]
    assert [again.Seen(roots, contents=each).digest for each in (False, True)] == before
    time.sleep(0.02)  # a tick of the file system's clock
    FILES[change](path)
    assert again.Seen(roots).digest != before[0]
    # A COPY of a file that was replaced by an equal one is the same COPY.
    assert (again.Seen(roots, contents=True).digest == before[1]) == (change == "replaced")


def test_times_and_owners_are_no_content(tmp_path):
    path = tmp_path / "x"
    path.write_text("a")
    before = again.Seen([str(tmp_path)], contents=True).digest
    os.chown(path, 7, 7)
    os.utime(path, (1, 1))
    assert again.Seen([str(tmp_path)], contents=True).digest == before


def test_a_file_that_was_absent_is_seen(tmp_path):
    before = again.Seen([str(tmp_path / "absent")]).digest
    (tmp_path / "absent").touch()
    assert again.Seen([str(tmp_path / "absent")]).digest != before


def test_too_much_to_look_at_is_no_note(tmp_path, monkeypatch):
    for number in range(9):
        (tmp_path / str(number)).write_text("a")
    with monkeypatch.context() as patch, pytest.raises(again.Unknowable):
        patch.setattr(again, "_MOST", 5)
        again.Seen([str(tmp_path)])
    with monkeypatch.context() as patch, pytest.raises(again.Unknowable):
        patch.setattr(again, "_MOST_BYTES", 5)
        again.Seen([str(tmp_path)], contents=True)


TEXTS = {
    "copies": TEXT,
    "a command": "FROM busybox\nRUN date > /now; head -c 9 /dev/urandom > /chance\n",
    "a command that changes nothing": "FROM busybox\nRUN true\nCMD true\n",
    "settings alone": "FROM busybox\nENV A=b\nLABEL c=d\n",
    "from nothing": "FROM scratch\nCOPY a /\n",
    "stages": "FROM busybox AS one\nRUN date > /x\nFROM busybox\nCOPY --from=one /x /\nCOPY --link a /\n",
}


@pytest.mark.parametrize("text", TEXTS)
def test_the_note_of_a_first_build_says_what_a_second_finds(lab, text):
    (lab.context / "Dockerfile").write_text(TEXTS[text])
    digest = lab.noted()
    (note,) = (lab.home / "images/builds").iterdir()
    note.unlink()
    found, said = lab.build()
    assert NOTHING not in said
    assert found == digest


@pytest.mark.parametrize("base", ["made", "docker.io/library/made:latest"])
def test_an_image_that_is_named_as_its_base_is_never_noted(lab, base):
    lab.store.tag("busybox", "made")
    (lab.context / "Dockerfile").write_text(f"FROM {base}\nRUN echo x >> /x\n")
    time.sleep(1.1)
    digests = {lab.build()[0] for _ in range(3)}
    assert len(digests) == 3
    root = lab.store.checkout(lab.store.resolve("made"))
    assert (root / "x").read_text() == "x\n" * 3


def test_a_base_that_moved_meanwhile_is_seen(lab):
    lab.noted()
    lab.store.tag("made", "busybox")
    digest, said = lab.build()
    assert NOTHING not in said
    assert len(lab.store.resolve(digest).layers) == 5


def test_names_that_a_build_did_not_use_do_not_matter(lab):
    digest = lab.noted()
    lab.store.tag("busybox", "another:1")
    assert lab.build() == (digest, AGAIN)


@pytest.mark.parametrize("how", ["digest", "digits"])
def test_a_base_by_its_digest(lab, how):
    digest = lab.store.resolve("busybox").digest
    name = f"busybox@{digest}" if how == "digest" else digest.hex[:12]
    (lab.context / "Dockerfile").write_text(f"FROM {name}\nCOPY a /\n")
    time.sleep(1.1)
    lab.build()
    # Digits may come to stand for more than one image.
    assert (NOTHING in lab.build()[1]) == (how == "digest")


def test_new_times_alone_are_no_change(lab):
    digest = lab.noted()
    touch(lab)
    assert lab.build() == (digest, AGAIN)


def touch(lab):
    for path in lab.context.rglob("*"):
        path.touch()


def test_a_large_context_is_not_read_again(lab):
    with (lab.context / "sub/large").open("wb") as file:
        file.truncate(again._MOST_BYTES)
    lab.noted()
    touch(lab)
    assert NOTHING not in lab.build()[1]


CHANGES = {
    "file": lambda lab: edited(lab.context / "a"),
    "name": lambda lab: lab.store.remove("made"),
    "blob": lambda lab: lab.store.blobs.remove(lab.store.resolve("made").layers[-1].digest),
    "cache": lambda lab: shelf.forget(lab.store, lab.home),
}


def test_what_differs_is_seen(lab):
    lab.noted()
    for change in CHANGES.values():
        change(lab)
        found, said = lab.build()
        assert NOTHING not in said
        assert lab.store.resolve("made").digest == found
        root = lab.store.checkout(lab.store.resolve("made"))
        assert (root / "a").read_text() == (lab.context / "a").read_text()
        time.sleep(1.1)
        lab.build()
        assert NOTHING in lab.build()[1]


@pytest.mark.parametrize("options", ["--no-cache-filter 0", "--iidfile {}/id"])
def test_a_build_that_does_more_is_never_answered(lab, options):
    words = options.format(lab.home).split()
    lab.build(*words)
    time.sleep(1.1)
    lab.build(*words)
    assert NOTHING not in lab.build(*words)[1]


def test_a_step_that_another_build_made_anew_is_seen(lab):
    (lab.context / "Dockerfile").write_text("FROM busybox\nRUN head -c 9 /dev/urandom > /chance\n")
    old = lab.noted()
    new, _ = lab.build("--no-cache", "-t", "another")
    found, said = lab.build()
    assert NOTHING not in said
    assert found == new != old


@pytest.mark.parametrize("words", [["-f", "/dev/stdin", "."], ["-"]])
def test_what_comes_through_a_pipe_is_read_each_time(lab, tmp_path, words):
    (tmp_path / "-").mkdir()  # a directory of this name is not what is meant by it
    for value in ("1", "2"):
        text = f"FROM busybox\nENV A={value}\n"
        # The pipe is older than a second when the build begins.
        done = subprocess.run(
            ["sh", "-c", f"printf '{text}' | (sleep 1.2; exec \"$@\")", "sh", sys.executable, "-c",
             f"import sys; sys.path.insert(0, {str(ROOT)!r}); {TARE[2]}",
             "--root", str(lab.home), "image", "build", "-t", "made", *words],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert f"A={value}" in lab.store.resolve("made").config.env
        assert NOTHING not in done.stderr


@pytest.mark.parametrize("words", ["-q", "--quiet", "-qt also", "--progress quiet", "--progress=quiet"])
def test_a_quiet_build_stays_quiet(lab, words):
    time.sleep(1.1)
    assert {lab.build(*words.split())[1] for _ in range(3)} == {""}
    assert list((lab.home / "images/builds").iterdir())  # the later ones were answered from it


def test_what_was_just_written_is_not_noted(lab):
    for _ in range(2):
        (lab.context / "a").write_text("a")
        os.utime(lab.context / "a", (time.time() + 30,) * 2)  # however long the build takes to begin
        lab.build()
        assert not list((lab.home / "images/builds").glob("*"))


def test_a_damaged_note_is_none(lab):
    digest = lab.noted()
    (note,) = (lab.home / "images/builds").iterdir()
    words = ["--root", str(lab.home), "image", "build"]
    assert again.find(note.name, words) == (digest, False)
    for damage in (b"", again._FORMAT.encode() + b"\0", b"\xff\0" * 9, note.read_bytes()[:-3]):
        note.write_bytes(damage)
        assert again.find(note.name, words) is None


@pytest.mark.parametrize("words", [["--root", "/x/y"], ["--root=/x/y"], ["--root", "relative"], []])
@pytest.mark.parametrize("environment", [{}, {"TARE_ROOT": "/t"}, {"XDG_DATA_HOME": "/d"}])
def test_the_note_is_looked_for_where_the_data_is(words, environment, monkeypatch):
    for name in ("TARE_ROOT", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    given = words[-1].removeprefix("--root=") if words else environment.get("TARE_ROOT")
    context = Context.at(Path(given) if given else None)
    assert again._data([*words, "image", "build", "."]) == str(context.data)
