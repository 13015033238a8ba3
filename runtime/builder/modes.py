"""--chmod: an octal mode, or chmod(1)'s symbolic one (POSIX, chmod, "Extended Description")."""

from __future__ import annotations

import re

_LARGEST = 0o7777
_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)")
_ACTION = re.compile(r"([-+=])([ugo]|[rwxXst]*)")
_SHIFT = {"u": 6, "g": 3, "o": 0}
_SPECIAL = {"u": 0o4000, "g": 0o2000, "o": 0o1000}


def changed(text: str, mode: int, *, directory: bool = False) -> int:
    """Return `mode` after a change; nothing changes nothing. A value error says what is no mode."""
    if not text:
        return mode
    if set(text) <= set("01234567") and int(text, 8) <= _LARGEST:
        return int(text, 8)
    clauses = [_CLAUSE.fullmatch(clause) for clause in text.split(",")]
    if not all(clauses):
        raise ValueError(f"--chmod takes a mode such as 755 or u=rwX,go=rX, not {text!r}")
    for clause in clauses:
        for sign, what in _ACTION.findall(clause[2]) if clause else ():
            mode = _applied(mode, (clause[1] if clause else "") or "a", sign, what, directory=directory)
    return mode


def _applied(mode: int, who: str, sign: str, what: str, *, directory: bool) -> int:
    whom = "ugo" if "a" in who else who
    for one in dict.fromkeys(whom):
        bits = _bits(mode, one, what, directory=directory)
        if sign == "-":
            mode &= ~bits
        else:
            cleared = 0o7 << _SHIFT[one] | _SPECIAL[one] if sign == "=" else 0
            mode = mode & ~cleared | bits
    return mode


def _bits(mode: int, one: str, what: str, *, directory: bool) -> int:
    """Return the bits of one class that the letters stand for."""
    if what in _SHIFT:
        return (mode >> _SHIFT[what] & 0o7) << _SHIFT[one]
    found = 0
    for letter in what:
        if letter in "rwx" or (letter == "X" and (directory or mode & 0o111)):
            found |= {"r": 4, "w": 2, "x": 1, "X": 1}[letter] << _SHIFT[one]
        elif (letter == "s" and one in "ug") or (letter == "t" and one == "o"):
            found |= _SPECIAL[one]
    return found
