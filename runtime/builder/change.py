"""Instructions without a Dockerfile: what `commit --change` does to a configuration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runtime.builder import output
from runtime.builder.dockerfile import instructions as kinds
from runtime.builder.dockerfile import parse, typed
from runtime.builder.scopes import Scope
from runtime.builder.settings import SETTINGS
from runtime.builder.state import State
from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from runtime.image.commit import Change
    from runtime.image.manifest import RunConfig

# Docker's list (daemon, validCommitCommands).
_TAKEN = (
    kinds.Cmd, kinds.Entrypoint, kinds.Env, kinds.Expose, kinds.Healthcheck, kinds.Label, kinds.Onbuild,
    kinds.Stopsignal, kinds.User, kinds.Volume, kinds.Workdir,
)  # fmt: skip
_HINT = "give CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR"


@dataclass(frozen=True, slots=True)
class Instructions:
    """Changes of a configuration as Dockerfile instructions, after those of `first`."""

    first: Change
    steps: tuple[kinds.Instruction, ...]

    def apply(self, base: RunConfig) -> RunConfig:
        """Return the changed configuration; a DockerfileFault names what does not fit."""
        config = self.first.apply(base)
        settings = output.settings(config)
        state = State(0, settings, Scope.outermost("\\", {}, {}).stage(settings.env))
        for step in self.steps:
            state = _applied(state, step)
        return output.run_config(state.config, config.healthcheck)


def read(first: Change, texts: tuple[str, ...]) -> Instructions:
    """Read instructions, one or more lines each; a usage fault names what is none, or not one of docker's."""
    document = parse("\n".join(texts).encode(), "--change")
    steps = tuple(map(typed.read, document.nodes))
    for step in steps:
        if not isinstance(step, _TAKEN):
            raise RuntimeFault(f"--change: {step.node.keyword} is no change", kind="usage", hint=_HINT)
    return Instructions(first, steps)


def _applied(state: State, step: kinds.Instruction) -> State:
    if isinstance(step, kinds.Workdir):
        return replace(state, config=state.config.at(state.expanded(step)(step.value)))
    return SETTINGS[type(step)](state, step)
