"""One step's layer: from files of the context, of another root, or from what a command changed."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runtime.builder import chain as chains
from runtime.builder import command
from runtime.builder import graph as ops
from runtime.builder.chain import Layer
from runtime.builder.mounted import Mounts
from runtime.builder.placing import Layout
from runtime.builder.selection import select
from runtime.builder.tree import RootContext, Tree
from runtime.container.scratch import scratch
from runtime.errors import RuntimeFault
from runtime.image.layer.pack import pack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runtime.builder.chain import Chain
    from runtime.builder.context import Context
    from runtime.builder.executor import Options, Places
    from runtime.builder.running import Runner
    from runtime.builder.selection import Selection
    from runtime.image.layer.compression import Writable


class Maker:
    """Makes layers; `now` is the newest time in them, `runner` is None in a build without RUN."""

    def __init__(
        self, places: Places, context: Context, runner: Runner | None, options: Options, now: int
    ) -> None:
        self._store, self._data, self._run = places.store, places.data, places.run
        self._context, self._runner, self._options, self._now = context, runner, options, now

    def made(self, number: int, operation: ops.Operation, inputs: list[Chain]) -> Layer | None:
        """Carry an operation out on the roots that it works on; None if it changed nothing.

        Raises CommandFailedError, OSError, RuntimeFault, and a value error that says what does not fit.
        """
        layers = chains.directories(self._store, inputs[0])
        if isinstance(operation, ops.Execute):
            return self._executed(number, operation, layers, inputs[1:])
        layout, context = Layout(Tree(layers), epoch=self._now), None
        match operation:
            case ops.Directory():
                layout.directory(operation)
                if Tree(layers).is_directory(Tree(layers).resolve(operation.path)):
                    return None
            case ops.Write():
                layout.write(operation)
            case ops.CopyContext(selection=selection) if selection is not None:
                context = self._context
                _refuse_archives(operation, self._context)
                layout.copy(operation, selection, context)
            case ops.CopyRoot():
                context = RootContext(chains.directories(self._store, inputs[1]))
                operation, selection = _selected(operation, context)
                layout.copy(operation, selection, context)
            case _:
                raise ValueError("a source at a URL is not supported yet")
        return self._stored(lambda sink: layout.pack(sink, context)) if layout.items else None

    def _executed(
        self, number: int, operation: ops.Execute, layers: tuple[Path, ...], others: list[Chain]
    ) -> Layer | None:
        if self._runner is None:
            raise RuntimeFault("a build without RUN met a RUN")
        if not layers:
            raise ValueError("there is nothing to run in an empty image")
        with ExitStack() as stack:
            # Secrets are among it: below the run root, which is in memory by default.
            place = stack.enter_context(scratch(self._run if self._options.secrets else self._data))
            mounts = Mounts(place, self._data / "build-cache", self._options.secrets, stack)
            origins: list[Context] = [RootContext(chains.directories(self._store, each)) for each in others]
            args = mounts.prepare(operation, self._context, origins)
            mounts.hosts(operation.hosts)
            spec = command.spec(
                operation, layers, args, binds=tuple(mounts.binds), environment=mounts.environment
            )
            said = stack.enter_context(self._options.progress.output(number))
            upper = stack.enter_context(self._runner.changes(spec, said))
            command.tidy(upper, Tree(layers), tuple(bind.target for bind in mounts.binds))
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


def _refuse_archives(operation: ops.CopyContext, context: Context) -> None:
    """ADD would unpack them."""
    import tarfile  # noqa: PLC0415 - ADD's alone

    taken = operation.selection.taken if operation.unpack and operation.selection else ()
    for each in taken:
        if each.entry.kind == "file":
            with os.fdopen(context.open(each.entry), "rb") as file:
                if tarfile.is_tarfile(file):
                    raise ValueError(f"ADD can't unpack {each.entry.path} yet; --unpack=false copies it")
