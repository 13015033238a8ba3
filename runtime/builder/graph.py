"""The build graph: what is to be done, in which order, and under which key its result is found again.

A node's key is a SHA-256 over its operation and the keys of what it works on. The operation holds digests of
contents, never times or places, so equal inputs give equal keys on every machine. The key makes equal nodes
one; under which one an earlier result is found is `cache`'s matter.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runtime.builder.dockerfile.mounts import Mount
    from runtime.builder.dockerfile.parser import Node as Step
    from runtime.builder.selection import Selection

UNKEYED = {"unkeyed": True}  # metadata of a field that does not change the result


@dataclass(frozen=True, slots=True)
class Operation:
    """What a node does."""


@dataclass(frozen=True, slots=True)
class Scratch(Operation):
    """An empty root."""


@dataclass(frozen=True, slots=True)
class Image(Operation):
    """An image's root; the digest of its manifest decides, the name is for people."""

    digest: str
    platform: str
    name: str = field(default="", metadata=UNKEYED)


@dataclass(frozen=True, slots=True)
class Directory(Operation):
    """Make a directory and those above it, if they are not there."""

    path: str
    owner: str


@dataclass(frozen=True, slots=True)
class Placing(Operation):
    """Where files go and what they become there."""

    destination: str
    into_directory: bool
    owner: str
    mode: str


@dataclass(frozen=True, slots=True)
class CopyContext(Placing):
    """Copy a selection of the context; `content` is its digest."""

    content: str
    unpack: bool
    selection: Selection | None = field(default=None, metadata=UNKEYED)


@dataclass(frozen=True, slots=True)
class CopyRoot(Placing):
    """Copy from another node's root, the second input."""

    sources: tuple[str, ...]
    excludes: tuple[str, ...]
    parents: bool


@dataclass(frozen=True, slots=True)
class Write(Placing):
    """Write a here-document's text to a file of that name."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Fetch(Placing):
    """Fetch a URL; `content` is the digest that it has to have."""

    url: str
    content: str
    unpack: bool


@dataclass(frozen=True, slots=True)
class Clone(Placing):
    """Fetch a git repository; `commit` is the one that was found under the URL's name."""

    url: str
    commit: str
    keep_git: bool
    excludes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Execute(Operation):
    """Run a command on the first input.

    The inputs after it are what `mounts` take from, in their order. `script` is the text of a file that is
    run instead of the command, `contents` are the digests of what is bound from the context. `environment`
    may hold proxies, which `keyed` leaves out.
    """

    command: tuple[str, ...]
    script: str
    keyed: Mapping[str, str]
    workdir: str
    user: str
    mounts: tuple[Mount, ...]
    contents: tuple[str, ...]
    network: str
    security: str
    hosts: tuple[tuple[str, str], ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, metadata=UNKEYED)


@dataclass(frozen=True, slots=True)
class Merge(Operation):
    """Lay the second input's layer on the first, without looking at it: COPY --link."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation on other nodes' results; `step` is the instruction that asked for it.

    `own` is the operation's digest, `key` that of the operation with all that it works on.
    """

    operation: Operation
    inputs: tuple[int, ...]
    own: str
    key: str
    step: Step | None = None


class Graph:
    """Nodes in an order in which each comes after its inputs; equal ones are one."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._known: dict[str, int] = {}

    def add(self, operation: Operation, *inputs: int, step: Step | None = None) -> int:
        """Add a node and return its number; if there is one with the same key, return that."""
        own = _own(operation)
        key = _digest([own, *(self.nodes[number].key for number in inputs)])
        if key not in self._known:
            self._known[key] = len(self.nodes)
            self.nodes.append(Node(operation, inputs, own, key, step))
        return self._known[key]

    def needed(self, result: int) -> set[int]:
        """Return the numbers of `result` and all that it is made from."""
        found, left = set[int](), [result]
        while left:
            number = left.pop()
            if number not in found:
                found.add(number)
                left += self.nodes[number].inputs
        return found

    def batches(self, result: int) -> Iterator[list[int]]:
        """Yield what `result` needs, in groups; the members of one need only earlier groups."""
        needed = self.needed(result)
        depth: dict[int, int] = {}
        for number in sorted(needed):
            depth[number] = 1 + max((depth[each] for each in self.nodes[number].inputs), default=-1)
        for level in range(max(depth.values()) + 1):
            yield [number for number in depth if depth[number] == level]


def _own(operation: Operation) -> str:
    keyed = [each.name for each in fields(operation) if not each.metadata.get("unkeyed")]
    bare = {name: value for name, value in asdict(_light(operation)).items() if name in keyed}
    return _digest([type(operation).__name__, bare])


def _digest(value: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _light(operation: Operation) -> Operation:
    """Drop a selection, which may be long and is in the key as a digest."""
    return replace(operation, selection=None) if isinstance(operation, CopyContext) else operation
