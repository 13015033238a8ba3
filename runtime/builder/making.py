"""One step's layer: from files of the context, of another root, or from what a command changed."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runtime.builder import chain as chains
from runtime.builder import cloning, command
from runtime.builder import graph as ops
from runtime.builder.archives import Archives
from runtime.builder.chain import Layer
from runtime.builder.mounted import Mounts
from runtime.builder.placing import Layout
from runtime.builder.selection import select
from runtime.builder.shelf import MOUNTS
from runtime.builder.tree import RootContext, Tree
from runtime.container.scratch import scratch
from runtime.image.layer.pack import pack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runtime.builder.chain import Chain
    from runtime.builder.context import Context
    from runtime.builder.executor import Options, Places
    from runtime.builder.fetching import Fetcher
    from runtime.builder.running import Runner
    from runtime.builder.selection import Selection
    from runtime.image.layer.compression import Writable


class Maker:
    """Makes layers; `now` is the newest time in them."""

    def __init__(
        self, places: Places, context: Context, *, runner: Runner, fetcher: Fetcher,
        options: Options, now: int,
    ) -> None:  # fmt: skip
        self._store, self._data, self._run = places.store, places.data, places.run
        self._fetcher = fetcher
        self._context, self._runner, self._options, self._now = context, runner, options, now

    def made(self, number: int, operation: ops.Operation, inputs: list[Chain]) -> Layer | None:
        """Carry an operation out on the roots that it works on; None if it changed nothing.

        Raises CommandFailedError, OSError, RuntimeFault, and a value error that says what does not fit.
        """
        layers = chains.directories(self._store, inputs[0])
        if isinstance(operation, ops.Execute):
            return self._executed(number, operation, layers, inputs[1:])
        layout = Layout(Tree(layers), epoch=self._now)
        with ExitStack() as stack:
            self._laid_out(operation, layout, inputs, stack)
            if isinstance(operation, ops.Directory) and _stands(Tree(layers), operation.path):
                return None
            return self._stored(layout.pack) if layout.items else None

    def _laid_out(
        self, operation: ops.Operation, layout: Layout, inputs: list[Chain], stack: ExitStack
    ) -> None:
        match operation:
            case ops.Directory():
                layout.directory(operation)
            case ops.Write():
                layout.write(operation)
            case ops.CopyContext(selection=selection) if selection is not None:
                archives = Archives(lambda: stack.enter_context(scratch(self._data)))
                archives.copy(operation, selection, self._context, layout)
            case ops.CopyRoot():
                context = RootContext(chains.directories(self._store, inputs[1]))
                operation, selection = _selected(operation, context)
                layout.copy(operation, selection, context)
            case ops.Clone():
                place = stack.enter_context(scratch(self._data)) / "tree"
                path = cloning.checked_out(
                    operation.url, operation.commit, place, keep_git=operation.keep_git
                )
                whole = RootContext((place,))
                found = select(whole, (path,), f"{operation.destination}/", excludes=operation.excludes)
                layout.copy(replace(operation, into_directory=True), found, whole)
            case ops.Fetch():
                file = self._fetcher.fetch(operation.url, operation.content)
                archives = Archives(lambda: stack.enter_context(scratch(self._data)))
                if not (operation.unpack and archives.unpacked(operation, file.path, operation.url, layout)):
                    layout.fetched(operation, file)

    def _executed(
        self, number: int, operation: ops.Execute, layers: tuple[Path, ...], others: list[Chain]
    ) -> Layer | None:
        if not layers:
            raise ValueError("there is nothing to run in an empty image")
        with ExitStack() as stack:
            # Secrets are among it: below the run root, which is in memory by default.
            place = stack.enter_context(scratch(self._run if self._options.secrets else self._data))
            mounts = Mounts(
                place, self._data / MOUNTS, self._options.secrets, stack, agents=self._options.agents
            )
            origins: list[Context] = [RootContext(chains.directories(self._store, each)) for each in others]
            args = mounts.prepare(operation, self._context, origins)
            mounts.hosts(operation.hosts)
            spec = command.spec(
                operation, layers, args, mounts=tuple(mounts.found), environment=mounts.environment
            )
            said = stack.enter_context(self._options.progress.output(number))
            upper = stack.enter_context(self._runner.changes(spec, said))
            command.tidy(upper, Tree(layers), tuple(mount.target for mount in mounts.found))
            if self._options.epoch is not None:
                command.clamp(upper, self._options.epoch)
            if next(upper.iterdir(), None) is None:
                return None
            return self._stored(lambda sink: pack(upper, sink))

    def _stored(self, write: Callable[[Writable], object]) -> Layer:
        descriptor, diff_id = self._store.add_layer(write)
        return Layer(descriptor, diff_id, datetime.fromtimestamp(self._now, UTC))


def _selected(operation: ops.CopyRoot, context: RootContext) -> tuple[ops.CopyRoot, Selection]:
    """Find the sources in another root, and say whether the destination has to be a directory."""
    destination = operation.destination + ("/" if operation.into_directory else "")
    found = select(
        context, operation.sources, destination, excludes=operation.excludes, parents=operation.parents
    )
    return replace(operation, into_directory=found.into_directory), found


def _stands(tree: Tree, path: str) -> bool:
    return tree.is_directory(tree.resolve(path))
