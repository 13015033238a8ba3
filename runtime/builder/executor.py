"""Carry a plan out: each node's root as a chain of layers, cached or made, independent ones at once."""

from __future__ import annotations

import os
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runtime.builder import chain as chains
from runtime.builder import command, output
from runtime.builder import graph as ops
from runtime.builder.cache import Cache
from runtime.builder.chain import Chain, Layer
from runtime.builder.dockerfile.position import shortened
from runtime.builder.mounted import Mounts
from runtime.builder.placing import Layout
from runtime.builder.plan import Base, plan
from runtime.builder.selection import select
from runtime.builder.tree import RootContext, Tree
from runtime.container.scratch import scratch
from runtime.container.spawner import Spawner
from runtime.errors import RuntimeFault
from runtime.image.layer.pack import pack
from runtime.image.platform import host_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from runtime.builder.context import Context
    from runtime.builder.plan import Plan, Request
    from runtime.builder.selection import Selection
    from runtime.builder.stages import Recipe
    from runtime.image.image import Image
    from runtime.image.layer.compression import Writable
    from runtime.image.reference import Reference
    from runtime.image.store import Store


@dataclass(frozen=True, slots=True)
class Places:
    """Where a build works: the store, and the roots for the records and files of its containers."""

    store: Store
    run: Path
    data: Path


@dataclass(frozen=True, slots=True)
class Options:
    """How to build: `output` is the descriptor that commands write to, `say` hears a line for each step.

    `epoch` (seconds since 1970, SOURCE_DATE_EPOCH) is the newest time that anything in the result has.
    """

    output: int
    say: Callable[[str], None]
    use_cache: bool = True
    epoch: int | None = None
    secrets: Mapping[str, bytes] = field(default_factory=dict)


def build(
    places: Places, recipe: Recipe, request: Request, context: Context, names: tuple[Reference, ...],
    *, options: Options,
) -> Image:  # fmt: skip
    """Build and name an image. A DockerfileFault shows the instruction that failed; nothing stays of it."""
    bases: dict[str, Image] = {}

    def resolve(name: str, platform: str) -> Base:
        image = places.store.resolve(name)
        own = f"{image.document.os}/{image.document.architecture}"
        if platform.split("/")[:2] != own.split("/"):
            raise RuntimeFault(f"{name} is an image for {own}, not {platform}", kind="missing")
        bases[image.digest] = image
        return Base(image.digest, output.settings(image.config, image.document.author))

    planned = plan(recipe, request, context, resolve)
    with ExitStack() as stack:
        # The spawner comes before the store's lock, which it would inherit and outlive us with.
        runs = any(isinstance(node.operation, ops.Execute) for node in planned.graph.nodes)
        spawner = stack.enter_context(Spawner(places.run, places.data)) if runs else None
        stack.enter_context(places.store.writing())
        executor = _Executor(places, planned, context, bases, spawner=spawner, options=options)
        executor.make()
        return executor.finish(names)


