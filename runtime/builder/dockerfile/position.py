"""Where something stands in a Dockerfile, and the error that says so."""

from dataclasses import dataclass

from runtime.errors import RuntimeFault

_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Position:
    """A file and its first and last line, counted from 1."""

    file: str
    first: int
    last: int

    def __str__(self) -> str:
        lines = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.file}:{lines}"


class DockerfileFault(RuntimeFault):
    """A Dockerfile that cannot be read or built: `FILE:LINE: INSTRUCTION: reason`, always of kind usage."""

    def __init__(self, reason: str, at: Position, instruction: str = "", *, hint: str = "") -> None:
        shown = f"{shortened(instruction)}: " if instruction else ""
        super().__init__(f"{at}: {shown}{reason}", kind="usage", hint=hint)
        self.reason = reason
        self.at = at
        self.instruction = instruction


def shortened(instruction: str) -> str:
    """Return one printable line of at most 80 characters; undecodable bytes show as question marks."""
    line = " ".join(instruction.encode(errors="replace").decode().split())
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
