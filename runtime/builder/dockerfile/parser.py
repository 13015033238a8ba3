"""A Dockerfile as a list of nodes: keyword, flags, words, here-documents, position.

This is BuildKit's first pass. It accepts keywords that nobody knows and flags that nobody takes; what an
instruction means is `instructions`' business.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from runtime.builder.dockerfile import heredoc, space, words
from runtime.builder.dockerfile.lines import Lines, Logical
from runtime.builder.dockerfile.position import DockerfileFault, Position

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.builder.dockerfile.directives import Directives
    from runtime.builder.dockerfile.heredoc import Heredoc

_EXEC_OR_SHELL = frozenset({"CMD", "ENTRYPOINT", "RUN", "SHELL"})
_EXEC_OR_WORDS = frozenset({"ADD", "COPY", "VOLUME"})
_WORDS = frozenset({"EXPOSE", "FROM"})
_PAIRS = frozenset({"ENV", "LABEL"})
_TAKE_HEREDOCS = frozenset({"ADD", "COPY", "RUN"})


@dataclass(frozen=True, slots=True)
class Node:
    """An instruction as it was written.

    `values` are its arguments: the words, the strings of the exec form, or the whole text as one; ENV and
    LABEL have names and values in turn. ONBUILD has the instruction that it triggers as `child`.
    """

    keyword: str
    flags: tuple[str, ...]
    values: tuple[str, ...]
    exec_form: bool
    original: str
    at: Position
    heredocs: tuple[Heredoc, ...] = ()
    child: Node | None = None

    def fault(self, reason: str, *, hint: str = "") -> DockerfileFault:
        """Return an error that shows this instruction."""
        return DockerfileFault(reason, self.at, self.original, hint=hint)


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed Dockerfile."""

    file: str
    directives: Directives
    nodes: tuple[Node, ...]


def parse(data: bytes, file: str = "Dockerfile") -> Document:
    """Read a whole Dockerfile; a DockerfileFault says where it is wrong. `file` is shown in errors."""
    lines = Lines(data, file)
    nodes = [_with_bodies(_node(logical, lines), lines) for logical in lines.logical()]
    if not nodes:
        raise DockerfileFault("file with no instructions", Position(file, 1, max(1, lines.number)))
    return Document(file, lines.directives.directives(), tuple(nodes))


def _node(logical: Logical, lines: Lines) -> Node:
    at = Position(lines.file, logical.first, logical.last)
    keyword, rest = _split(logical.text)
    rest, flags = words.split_flags(rest)
    rest = rest.strip(space.SPACES)
    bare = Node(keyword, tuple(flags), (), exec_form=False, original=logical.text, at=at)
    if keyword.upper() == "ONBUILD":
        return replace(bare, child=_triggered(logical, rest, lines)) if rest else bare
    try:
        values, exec_form = _arguments(keyword.upper(), rest, lines.directives.escape)
    except (TypeError, ValueError) as err:
        raise bare.fault(str(err)) from err
    return replace(bare, values=tuple(values), exec_form=exec_form)


def _triggered(logical: Logical, rest: str, lines: Lines) -> Node:
    keyword, arguments = _split(rest)
    if keyword.upper() != "ONBUILD":
        return _node(replace(logical, text=rest), lines)
    # Chained ONBUILD is refused later; following the chain here would be as deep as its author likes.
    at = Position(lines.file, logical.first, logical.last)
    return Node(keyword, (), (arguments,) if arguments else (), exec_form=False, original=rest, at=at)


def _split(text: str) -> tuple[str, str]:
    parts = space.split_once(text.strip(space.SPACES))
    return parts[0], parts[1] if len(parts) > 1 else ""


def _arguments(keyword: str, rest: str, escape: str) -> tuple[list[str], bool]:
    """Return an instruction's values and whether they came in exec form."""
    if keyword == "HEALTHCHECK":
        kind, command = _split(rest)
        values, exec_form = _command(command.lstrip(space.ASCII))
        return ([kind, *values] if kind else []), exec_form
    if keyword in _EXEC_OR_SHELL:
        return _command(rest)
    if keyword in _EXEC_OR_WORDS and (strings := words.json_strings(rest)) is not None:
        return strings, True
    return _plain(keyword, rest, escape), False


def _plain(keyword: str, rest: str, escape: str) -> list[str]:
    if keyword in _PAIRS:
        return _pairs(keyword, rest, escape)
    if keyword == "ARG":
        return words.parse_words(rest, escape)
    if not rest:
        return []
    return space.split(rest) if keyword in _EXEC_OR_WORDS or keyword in _WORDS else [rest]


def _command(rest: str) -> tuple[list[str], bool]:
    strings = words.json_strings(rest)
    if strings is not None:
        return strings, True
    return ([rest] if rest else []), False


def _pairs(keyword: str, rest: str, escape: str) -> list[str]:
    """Read `name=value name=value`, or the old form `name value with spaces`."""
    found = words.parse_words(rest, escape)
    if found and "=" not in found[0]:
        parts = space.split_once(rest)
        if len(parts) == 1:
            raise ValueError(f"{keyword} must have two arguments")
        return parts
    pairs: list[str] = []
    for word in found:
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"can't find = in {word!r}, it must be of the form name=value")
        pairs += name, value
    return pairs


def _with_bodies(node: Node, lines: Lines) -> Node:
    """Read the bodies of the here-documents that the instruction starts."""
    owner = node.child or node
    if owner.keyword.upper() not in _TAKE_HEREDOCS or owner.exec_form:
        return node
    bodies = tuple(_body(found, node, lines) for found in heredoc.starts_in(node.original))
    if not bodies:
        return node
    at = lines.at(node.at.first)
    if node.child:
        return replace(node, at=at, child=replace(node.child, at=at, heredocs=bodies))
    return replace(node, at=at, heredocs=bodies)


def _body(found: Heredoc, node: Node, lines: Lines) -> Heredoc:
    parts: list[str] = []
    while (line := lines.read()) is not None:
        if found.ends(line):
            return replace(found, content="".join(parts))
        parts.append(line + "\n" if lines.ended() else line)
    raise node.fault(f"unterminated heredoc {found.name}", hint=f"end it with a line {found.name}")
