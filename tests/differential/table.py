"""Writes docs/reference/dockerfile-differential.md from the cases, which the tests hold to be true.

`python -m tests.differential.table` writes it; a test holds the document to it.
"""

from __future__ import annotations

from pathlib import Path

from tests.differential.cases import Case, cases
from tests.differential.explained import ROWS
from tests.differential.package import NAME

DOCUMENT = Path(__file__).parents[2] / "docs/reference/dockerfile-differential.md"
HEAD = f"""# The Dockerfiles of imagebuilder, built by Tare and by buildah

Written by `python -m tests.differential.table` from `tests/differential`; a test fails if this page is
older.

`nox -s differential` builds each Dockerfile of Debian's `{NAME}` with `tare image build` and with `buildah
build` (1.28.2, chroot isolation, `--format docker`), and compares every path's type, mode, owner, link
target, content, hard links, extended attributes, device number and, where it comes from the context or the
base image, its time; and of the configuration environment, command, entry point, user, working directory,
volumes, labels, ports, triggers, stop signal, health check, shell, author and platform. The ordinary tests
build a part of them.

**The base images are stand-ins.** Nothing is fetched: what a Dockerfile calls `centos:7`, `ubuntu:14.04` or
`golang` is Tare's own busybox image with the host's bash, setcap and useradd, some users, and for `golang`
and `nginx` the directories that are copied (`tests/differential/standins.py`). Instructions that need the
network or the real image's programs are left out for both builders, and the table says which. Files that a
Dockerfile copies and the package doesn't have are made, and a server on the loopback stands in for the URLs
of `Dockerfile.add`. Those in `extra/` are Tare's own, for owners, nodes, links, capabilities and names that
the package's don't touch.

"""


def document() -> str:
    """Return the page."""
    found = cases()
    files = {case.file for case in found}
    lines = [f"{len(found)} builds of {len(files)} Dockerfiles: {_counts(found)}.", "", *_rows()]
    lines += ["", "| Dockerfile | how | result |", "|---|---|---|"]
    lines += [f"| `{case.file}` | {_how(case)} | {_result(case)} |" for case in found]
    return HEAD + "\n".join(lines) + "\n"


def _counts(found: list[Case]) -> str:
    refused = sum(bool(case.refused) for case in found)
    apart = sum(bool(case.differs or case.buildah_alone) for case in found)
    return f"{len(found) - refused - apart} the same, {refused} refused by both, {apart} differ"


def _rows() -> list[str]:
    lines = ["| difference | what | Tare | buildah | who is right |", "|---|---|---|---|---|"]
    return lines + [
        f"| {name} | {row.what} | {row.tare} | {row.buildah} | {row.right} |" for name, row in ROWS.items()
    ]


def _how(case: Case) -> str:
    words = [f"`--build-arg {value}`" for value in case.args]
    words += [f"`--target {case.target}`"] if case.target else []
    words += [f"after `{case.start}`"] if case.start else []
    if case.without:
        spans = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in case.without)
        lines = "line" if spans.isdigit() else "lines"
        words.append(f"without {lines} {spans}: {case.reason}")
    return "; ".join(words) or "whole"


def _result(case: Case) -> str:
    if case.refused:
        return f"both refuse it, Tare in line {case.line}"
    if case.buildah_alone:
        return f"{case.buildah_alone}: Tare refuses it"
    return ", ".join(case.differs) or "same"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
