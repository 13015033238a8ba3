"""Writes docs/reference/oci-conformance.md from the decorators of the tests and the stored verdicts.

`python -m tests.conformance.table` writes it; a test holds the document to it.
"""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.conformance.uncovered import NOT_TESTED

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs/reference/oci-conformance.md"
RUNTIMES = ("runc", "crun", "tare-oci")

HEAD = """# Conformance with the OCI runtime specification

Written by `python -m tests.conformance.table` from the tests of `tests/conformance` and from what their last
runs found (`tests/conformance/verdicts`); a test fails if this page is older than either.

The suite is black box and runs over any runtime, as root:

    .venv/bin/pytest tests/conformance --oci-runtime=$(command -v runc)
    .venv/bin/pytest tests/conformance --oci-verdicts=tests/conformance/verdicts
    .venv/bin/python -m tests.conformance.table

Without `--oci-runtime` or `TARE_OCI_RUNTIME` it is `tare-oci` of the same environment. On a host with both
cgroup versions crun needs a mount namespace without the second:
`unshare -m sh -c 'umount /sys/fs/cgroup/unified; …'`.

The words are short quotations, or the sense, of versions 1.1 and 1.2; "command line" is what runc does and
mostly crun too, which engines rely on, and is of no specification. A runtime of an older version can't know
what a later one added; it counts as not met all the same. Deviations are kept in
`tests/conformance/deviations.py` and are strict: a test that unexpectedly passes fails the run.

"""


@dataclass(frozen=True)
class Row:
    """One sentence and the test that is there for it."""

    section: str
    words: str
    file: str
    test: str

    @property
    def key(self) -> str:
        return f"{self.file}::{self.test}"


def rows() -> list[Row]:
    """Every decorated test, in the order of the files."""
    return [row for path in sorted(HERE.glob("test_*.py")) for row in _rows_of(path)]


def _rows_of(path: Path) -> Iterator[Row]:
    for node in ast.parse(path.read_text()).body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for call in node.decorator_list:
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "must":
                section, words = (ast.literal_eval(argument) for argument in call.args)
                yield Row(section, words, path.name, node.name)


def stored() -> dict[str, dict[str, Any]]:
    """The verdicts of each runtime that was run."""
    paths = {name: HERE / "verdicts" / f"{name}.json" for name in RUNTIMES}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def cell(found: dict[str, Any] | None, key: str) -> str:
    """What the table says of one test with one runtime."""
    if found is None or key not in found["tests"]:
        return "not run"
    entry = found["tests"][key]
    return f"{entry['verdict']}: {entry['why']}" if entry["why"] else str(entry["verdict"])


def document() -> str:
    """The whole page."""
    found, all_rows = stored(), rows()
    return HEAD + _summary(found, all_rows) + _sections(found, all_rows) + _untested()


def _summary(found: dict[str, dict[str, Any]], all_rows: list[Row]) -> str:
    lines = ["| runtime | met | not met | not applicable | not run |", "|---|---|---|---|---|"]
    for name in RUNTIMES:
        words = [cell(found.get(name), row.key) for row in all_rows]
        kinds = ("met", "not met", "not applicable", "not run")
        counts = [sum(word.partition(":")[0] == kind for word in words) for kind in kinds]
        label = f"{name} {found[name]['version']}" if name in found else name
        lines.append(f"| {label} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines) + "\n\n"


def _sections(found: dict[str, dict[str, Any]], all_rows: list[Row]) -> str:
    text = ""
    for section in sorted({row.section for row in all_rows}):
        text += (
            f"## {section}\n\n| MUST | test | "
            + " | ".join(RUNTIMES)
            + " |\n|---|---|"
            + "---|" * len(RUNTIMES)
        )
        for row in (row for row in all_rows if row.section == section):
            cells = [
                _safe(row.words),
                f"`{row.key}`",
                *(_safe(cell(found.get(name), row.key)) for name in RUNTIMES),
            ]
            text += "\n| " + " | ".join(cells) + " |"
        text += "\n\n"
    return text


def _untested() -> str:
    lines = ["## Not tested", "", "| MUST | section | reason |", "|---|---|---|"]
    lines += [f"| {_safe(words)} | {section} | {_safe(reason)} |" for section, words, reason in NOT_TESTED]
    return "\n".join(lines) + "\n"


def _safe(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


if __name__ == "__main__":
    DOCUMENT.write_text(document())
