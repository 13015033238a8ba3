"""A Dockerfile as stages: names and numbers, what needs what, and which of them a target takes."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from runtime.builder.dockerfile import instructions as kinds
from runtime.builder.dockerfile import typed
from runtime.builder.dockerfile.position import DockerfileFault
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.builder.dockerfile.directives import Directives
    from runtime.builder.dockerfile.instructions import Instruction
    from runtime.builder.dockerfile.parser import Document


@dataclass(frozen=True, slots=True)
class Stage:
    """What stands between one FROM and the next; `number` counts from 0."""

    number: int
    origin: kinds.From
    steps: tuple[Instruction, ...]

    @property
    def name(self) -> str:
        """The name after AS, or the number."""
        return self.origin.name or str(self.number)


@dataclass(frozen=True, slots=True)
class Recipe:
    """All stages of a file, and the ARGs before the first FROM."""

    file: str
    directives: Directives
    globals: tuple[kinds.Arg, ...]
    stages: tuple[Stage, ...]

    def stage(self, target: str) -> Stage:
        """Return the stage that --target names: a name in any case, a number, or empty for the last."""
        if not target:
            return self.stages[-1]
        found = self.find(target)
        if found is None:
            names = ", ".join(stage.name for stage in self.stages)
            hint = f"{self.file} has the stages {names}"
            raise RuntimeFault(f"no stage {target!r} in {self.file}", kind="missing", hint=hint)
        return found

    def named(self, name: str, *, before: int | None = None) -> Stage | None:
        """Return the last stage of that name; FROM sees only the names above it, `before` its own number."""
        seen = reversed(self.stages[:before])
        return next((stage for stage in seen if stage.origin.name == name.lower() != ""), None)

    def find(self, name: str) -> Stage | None:
        """Return the stage of that name or that number, None if there is neither."""
        number = int(name[:6]) if name.isascii() and name.isdigit() else len(self.stages)
        return self.named(name) or (self.stages[number] if number < len(self.stages) else None)


def read(document: Document) -> Recipe:
    """Cut a document at its FROMs; a DockerfileFault names an instruction that stands before the first."""
    before: list[kinds.Arg] = []
    stages: list[tuple[kinds.From, list[Instruction]]] = []
    for node in document.nodes:
        step = typed.read(node)
        if isinstance(step, kinds.From):
            stages.append((step, []))
        elif stages:
            stages[-1][1].append(step)
        elif isinstance(step, kinds.Arg):
            before.append(step)
        else:
            hint = "only ARG may stand before the first FROM"
            raise node.fault(f"{node.keyword.upper()} needs a stage", hint=hint)
    if not stages:
        last = document.nodes[-1]
        raise DockerfileFault("no FROM: there is nothing to build", last.at, last.original)
    built = tuple(Stage(number, origin, tuple(steps)) for number, (origin, steps) in enumerate(stages))
    return Recipe(document.file, document.directives, tuple(before), built)


def needed(links: dict[int, set[int]], target: int, called: Callable[[int], str] = str) -> list[int]:
    """Return the stages that `target` needs and itself, each after what it needs.

    `links` tells for each stage the stages that it takes from. A value error names the stages of a circle, as
    they are `called`.
    """
    wanted, found = [target], set[int]()
    while wanted:
        stage = wanted.pop()
        if stage not in found:
            found.add(stage)
            wanted += links.get(stage, set())
    order = TopologicalSorter({stage: sorted(links.get(stage, set())) for stage in sorted(found)})
    try:
        return list(order.static_order())
    except CycleError as err:
        circle = " needs ".join(called(stage) for stage in reversed(err.args[1]))
        raise ValueError(f"stages need one another in a circle: {circle}") from err
