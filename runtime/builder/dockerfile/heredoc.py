"""Here-documents: `<<EOF`, `<<-EOF` (leading tabs go), `<<"EOF"` (no variables), `3<<EOF`, several in a line.

BuildKit takes a word of ADD, COPY or RUN for one if it is digits, `<<`, an optional `-` and a single word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from runtime.builder.dockerfile.expansion import ExpansionError, Lexer

_START = re.compile(r"(\d*)<<(-?)([^<]*)", re.ASCII)
_RAW = Lexer(raw_quotes=True, raw_escapes=True, keep_unset=True)
_COOKED = Lexer(raw_escapes=True, keep_unset=True)


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A here-document.

    `content` has all lines as written; `text` is what a file made of it holds before variables are expanded.
    """

    name: str
    descriptor: int
    expand: bool
    chomp: bool
    content: str = ""

    @property
    def text(self) -> str:
        """The content, without leading tabs if it began with `<<-`."""
        return re.sub(r"(?m)^\t+", "", self.content) if self.chomp else self.content

    def ends(self, line: str) -> bool:
        """Say whether this physical line is the terminator."""
        line = line.rstrip("\r\n")
        return (line.lstrip("\t") if self.chomp else line) == self.name


def starts_in(line: str) -> list[Heredoc]:
    """Return the here-documents that an instruction's line starts, in order."""
    try:
        words = _RAW.words(line, {})
    except ExpansionError:
        return []
    return [found for word in words if (found := start(word))]


def start(word: str) -> Heredoc | None:
    """Return the here-document that one word starts, without content."""
    match = _START.fullmatch(word)
    if match is None or not match[3]:
        return None
    try:
        name, raw = _COOKED.words(match[3], {}), _RAW.words(match[3], {})
    except ExpansionError:
        return None
    if len(name) != 1:
        return None
    descriptor = int(match[1][:9] or "0")
    return Heredoc(name[0], descriptor, expand=name == raw, chomp=match[2] == "-")
