"""A stage while it is being planned: its root's node, its image's configuration, its variables."""

from __future__ import annotations

from dataclasses import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from runtime.builder.context import Context
    from runtime.builder.dockerfile.instructions import Instruction
    from runtime.builder.graph import Graph
    from runtime.builder.image_config import ImageConfig
    from runtime.builder.scopes import Scope

    class Builder(Protocol):
        """What an instruction may ask of the plan that it is part of."""

        graph: Graph
        context: Context
        hosts: tuple[tuple[str, str], ...]
        network: str

        def content(self, url: str, checksum: str) -> str:
            """Return the digest of what a URL gives; a value error says why there is none."""

        def root_of(self, name: str, step: Instruction) -> int:
            """Return the node that has a stage's or an image's root."""


@dataclass(frozen=True, slots=True)
class Made:
    """An instruction as the history shows it, and the node whose root there was after it."""

    text: str
    root: int


@dataclass(frozen=True, slots=True)
class State:
    """What the instructions so far made; `cmd_set` tells a CMD of this stage from an inherited one.

    `history` begins after the image that the stage, or the stage below it, starts from.
    """

    root: int
    config: ImageConfig
    scope: Scope
    cmd_set: bool = False
    history: tuple[Made, ...] = ()

    def on(self, root: int) -> State:
        """Return the state with another root."""
        return replace(self, root=root)

    def with_config(self, config: ImageConfig) -> State:
        """Return the state with another configuration."""
        return replace(self, config=config)

    def expanded(self, step: Instruction) -> Callable[[str], str]:
        """Return the function that expands that instruction's texts."""
        return lambda text: self.scope.word(step, text)
