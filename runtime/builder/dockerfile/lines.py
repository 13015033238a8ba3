"""Physical lines joined into instructions: comments, continuation lines, here-document bodies.

As BuildKit's parser does it: a comment or an empty line inside a continued instruction is skipped without
ending it, and an escape character before the end of the line (blanks may follow) continues it unless it is
itself preceded by one.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from runtime.builder.dockerfile.directives import DirectiveReader
from runtime.builder.dockerfile.position import DockerfileFault, Position
from runtime.builder.dockerfile.space import SPACES

LONGEST_LINE = 65535
LARGEST_FILE = 16 << 20


@dataclass(frozen=True, slots=True)
class Logical:
    """An instruction on one line, with the first and last of its physical lines."""

    text: str
    first: int
    last: int


class Lines:
    """A cursor over a Dockerfile's physical lines.

    `directives` grows while the top of the file is read.
    """

    def __init__(self, data: bytes, file: str) -> None:
        if len(data) > LARGEST_FILE:
            raise DockerfileFault(f"the file is larger than {LARGEST_FILE >> 20} MiB", Position(file, 1, 1))
        text = data.removeprefix(codecs.BOM_UTF8).decode(errors="surrogateescape")
        self._lines = text.split("\n")
        self._open_end = self._lines.pop() if self._lines[-1] == "" else None
        self._next = 0
        self.file = file
        self.directives = DirectiveReader()

    @property
    def number(self) -> int:
        """The number of the line read last, from 1; 0 before the first."""
        return self._next

    def at(self, first: int) -> Position:
        """Return the position from `first` to the line read last."""
        return Position(self.file, first, self._next)

    def read(self) -> str | None:
        """Return the next physical line without its newline character; None at the end."""
        if self._next == len(self._lines):
            return None
        line = self._lines[self._next]
        self._next += 1
        if len(line) >= LONGEST_LINE and len(line.encode(errors="surrogateescape")) >= LONGEST_LINE:
            raise DockerfileFault(f"the line is longer than {LONGEST_LINE} bytes", self.at(self._next))
        return line

    def ended(self) -> bool:
        """Say whether the line read last ended with a newline character."""
        return self._next < len(self._lines) or self._open_end is not None

    def logical(self) -> Iterator[Logical]:
        """Yield the instructions; whoever iterates may `read` a here-document's body in between."""
        while (line := self.read()) is not None:
            line = line.rstrip("\r\n").lstrip(SPACES)
            self._direct(line)
            text, complete = self._uncontinued("" if line.startswith("#") else line)
            first = self._next
            if complete and not text:
                continue
            yield Logical(text if complete else text + self._rest(), first, self._next)

    def _direct(self, line: str) -> None:
        try:
            self.directives.offer(line)
        except ValueError as err:
            raise DockerfileFault(str(err), self.at(self._next)) from err

    def _rest(self) -> str:
        parts = []
        while (line := self.read()) is not None:
            line = line.rstrip("\r\n")
            bare = line.lstrip(SPACES)
            if not bare or bare.startswith("#"):
                continue
            text, complete = self._uncontinued(line)
            parts.append(text)
            if complete:
                break
        return "".join(parts)

    def _uncontinued(self, line: str) -> tuple[str, bool]:
        """Return the line without its continuation character, and whether there was none."""
        escape = self.directives.escape
        bare = line.rstrip(" \t")
        if not bare.endswith(escape) or bare[-2:-1] == escape:
            return line, True
        return bare[:-1], False
