""".dockerignore: which files of a context nobody sees.

The last pattern that matches decides, `!` takes a file back in, and a pattern that matches a directory holds
for all below it, so each path is judged together with its parents (docker's build context reference).
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from runtime.builder import wildcards
from runtime.builder.dockerfile.space import SPACES
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from pathlib import Path

_LARGEST = 4 << 20


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line: `text` is cleaned and relative, `negated` takes matching paths back in."""

    text: str
    negated: bool
    expression: re.Pattern[str]

    def could_match_below(self, directory: str) -> bool:
        """Say whether a path under `directory` may match, so that it has to be walked."""
        mine, theirs = self.text.split("/"), directory.split("/")
        for part, name in zip(mine, theirs, strict=False):
            if "**" in part:
                return True
            if not wildcards.is_pattern(part) and part != name:
                return False
        return len(mine) > len(theirs)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a path is ignored, and which patterns matched it or one of its parents."""

    ignored: bool
    matched: tuple[bool, ...]


class Ignore:
    """The patterns of a file, in order; a value error names one that is not valid."""

    def __init__(self, lines: list[str]) -> None:
        found = (_pattern(line) for line in lines)
        self.patterns = [pattern for pattern in found if pattern]

    def judge(self, path: str, parent: Verdict | None) -> Verdict:
        """Judge a path relative to the context, given the verdict on its directory (None at the top)."""
        inherited = parent.matched if parent else (False,) * len(self.patterns)
        ignored, matched = False, []
        for pattern, above in zip(self.patterns, inherited, strict=True):
            # A pattern that could not change the verdict counts as no match, also for what lies below.
            match = above or (pattern.negated == ignored and bool(pattern.expression.fullmatch(path)))
            ignored = not pattern.negated if match else ignored
            matched.append(match)
        return Verdict(ignored, tuple(matched))

    def ignores(self, path: str) -> bool:
        """Judge a path together with all its directories."""
        verdict: Verdict | None = None
        names = path.split("/")
        for depth in range(1, len(names) + 1):
            verdict = self.judge("/".join(names[:depth]), verdict)
        return bool(verdict and verdict.ignored)

    def prunes(self, directory: str) -> bool:
        """Say whether nothing below an ignored directory can come back."""
        return not any(each.negated and each.could_match_below(directory) for each in self.patterns)


def load(context: Path, dockerfile: Path | None = None) -> Ignore:
    """Read DOCKERFILE.dockerignore if there is one, else the context's .dockerignore, else nothing."""
    own = dockerfile.with_name(dockerfile.name + ".dockerignore") if dockerfile else None
    for path in (own, context / ".dockerignore"):
        if path is not None and path.is_file():
            return _read(path)
    return Ignore([])


def _read(path: Path) -> Ignore:
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise RuntimeFault(f"{path} is larger than {_LARGEST >> 20} MiB", kind="usage")
    try:
        return Ignore(data.decode("utf-8-sig", "surrogateescape").split("\n"))
    except ValueError as err:
        raise RuntimeFault(f"{path}: {err}", kind="usage") from err


def _pattern(line: str) -> Pattern | None:
    if line.startswith("#") or not (text := line.strip(SPACES)):
        return None
    negated = text.startswith("!")
    text = text[negated:].strip(SPACES)
    if not text:
        raise ValueError(f"nothing to take back in: {line!r}")
    # normpath keeps two leading slashes, which POSIX allows to mean something; here they don't.
    text = posixpath.normpath("/" + text.lstrip("/") if text.startswith("/") else text)
    text = text[1:] if text.startswith("/") and len(text) > 1 else text
    return Pattern(text, negated, wildcards.ignore_pattern(text))
