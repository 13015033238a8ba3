"""Parser directives: the `# key=value` comments at the very top of a Dockerfile.

Dockerfile reference, "Parser directives": they end at the first line that is none, each may stand once, keys
are caseless, and unknown ones are comments (which end the list).
"""

import re
from dataclasses import dataclass

_DIRECTIVE = re.compile(r"#[ \t\n\f\r]*([a-zA-Z][a-zA-Z0-9]*)[ \t\n\f\r]*=[ \t\n\f\r]*(.+?)[ \t\n\f\r]*")
_KNOWN = frozenset({"syntax", "escape", "check"})


@dataclass(frozen=True, slots=True)
class Directives:
    """What the top of the file asked for; `checks` is the value of `# check`, kept and not acted upon."""

    syntax: str | None = None
    escape: str = "\\"
    checks: str | None = None


class DirectiveReader:
    """Takes a file's lines from the top until one is no directive."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}
        self._done = False

    def offer(self, line: str) -> None:
        """Look at the next line; a value error says what is wrong with a directive."""
        match = None if self._done else _DIRECTIVE.fullmatch(line)
        if match is None or match[1].lower() not in _KNOWN:
            self._done = True
            return
        name, value = match[1].lower(), match[2]
        if name in self._found:
            raise ValueError(f"only one {name} parser directive can be used")
        if name == "escape" and value not in {"\\", "`"}:
            raise ValueError(f"invalid escape token {value!r}, it must be ` or \\")
        self._found[name] = value

    @property
    def escape(self) -> str:
        """The escape character as far as it is known now."""
        return self._found.get("escape", "\\")

    def directives(self) -> Directives:
        """Return what was found."""
        return Directives(self._found.get("syntax"), self.escape, self._found.get("check"))
