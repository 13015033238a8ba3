"""Instructions that change the image's configuration and nothing in its root."""

from __future__ import annotations

from dataclasses import replace

from runtime.builder.dockerfile import instructions as kinds
from runtime.errors import RuntimeFault
from runtime.oci import signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.builder.state import State


def _arg(state: State, step: kinds.Arg) -> State:
    return replace(state, scope=state.scope.declared(step))


def _env(state: State, step: kinds.Env) -> State:
    scope = state.scope.assigned(step)
    return replace(state, scope=scope, config=replace(state.config, env=scope.env))


def _label(state: State, step: kinds.Label) -> State:
    expand = state.expanded(step)
    labels = {expand(name): expand(value) for name, value in step.pairs}
    return state.with_config(replace(state.config, labels={**state.config.labels, **labels}))


def _cmd(state: State, step: kinds.Cmd) -> State:
    words = state.config.command(step.words, exec_form=step.exec_form)
    return replace(state, cmd_set=True, config=replace(state.config, cmd=words or None))


def _entrypoint(state: State, step: kinds.Entrypoint) -> State:
    words = state.config.command(step.words, exec_form=step.exec_form)
    return state.with_config(state.config.started_by(words, keep_cmd=state.cmd_set))


def _shell(state: State, step: kinds.Shell) -> State:
    return state.with_config(replace(state.config, shell=step.words))


def _healthcheck(state: State, step: kinds.Healthcheck) -> State:
    return state.with_config(replace(state.config, healthcheck=step))


def _expose(state: State, step: kinds.Expose) -> State:
    texts = [word for text in step.ports for word in state.scope.words(step, text)]
    try:
        return state.with_config(state.config.exposing(texts))
    except ValueError as err:
        raise step.node.fault(str(err)) from err


def _volume(state: State, step: kinds.Volume) -> State:
    paths = [state.expanded(step)(path) for path in step.paths]
    if not all(paths):
        raise step.node.fault("a VOLUME path is empty once its variables are expanded")
    return state.with_config(state.config.with_volumes(paths))


def _user(state: State, step: kinds.User) -> State:
    return state.with_config(replace(state.config, user=state.expanded(step)(step.value)))


def _stopsignal(state: State, step: kinds.Stopsignal) -> State:
    text = state.expanded(step)(step.value)
    try:
        signals.number(text)
    except RuntimeFault as err:
        raise step.node.fault(str(err), hint=err.hint) from err
    return state.with_config(replace(state.config, stop_signal=text))


def _maintainer(state: State, step: kinds.Maintainer) -> State:
    return state.with_config(replace(state.config, author=step.value))


def _onbuild(state: State, step: kinds.Onbuild) -> State:
    return state.with_config(replace(state.config, onbuild=(*state.config.onbuild, step.text)))


SETTINGS: dict[type[kinds.Instruction], Callable[..., State]] = {
    kinds.Arg: _arg,
    kinds.Cmd: _cmd,
    kinds.Entrypoint: _entrypoint,
    kinds.Env: _env,
    kinds.Expose: _expose,
    kinds.Healthcheck: _healthcheck,
    kinds.Label: _label,
    kinds.Maintainer: _maintainer,
    kinds.Onbuild: _onbuild,
    kinds.Shell: _shell,
    kinds.Stopsignal: _stopsignal,
    kinds.User: _user,
    kinds.Volume: _volume,
}
