"""Instructions that change the root: ADD, COPY, RUN, WORKDIR, as nodes of the graph."""

from __future__ import annotations

import re

from runtime.builder import cloning
from runtime.builder import graph as ops
from runtime.builder.dockerfile import heredoc, mounts
from runtime.builder.dockerfile import instructions as kinds
from runtime.builder.selection import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.builder.state import Builder, State

_REMOTE = re.compile(r"(?:https?://|git://|ssh://|git@[^:/]+:).+")


def _workdir(builder: Builder, state: State, step: kinds.Workdir) -> State:
    path = state.expanded(step)(step.value)
    if not path:
        raise step.node.fault("the path is empty once its variables are expanded")
    config = state.config.at(path)
    node = builder.graph.add(ops.Directory(config.workdir, config.user), state.root, step=step.node)
    return state.on(node).with_config(config)


def _run(builder: Builder, state: State, step: kinds.Run) -> State:
    found = [_mount(state, step, text) for text in step.mounts]
    origins = [builder.root_of(mount.origin, step) for mount in found if mount.origin]
    command, script = _command(state, step)
    network = builder.network if step.network == "default" else step.network
    config = state.config
    operation = ops.Execute(
        command, script, state.scope.keyed_environment, config.workdir or "/", config.user, tuple(found),
        _bound(builder, step, found), network, step.security, builder.hosts, state.scope.variables,
    )  # fmt: skip
    return state.on(builder.graph.add(operation, state.root, *origins, step=step.node))


def _bound(builder: Builder, step: kinds.Run, found: list[mounts.Mount]) -> tuple[str, ...]:
    """Digest what the command sees of the context."""
    sources = [mount.source or "." for mount in found if mount.kind == "bind" and not mount.origin]
    try:
        return tuple(select(builder.context, (each,), "/").digest(builder.context) for each in sources)
    except ValueError as err:
        raise step.node.fault(f"--mount: {err}") from err


def _mount(state: State, step: kinds.Run, text: str) -> mounts.Mount:
    try:
        return mounts.parse(text, state.expanded(step))
    except ValueError as err:
        raise step.node.fault(f"--mount={text}: {err}") from err


def _command(state: State, step: kinds.Run) -> tuple[tuple[str, ...], str]:
    """Return the command, or the text of a script that begins with `#!`."""
    if not step.documents:
        return state.config.command(step.words, exec_form=step.exec_form), ""
    first = step.documents[0]
    if len(step.documents) == 1 and heredoc.start(step.words[0]):
        if first.text.startswith("#!"):
            return (), first.text
        return state.config.command((first.text,), exec_form=False), ""
    # The shell itself reads the here-documents of a longer command.
    bodies = "".join(f"\n{document.content}{document.name}" for document in step.documents)
    return state.config.command((step.words[0] + bodies,), exec_form=False), ""


def _copy(builder: Builder, state: State, step: kinds.Copy) -> State:
    start = _start(builder, state, step.files)
    if step.origin is None:
        root = _from_context(builder, state, step, start, parents=step.parents, unpack=False)
    else:
        root = _from_root(builder, state, step, start)
    return _linked(builder, state, step, _written(builder, state, step, root))


def _from_root(builder: Builder, state: State, step: kinds.Copy, start: int) -> int:
    expand, files = state.expanded(step), step.files
    sources = tuple(expand(source) for source in files.sources)
    if not sources:
        return start
    directory = len(sources) + len(files.documents) > 1
    if directory and not expand(files.destination).endswith("/"):
        raise step.node.fault("with more than one source the destination has to end with /")
    excludes = tuple(expand(pattern) for pattern in files.excludes)
    operation = ops.CopyRoot(*_placing(state, step, into=directory), sources, excludes, step.parents)
    origin = builder.root_of(step.origin or "", step)
    return builder.graph.add(operation, start, origin, step=step.node)


def _add(builder: Builder, state: State, step: kinds.Add) -> State:
    expand = state.expanded(step)
    root = _start(builder, state, step.files)
    remote = [url for source in step.files.sources if _REMOTE.fullmatch(url := expand(source))]
    if step.checksum and len(remote) != 1:
        raise step.node.fault("--checksum needs exactly one source, a URL")
    if step.keep_git_dir and not all(map(cloning.is_repository, remote or [""])):
        raise step.node.fault("--keep-git-dir needs a git repository")
    for url in remote:
        root = builder.graph.add(_remote(builder, state, step, url), root, step=step.node)
    unpack = step.unpack is not False
    root = _from_context(builder, state, step, root, skip=tuple(remote), unpack=unpack)
    return _linked(builder, state, step, _written(builder, state, step, root))


def _remote(builder: Builder, state: State, step: kinds.Add, url: str) -> ops.Operation:
    expand = state.expanded(step)
    place = _placing(state, step, into=len(step.files.sources) > 1)
    try:
        content = builder.content(url, expand(step.checksum or ""))
    except ValueError as err:
        raise step.node.fault(str(err)) from err
    if cloning.is_repository(url):
        excludes = tuple(map(expand, step.files.excludes))
        return ops.Clone(*place, url, content, step.keep_git_dir, excludes)
    return ops.Fetch(*place, url, content, bool(step.unpack))


def _from_context(
    builder: Builder, state: State, step: kinds.Copy | kinds.Add, root: int, *, skip: tuple[str, ...] = (),
    parents: bool = False, unpack: bool,
) -> int:  # fmt: skip
    expand, files = state.expanded(step), step.files
    sources = tuple(text for source in files.sources if (text := expand(source)) not in skip)
    if not sources:
        return root
    excludes = tuple(expand(pattern) for pattern in files.excludes)
    others = len(files.documents) + len(skip)
    try:
        found = select(
            builder.context, sources, expand(files.destination), excludes=excludes, parents=parents,
            documents=others,
        )  # fmt: skip
    except ValueError as err:
        raise step.node.fault(str(err)) from err
    place = _placing(state, step, into=found.into_directory)
    operation = ops.CopyContext(*place, found.digest(builder.context), unpack, found)
    return builder.graph.add(operation, root, step=step.node)


def _written(builder: Builder, state: State, step: kinds.Copy | kinds.Add, root: int) -> int:
    """Add a node for each here-document."""
    for document in step.files.documents:
        place = _placing(state, step, into=len(step.files.documents) > 1)
        operation = ops.Write(*place, document.name, state.scope.document(step, document))
        root = builder.graph.add(operation, root, step=step.node)
    return root


def _placing(state: State, step: kinds.Copy | kinds.Add, *, into: bool) -> tuple[str, bool, str, str]:
    expand, files = state.expanded(step), step.files
    destination = expand(files.destination)
    into = into or destination.endswith("/") or destination in {".", ".."}
    owner, mode = expand(files.chown or ""), expand(files.chmod or "")
    return state.config.path(destination), into, owner, mode


def _start(builder: Builder, state: State, files: kinds.Files) -> int:
    """Return what the files are put on: with --link an empty root, so that the base doesn't matter."""
    return builder.graph.add(ops.Scratch()) if files.link else state.root


def _linked(builder: Builder, state: State, step: kinds.Copy | kinds.Add, root: int) -> State:
    if not step.files.link:
        return state.on(root)
    return state.on(builder.graph.add(ops.Merge(), state.root, root, step=step.node))


CHANGES: dict[type[kinds.Instruction], Callable[..., State]] = {
    kinds.Add: _add,
    kinds.Copy: _copy,
    kinds.Run: _run,
    kinds.Workdir: _workdir,
}
