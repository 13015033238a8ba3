"""Path patterns: Go's filepath.Match, and the `**` that .dockerignore adds to it.

`*` and `?` don't match a slash, `[a-z]` and `[^a-z]` are classes, a backslash takes the next letter as it is.
"""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"[*?\[\\]")
_LETTER = r"(?:\\.|[^\\\]-])"
_CLASS = re.compile(rf"\[(\^?)((?:{_LETTER}(?:-{_LETTER})?)+)\]", re.DOTALL)
_RANGE = re.compile(rf"({_LETTER})(?:-({_LETTER}))?", re.DOTALL)
_DOUBLE = re.compile(r"(?:\*\*/)*\*\*/?")


def is_pattern(text: str) -> bool:
    """Say whether a text has anything that is not simply itself."""
    return _SPECIAL.search(text) is not None


def path_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of filepath.Match; a value error names a pattern that is not valid."""
    return _compiled(pattern, double=False)


def ignore_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of .dockerignore: `**` matches any number of directories."""
    rest = pattern[2:]
    # `**` and plain letters means "ends with": `**.o` matches a/b.o, which the general rule would not.
    if pattern.startswith("**") and rest and rest[0] != "/" and not is_pattern(rest) and "]" not in rest:
        return re.compile(r"(?s:.*)" + re.escape(rest))
    return _compiled(pattern, double=True)


def _compiled(pattern: str, *, double: bool) -> re.Pattern[str]:
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        part, at = _part(pattern, at, double=double)
        if part != "[^/]*" or parts[-1:] != [part]:
            parts.append(part)
    return re.compile("(?s:" + "".join(parts) + ")")


def _part(pattern: str, at: int, *, double: bool) -> tuple[str, int]:
    """Return the expression for what stands at a place, and the place after it."""
    letter = pattern[at]
    if letter == "*":
        match = _DOUBLE.match(pattern, at) if double else None
        if match is None:
            return "[^/]*", at + 1
        return (".*" if match.end() == len(pattern) else "(?:.*/)?"), match.end()
    if letter == "?":
        return "[^/]", at + 1
    if letter == "[":
        return _class(pattern, at, double=double)
    if letter == "\\":
        if at + 1 == len(pattern):
            raise _bad(pattern)
        return re.escape(pattern[at + 1]), at + 2
    return re.escape(letter), at + 1


def _class(pattern: str, at: int, *, double: bool) -> tuple[str, int]:
    match = _CLASS.match(pattern, at)
    if match is None:
        raise _bad(pattern)
    ranges = [(low[-1], (high or low)[-1]) for low, high in _RANGE.findall(match[2])]
    if double and any(low > high for low, high in ranges):
        raise _bad(pattern)
    body = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in ranges if low <= high)
    if not body:
        return ("[^/]" if match[1] else r"(?!)"), match.end()
    # In .dockerignore a negated class matches the slash too, in filepath.Match no class does.
    return ("" if double else "(?!/)") + f"[{match[1]}{body}]", match.end()


def _bad(pattern: str) -> ValueError:
    return ValueError(f"syntax error in pattern {pattern!r}")