class _Executor:
    def __init__(
        self, places: Places, planned: Plan, context: Context, bases: dict[str, Image],
        *, spawner: Spawner | None, options: Options,
    ) -> None:  # fmt: skip
        self._store, self._data, self._run = places.store, places.data, places.run
        self._plan, self._context = planned, context
        self._bases, self._spawner, self._options = bases, spawner, options
        self._cache = Cache(places.store, options.epoch)
        self._now = int(time.time()) if options.epoch is None else options.epoch
        self._chains: dict[int, Chain] = {}

    def make(self) -> None:
        """Make every node's chain, those of one batch side by side."""
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            try:
                for batch in self._plan.graph.batches(self._plan.result):
                    work = {number: pool.submit(self._chain, number) for number in batch}
                    ended, _ = wait(work.values(), return_when=FIRST_EXCEPTION)
                    for each in ended:
                        each.result()
                    self._chains |= {number: each.result() for number, each in work.items()}
            except BaseException:
                # The pool waits for its threads, and those for their commands: end them.
                pool.shutdown(wait=False, cancel_futures=True)
                if self._spawner:
                    self._spawner.close()
                raise

    def finish(self, names: tuple[Reference, ...]) -> Image:
        """Store the documents and give the image its names."""
        base, chain = self._base(), self._chains[self._plan.result]
        below = chains.of_image(base) if base else ()
        steps = output.history(self._plan.history, self._chains, below)
        times = [step.created for step in steps if step.created]
        created = max([*times, *([base.created] if base and base.created else [])], default=self._created())
        document = output.document(
            base.document if base else None,
            host_platform(),
            self._plan.config,
            chain,
            history=steps,
            created=created,
        )
        layers = tuple(layer.descriptor for layer in chain)
        images = [self._store.add_image(document, layers, name) for name in names]
        return images[0]

    def _base(self) -> Image | None:
        """Return the image that the result's stages start from, None for scratch."""
        node = self._plan.graph.nodes[self._plan.result]
        while node.inputs:
            node = self._plan.graph.nodes[node.inputs[0]]
        return self._bases[node.operation.digest] if isinstance(node.operation, ops.Image) else None

    def _chain(self, number: int) -> Chain:
        node = self._plan.graph.nodes[number]
        inputs = [self._chains[each] for each in node.inputs]
        match node.operation:
            case ops.Scratch():
                return ()
            case ops.Image(digest=digest):
                return chains.of_image(self._image(digest))
            case ops.Merge():
                return (*inputs[0], *inputs[1])
        layer = self._layer(node, inputs)
        return (*inputs[0], layer) if layer else inputs[0]

    def _image(self, digest: str) -> Image:
        return self._bases[digest]

    def _layer(self, node: ops.Node, inputs: list[Chain]) -> Layer | None:
        found = self._cache.find(node.key) if self._options.use_cache else None
        self._options.say(f"{node.at}: {_names(node)}{': cached' if found else ''}")
        if found:
            return found[0]
        try:
            layer = self._made(node.operation, inputs)
        except command.CommandFailedError as err:
            raise _fault(node, f"the command ended with exit code {err.code}") from err
        except ValueError as err:
            raise _fault(node, str(err)) from err
        except OSError as err:
            raise _fault(node, f"{err.filename}: {err.strerror}") from err
        except RuntimeFault as err:
            raise RuntimeFault(f"{node.at}: {err}", kind=err.kind, hint=err.hint) from err
        self._cache.keep(node.key, layer)
        return layer

    def _made(self, operation: ops.Operation, inputs: list[Chain]) -> Layer | None:
        layers = chains.directories(self._store, inputs[0])
        if isinstance(operation, ops.Execute):
            return self._executed(operation, layers, inputs[1:])
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
        self, operation: ops.Execute, layers: tuple[Path, ...], others: list[Chain]
    ) -> Layer | None:
        if self._spawner is None:
            raise RuntimeFault("a build without RUN met a RUN")
        if not layers:
            raise ValueError("there is nothing to run in an empty image")
        with ExitStack() as stack:
            # Secrets are among it: below the run root, which is in memory by default.
            place = stack.enter_context(scratch(self._run if self._options.secrets else self._data))
            mounts = Mounts(place, self._data / "build-cache", self._options.secrets, stack)
            origins: list[Context] = [RootContext(chains.directories(self._store, each)) for each in others]
            args = mounts.prepare(operation, self._context, origins)
            spec = command.spec(
                operation, layers, args, binds=tuple(mounts.binds), environment=mounts.environment
            )
            upper = stack.enter_context(command.changes(self._spawner, spec, self._options.output))
            command.tidy(upper, Tree(layers), tuple(bind.target for bind in mounts.binds))
            if self._options.epoch is not None:
                command.clamp(upper, self._options.epoch)
            if next(upper.iterdir(), None) is None:
                return None
            return self._stored(lambda sink: pack(upper, sink))

    def _stored(self, write: Callable[[Writable], object]) -> Layer:
        descriptor, diff_id = self._store.add_layer(write)
        return Layer(descriptor, diff_id, self._created())

    def _created(self) -> datetime:
        return datetime.fromtimestamp(self._now, UTC)


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


def _fault(node: ops.Node, reason: str) -> RuntimeFault:
    return RuntimeFault(f"{node.at}: {_names(node)}: {reason}", kind="failed")


def _names(node: ops.Node) -> str:
    operation = node.operation
    if isinstance(operation, ops.Execute):
        return shortened(f"RUN {' '.join(operation.command) or operation.script}")
    return {"Directory": "WORKDIR"}.get(type(operation).__name__, "COPY or ADD")
