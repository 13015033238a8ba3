"""Why a tree or a configuration may differ: each row of the table, and the lines that it is about."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """An explanation; `lines` matches what `observed.differences` says of it."""

    what: str
    tare: str
    buildah: str
    right: str
    lines: str = r"(?!)"


# Of every build with a RUN: what the isolation leaves.
PLACES = re.compile(r"etc/(hostname|resolv\.conf): nothing, not .*'content': 'e3b0c44298fc1c14.*")
ROWS = {
    "mount places": Row(
        "`/etc/hostname` and `/etc/resolv.conf` after a `RUN`",
        "not there, as in the base image",
        "empty files of mode 0755",
        "Tare: no instruction made them; they are where buildah's isolation mounts the host's",
        PLACES.pattern,
    ),
    "volume made": Row(
        "`VOLUME` of a directory that isn't there",
        "only the configuration names it",
        "makes the directory",
        "Tare: the reference has no such effect, and docker's classic builder makes no layer for it",
        r"(opt|usr/share|var/lib|var/log/apache2)\S*: nothing, not \{'mode': 'drwxr-xr-x', 'owner': '0:0'\}",
    ),
    "volume written": Row(
        "what a `RUN` writes below a `VOLUME` declared before it",
        "stays",
        "goes",
        "Tare: the reference says that BuildKit keeps it and the legacy builder discards it",
        r"var/\S+/(file3|emptyfile): \{.*\}, not nothing",
    ),
    "backslash": Row(
        "a backslash in `ENV` after `` # escape=` ``",
        r"stays (`\go`)",
        "goes (`go`)",
        "Tare: it is an ordinary letter then; docker's classic builder says the same",
        r"Env: GOPATH: '\\\\go', not 'go'",
    ),
    "hard link": Row(
        "a `RUN` changes a file that has two names since an earlier `RUN`",
        "the name that it changes is a file of its own from then on",
        "both names are still one file",
        "the reference is silent; it is how the kernel's overlayfs copies a file up, as in docker's "
        "overlay2; buildah works on a whole copy here (its storage driver is vfs)",
        r"d/a: linked: None, not 'd/a'|d/b: (linked|mode|security\.capability|time): .*",
    ),
    "escape token": Row(
        "`` # escape = `` `` (two letters)",
        "refuses it by line",
        "builds",
        "Tare: one of two letters is allowed; BuildKit's parser refuses it too",
    ),
}


def unexplained(lines: list[str], rows: tuple[str, ...]) -> list[str]:
    """Return what none of the rows is about; a row that nothing is about is in it, too."""
    left = [line for line in lines if not PLACES.fullmatch(line)]
    for name in rows:
        found = [line for line in left if re.fullmatch(ROWS[name].lines, line)]
        left = [line for line in left if line not in found] if found else [*left, f"no {name!r} any more"]
    return left
