"""ADD of a git repository: `URL[#[REF][:DIRECTORY]]`, a commit that is found first and fetched when needed.

Git itself does it: which transports there are, and who may read what, is its business and its configuration.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BEGINNING = re.compile(r"[0-9a-f]{7,64}")
# Where a hook of git's runs the build, these stand for that repository.
_OF_ANOTHER = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"}
_PATIENCE = 600  # seconds for one command


@dataclass(frozen=True, slots=True)
class Source:
    """What an ADD names; `ref` is a branch, a tag, a full name of either, or a commit, empty for HEAD."""

    url: str
    ref: str = ""
    directory: str = ""

    @classmethod
    def parse(cls, text: str) -> Source:
        """Read `URL#REF:DIRECTORY`; a value error names a part that can't be one."""
        url, _, fragment = text.partition("#")
        ref, _, directory = fragment.partition(":")
        if ref.startswith("-") or any(letter.isspace() or not letter.isprintable() for letter in ref):
            raise ValueError(f"{text}: {ref!r} is no branch, tag or commit")
        return cls(url, ref, directory)


def is_repository(url: str) -> bool:
    """Say whether BuildKit would clone this rather than download it."""
    parts = urlsplit(url)
    return parts.scheme not in {"http", "https"} or parts.path.endswith(".git")


def commit(text: str, checksum: str = "") -> str:
    """Return the commit that is named now; `checksum` is how it has to begin. Raises ValueError."""
    source = Source.parse(text)
    if checksum and not _BEGINNING.fullmatch(checksum):
        raise ValueError(f"--checksum of a repository takes a commit, not {checksum!r}")
    found = source.ref if _COMMIT.fullmatch(source.ref) else _named(source)
    if not found.startswith(checksum):
        raise ValueError(f"{text} is at commit {found}, not {checksum}")
    return found


def _named(source: Source) -> str:
    names = [source.ref, f"{source.ref}^{{}}"] if source.ref else ["HEAD"]
    lines = _git("ls-remote", "--", source.url, *names).splitlines()
    known = {name: found for found, _, name in (line.partition("\t") for line in lines)}
    for name in (f"refs/tags/{source.ref}^{{}}", f"refs/tags/{source.ref}", f"refs/heads/{source.ref}",
                 f"{source.ref}^{{}}", source.ref or "HEAD"):  # fmt: skip
        if name in known:
            return known[name]
    raise ValueError(f"{source.url} has no branch or tag {source.ref or 'HEAD'!r}")


def checked_out(text: str, wanted: str, place: Path, *, keep_git: bool) -> str:
    """Put the files of a commit into the new directory `place`, with those of submodules.

    Returns the path below it that was asked for. Raises ValueError.
    """
    source = Source.parse(text)
    inside = ("-C", str(place))
    _git("init", "--quiet", "--template=", str(place))
    _git(*inside, "remote", "add", "origin", source.url)
    try:
        _git(*inside, "fetch", "--quiet", "--depth=1", "origin", wanted)
    except ValueError:  # a server that gives whole names only, or can't cut a history short
        _git(*inside, "fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
    _git(*inside, "checkout", "--quiet", "--detach", wanted)
    _git(*inside, "submodule", "--quiet", "update", "--init", "--recursive", "--depth=1")
    if not keep_git:
        for path in (place / ".git", *place.rglob(".git")):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    return f"/{source.directory.strip('/')}"


def _git(*words: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if name not in _OF_ANOTHER}
    environment = {**inherited, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(["git", *words], check=False, capture_output=True, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, env=environment, timeout=_PATIENCE,
                              umask=0o022)  # fmt: skip
    except FileNotFoundError as err:
        raise ValueError("to add a repository, install git") from err
    except subprocess.TimeoutExpired as err:
        raise ValueError(f"git {words[0]} does not end within {_PATIENCE} s") from err
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["(silent)"]
        raise ValueError(f"git says: {said[0].removeprefix('fatal: ')[:300]}")
    return done.stdout
