"""A note of a build holds as long as the variables that the build looked up have the values that they had."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import again
from runtime import environment
from tests.privileged.test_build_again import AGAIN, NOTHING, ROOT, TEXT, Lab

pytestmark = pytest.mark.privileged

# All that documentation and code name, and what a C library and an interpreter take.
RELEVANT = (
    "SOURCE_DATE_EPOCH", "GIVEN", "ABSENT", "LANG", "LC_ALL", "LANGUAGE", "LD_LIBRARY_PATH", "PYTHONPATH",
    "TZ", "HOME", "GLIBC_TUNABLES", "_TARE_COMPLETE",
)  # fmt: skip
# Per run of a CI, per terminal; and what is only read by a pull, a push, a secret or an agent.
IRRELEVANT = (
    "GITHUB_RUN_ID", "BUILD_NUMBER", "CI_JOB_TOKEN", "SSH_TTY", "TERM", "COLUMNS", "SHLVL", "_", "OLDPWD",
    "DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "https_proxy", "SSH_AUTH_SOCK", "BUILDKIT_PROGRESS",
    "DOCKER_BUILDKIT", "TARE_ROOT", "GITHUB_STEP_SUMMARY",
)  # fmt: skip
OPTIONS = ("--build-arg", "GIVEN", "--build-arg", "ABSENT")
SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
static void told(const char *name) {
    int log = open("LOG", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (log < 0 || write(log, name, strlen(name) + 1) < 0) _exit(99);
    close(log);
}
char *getenv(const char *name) {
    told(name);
    return ((char *(*)(const char *))dlsym(RTLD_NEXT, "getenv"))(name);
}
char *secure_getenv(const char *name) {
    told(name);
    return ((char *(*)(const char *))dlsym(RTLD_NEXT, "secure_getenv"))(name);
}
"""
LOADED = """
import atexit, sys
atexit.register(lambda: open({place!r}, "w").write("\\n".join(
    getattr(each, "__file__", None) or "" for each in list(sys.modules.values()))))
from bench.cli.entry import main; main()
"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.setenv("GIVEN", "a")
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    made = Lab(tmp_path)
    (made.context / "Dockerfile").write_text(f"ARG GIVEN\nARG ABSENT\n{TEXT}RUN true\n")
    return made


def found(lab):
    (note,) = (lab.home / "images/builds").iterdir()
    return again.find(note.name, ["--root", str(lab.home), "image", "build"])


def test_only_what_was_looked_up_matters(lab, monkeypatch):
    digest = lab.noted(*OPTIONS)
    for name in RELEVANT:
        with monkeypatch.context() as patch:
            patch.setenv(name, "1")
            assert found(lab) is None, name
        assert found(lab) == (digest, False)
    for name in IRRELEVANT:
        with monkeypatch.context() as patch:
            patch.setenv(name, "1")
            assert found(lab) == (digest, False), name
            patch.delenv(name)
            assert found(lab) == (digest, False), name
    monkeypatch.delenv("GIVEN")
    assert found(lab) is None


def test_a_first_build_in_one_run_of_a_ci_serves_the_next(lab):
    digest = lab.noted(*OPTIONS)
    assert lab.build(*OPTIONS, GITHUB_RUN_ID="7", TERM="vt100") == (digest, AGAIN)
    for changed in ({"GIVEN": "b"}, {"GIVEN": "b", "SOURCE_DATE_EPOCH": "1000000000"}):
        made, said = lab.build(*OPTIONS, **changed)
        assert NOTHING not in said
        assert lab.build(*OPTIONS, **changed, BUILD_NUMBER="9") == (made, AGAIN)
        assert NOTHING not in lab.build(*OPTIONS)[1]


def test_a_note_tells_no_values(lab):
    lab.noted(*OPTIONS, "--label", "a=b")
    (note,) = (lab.home / "images/builds").iterdir()
    words = note.read_bytes().split(b"\0")
    assert b"GIVEN" in words
    assert not [word for word in words if word.startswith(b"GIVEN=")]
    assert note.parent.stat().st_mode & 0o77 == 0


def test_who_reads_all_has_a_note_for_all(lab, monkeypatch):
    lookups = environment.Lookups()
    lookups.whole = True
    monkeypatch.setattr(again, "command", "0" * 64)
    note = again.Note(str(lab.home / "images"), [str(lab.context / "absent")], lookups)
    monkeypatch.setattr(note, "_began", 1 << 63)
    (entry,) = lab.store.tags.read()
    note.keep("sha256:0", [], [lab.store.entry(str(entry)).decode()], ([], again.Seen([]).digest))
    assert found(lab) == ("sha256:0", False)
    monkeypatch.setenv("GITHUB_RUN_ID", "7")
    assert found(lab) is None


def test_c_code_asks_for_nothing_but_what_always_counts(lab, tmp_path):
    log, source, shim = tmp_path / "log", tmp_path / "shim.c", tmp_path / "shim.so"
    source.write_text(SHIM.replace("LOG", str(log)))
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, source], check=True, timeout=60)
    lab.build()
    lab.build("--iidfile", str(tmp_path / "id"), LD_PRELOAD=str(shim))
    names = set(log.read_text().split("\0")) - {""}
    assert "PYTHONPATH" in names  # the shim works
    assert not {name for name in names if not name.startswith(environment.OF_C)}


def loaded(lab, place):
    """Build with all in the cache; returns the files of ours that this loads."""
    lab.build()
    words = ["--root", str(lab.home), "image", "build", "-t", "made", "--iidfile", str(place / "id")]
    code = LOADED.format(place=str(place / "loaded"))
    subprocess.run([sys.executable, "-c", code, *words, lab.context], cwd=ROOT, check=True, timeout=60)
    files = {Path(line) for line in (place / "loaded").read_text().splitlines() if line}
    return sorted(file for file in files if file.is_relative_to(ROOT) and ".venv" not in file.parts)


def bypasses(tree):
    """Yield what in a module reads the environment where nothing records it."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="os", names=names):
                yield from (each.name for each in names if "env" in each.name)
            case ast.ImportFrom(module="posix") | ast.Import(names=[ast.alias(name="posix")]):
                yield "posix"
            case ast.Attribute(attr="_data" | "unrecorded", value=ast.Attribute(attr="environ")):
                yield node.attr
            case ast.Attribute(attr="getenv", value=value) if ast.unparse(value) != "os":
                yield ast.unparse(node)
            case ast.Constant(value=str(text)) if text.startswith("/proc/") and "environ" in text:
                yield text


def test_no_module_of_a_build_reads_past_the_record(lab, tmp_path):
    files = loaded(lab, tmp_path)
    assert len(files) > 50
    own = Path(environment.__file__)
    for file in files:
        if file != own:
            assert list(bypasses(ast.parse(file.read_text()))) == [], file


def test_a_bypass_is_found():
    for text in (
        "from os import environ", "from os import getenv as g", "import posix", "from posix import environ",
        "os.environ._data", "libc.getenv(b'A')", "open('/proc/self/environ')",
    ):  # fmt: skip
        assert list(bypasses(ast.parse(text))), text
    assert not list(bypasses(ast.parse("os.environ.get('A'); os.getenv('A')")))


def test_unrecorded_reads_are_those_of_looks_and_of_children():
    users = {
        file.relative_to(ROOT).as_posix()
        for file in [*(ROOT / "runtime").rglob("*.py"), *(ROOT / "bench").rglob("*.py")]
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition("environment.")[2] in {"shown", "inherited"}
    }
    assert users == {
        "bench/cli/build.py", "runtime/builder/live.py", "runtime/builder/unprivileged.py",
        "runtime/environment.py",
    }  # fmt: skip
