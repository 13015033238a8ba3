"""From a recipe to a graph: only what the target needs, with base images resolved by the caller."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from runtime.builder import dockerfile, stages
from runtime.builder import graph as ops
from runtime.builder.changes import CHANGES
from runtime.builder.dockerfile import typed
from runtime.builder.dockerfile.position import shortened
from runtime.builder.image_config import ImageConfig
from runtime.builder.scopes import Scope, platform_args
from runtime.builder.settings import SETTINGS
from runtime.builder.state import Made, State
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime.builder.context import Context
    from runtime.builder.dockerfile.instructions import Instruction
    from runtime.builder.stages import Recipe, Stage


@dataclass(frozen=True, slots=True)
class Base:
    """An image as resolved: the digest of its manifest and its configuration."""

    digest: str
    config: ImageConfig


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asked for; platforms are `os/arch[/variant]`.

    `hosts` are (name, address) pairs for each RUN, `network` is that of a RUN which names none, `fresh` are
    the stages whose steps are made anew.
    """

    platform: str
    build_platform: str
    target: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    hosts: tuple[tuple[str, str], ...] = ()
    network: str = "default"
    fresh: frozenset[str] = frozenset()


def nothing(url: str, checksum: str) -> str:
    """Return the checksum; a value error without one, since nothing is fetched here."""
    if not checksum:
        raise ValueError(f"{url} cannot be fetched here")
    return checksum


@dataclass(frozen=True, slots=True)
class Plan:
    """The graph, the node whose root is the result, the image's configuration, and what made it.

    `fresh` are nodes that no earlier result stands for, `bases` the images that were named, with digests.
    """

    graph: ops.Graph
    result: int
    config: ImageConfig
    history: tuple[Made, ...] = ()
    fresh: frozenset[int] = frozenset()
    bases: tuple[tuple[str, str], ...] = ()

    @property
    def fetches(self) -> bool:
        """Whether the result holds what a URL gives."""
        needed = self.graph.needed(self.result)
        remote = (ops.Fetch, ops.Clone)
        return any(isinstance(self.graph.nodes[number].operation, remote) for number in needed)


def plan(
    recipe: Recipe, request: Request, context: Context, resolve: Callable[[str, str], Base],
    content: Callable[[str, str], str] = nothing,
) -> Plan:  # fmt: skip
    """Plan a build; `resolve(name, platform)` answers for images, once each, and only for needed ones.

    `content(url, checksum)` returns the digest of a URL's file.
    """
    planner = _Planner(recipe, request, context, resolve)
    planner.content = content
    target = recipe.stage(request.target)
    for number in planner.order(target):
        planner.state(recipe.stages[number])
    state = planner.state(target)
    config = replace(state.config, labels={**state.config.labels, **request.labels})
    return Plan(
        planner.graph, state.root, config, state.history, frozenset(planner.fresh), planner.named_bases
    )


