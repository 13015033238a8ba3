"""Every way in which a process reads its environment is seen."""

import json
import subprocess
import sys

import pytest

_TEXT = """
import json, os, posixpath, shutil, sys, tempfile
from pathlib import Path
from urllib.request import getproxies_environment
from runtime import environment
environment.shown("BEFORE")
lookups = environment.record()
{}
print(json.dumps([sorted(lookups.names), lookups.whole]))
"""
NAMED = {
    "index": ('os.environ["A"]', ["A"]),
    "absent": ('os.environ.get("ABSENT")', ["ABSENT"]),
    "in": ('"ABSENT" in os.environ', ["ABSENT"]),
    "getenv": ('os.getenv("A")', ["A"]),
    "bytes": ('os.environb[b"A"]; os.getenvb(b"ABSENT")', ["A", "ABSENT"]),
    "set and read": ('os.environ["A"] = "c"; assert os.environ["A"] == os.getenv("A") == "c"', ["A"]),
    "the standard library": ("Path.home()", ["HOME"]),
    "a program": ('shutil.which("sh")', ["PATH"]),
    "a temporary directory": ("tempfile.gettempdir()", ["TEMP", "TMP", "TMPDIR"]),
    "what is shown": ('assert environment.shown("A") == "b"; environment.shown("ABSENT")', []),
    "what children are given": ('assert {**environment.inherited()}["A"] == "b"', []),
    "a program to execute": ("os.get_exec_path()", ["PATH"]),
}
WHOLE = {
    "copy": "os.environ.copy()",
    "unpacked": "{**os.environ}",
    "items": "list(os.environ.items())",
    "union": "os.environ | {}",
    "text": "str(os.environ)",
    "number": "len(os.environ)",
    "bytes": "list(os.environb)",
    "proxies": "getproxies_environment()",
}


def seen(code):
    environment = {"A": "b", "HOME": "/h", "PATH": "/usr/bin:/bin", "TMPDIR": "/tmp"}
    words = [sys.executable, "-c", _TEXT.format(code)]
    done = subprocess.run(words, env=environment, capture_output=True, check=True, timeout=30)
    return json.loads(done.stdout)


@pytest.mark.parametrize("way", NAMED)
def test_what_is_looked_up_by_name_is_recorded(way):
    code, names = NAMED[way]
    assert seen(code) == [names, False]


@pytest.mark.parametrize("way", WHOLE)
def test_who_reads_all_depends_on_all(way):
    assert seen(WHOLE[way])[1]


def test_what_a_process_sets_is_not_what_it_was_given():
    code = 'os.environ["A"] = "c"; assert lookups.before["A"] == "b"; os.environ["A"]'
    assert seen(code) == [["A"], False]