class _Planner:
    def __init__(
        self, recipe: Recipe, request: Request, context: Context, resolve: Callable[[str, str], Base]
    ) -> None:
        self.graph = ops.Graph()
        self.content: Callable[[str, str], str] = nothing
        self.context = context
        self.hosts, self.network = request.hosts, request.network
        self.fresh: set[int] = set()
        self._recipe, self._request, self._resolve = recipe, request, resolve
        self._states: dict[int, State | None] = {}
        self._bases: dict[tuple[str, str], Base] = {}
        platforms = platform_args(request.platform, request.build_platform)
        self._scope = Scope.outermost(recipe.directives.escape, request.args, platforms)
        for step in recipe.globals:
            self._scope = self._scope.declared(step)

    @property
    def named_bases(self) -> tuple[tuple[str, str], ...]:
        """The images asked for so far, with the digests of their manifests."""
        return tuple((name, base.digest) for (name, _), base in self._bases.items())

    def order(self, target: Stage) -> list[int]:
        """Return the stages that the target is made from, each after its own."""
        links = {stage.number: self._links(stage) for stage in self._recipe.stages}
        try:
            return stages.needed(links, target.number, lambda number: self._recipe.stages[number].name)
        except ValueError as err:
            raise target.origin.node.fault(str(err)) from err

    def _links(self, stage: Stage) -> set[int]:
        above = self._recipe.named(self._image(stage), before=stage.number)
        names = [name for step in stage.steps for name in _origins(step)]
        others = [self._recipe.find(name) for name in names]
        return {found.number for found in [above, *others] if found}

    def _image(self, stage: Stage) -> str:
        image = self._scope.word(stage.origin, stage.origin.image)
        if not image:
            raise stage.origin.node.fault(f"{stage.origin.image} is empty: no image to start from")
        return image

    def state(self, stage: Stage) -> State:
        """Plan a stage, if it isn't planned yet."""
        known = self._states.get(stage.number)
        if known is None:
            if stage.number in self._states:
                raise stage.origin.node.fault("the stage needs itself")
            self._states[stage.number] = None
            known = self._states[stage.number] = self._planned(stage)
        return known

    def _planned(self, stage: Stage) -> State:
        state = self._begun(stage)
        triggers = [self._triggered(text, stage) for text in state.config.onbuild]
        state = state.with_config(replace(state.config, onbuild=()))
        names = (stage.name, str(stage.number))
        for step in [*triggers, *stage.steps]:
            state = self._applied(state, step, anew=not self._request.fresh.isdisjoint(names))
        return state

    def _begun(self, stage: Stage) -> State:
        image = self._image(stage)
        above = self._recipe.named(image, before=stage.number)
        if above is not None:
            base = self.state(above)
            scope = self._scope.stage(base.config.env)
            return State(base.root, base.config, scope, history=base.history)
        if image == "scratch":
            return State(self.graph.add(ops.Scratch()), ImageConfig(), self._scope.stage({}))
        platform = self._scope.word(stage.origin, stage.origin.platform or "") or self._request.platform
        found = self._base(image, platform, stage.origin)
        root = self._image_node(image, platform, stage.origin)
        return State(root, found.config, self._scope.stage(found.config.env))

    def _base(self, image: str, platform: str, step: Instruction) -> Base:
        if (image, platform) not in self._bases:
            try:
                self._bases[image, platform] = self._resolve(image, platform)
            except RuntimeFault as err:
                text = f"{step.node.at}: {shortened(step.node.original)}: {err}"
                raise RuntimeFault(text, kind=err.kind, hint=err.hint) from err
        return self._bases[image, platform]

    def _image_node(self, image: str, platform: str, step: Instruction) -> int:
        operation = ops.Image(self._base(image, platform, step).digest, platform, image)
        return self.graph.add(operation, step=step.node)

    def _triggered(self, text: str, stage: Stage) -> Instruction:
        parsed = dockerfile.parse(text.encode(errors="surrogateescape"), "ONBUILD of the base image")
        node = replace(parsed.nodes[0], at=stage.origin.node.at)
        return typed.read(node)

    def _applied(self, state: State, step: Instruction, *, anew: bool) -> State:
        setting, before = SETTINGS.get(type(step)), len(self.graph.nodes)
        after = setting(state, step) if setting else CHANGES[type(step)](self, state, step)
        if anew and setting is None:
            self.fresh |= {*range(before, len(self.graph.nodes)), after.root}
        made = Made(shortened(step.node.original), after.root)
        return replace(after, history=(*after.history, made))

    def root_of(self, name: str, step: Instruction) -> int:
        """Return the node with the root of the stage or image that --from names."""
        found = self._recipe.find(name)
        if found is not None:
            return self.state(found).root
        if name.isdigit():
            raise step.node.fault(f"there is no stage {name}")
        if "$" in name:
            hint = "begin a stage with it: FROM $NAME AS stage, with an ARG above the first FROM"
            raise step.node.fault(f"--from takes no variables: {name}", hint=hint)
        return self._image_node(name, self._request.platform, step)


def _origins(step: Instruction) -> list[str]:
    """Return the names after --from of a COPY or of a RUN's mounts."""
    if isinstance(step, dockerfile.instructions.Copy) and step.origin:
        return [step.origin]
    if isinstance(step, dockerfile.instructions.Run):
        return [name for text in step.mounts if (name := _mount_origin(text))]
    return []


def _mount_origin(text: str) -> str:
    for part in text.split(","):
        key, _, value = part.partition("=")
        if key.lower() == "from":
            return value
    return ""
