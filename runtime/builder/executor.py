"""Carry a plan out: each node's root as a chain of layers, cached or made, independent ones at once."""

from __future__ import annotations

import functools
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runtime.builder import cache, output, running, schedule, transfer
from runtime.builder import chain as chains
from runtime.builder import graph as ops
from runtime.builder.bases import Bases
from runtime.builder.dockerfile.position import shortened
from runtime.builder.fetching import Fetcher
from runtime.builder.plan import plan
from runtime.builder.progress import Progress
from runtime.container.scratch import scratch
from runtime.errors import RuntimeFault
from runtime.image.platform import host_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from runtime.builder.cache import Cache
    from runtime.builder.chain import Chain, Layer
    from runtime.builder.context import Context
    from runtime.builder.making import Maker
    from runtime.builder.plan import Plan, Request
    from runtime.builder.stages import Recipe
    from runtime.image.image import Image
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
    """How to build; `epoch` (seconds since 1970, SOURCE_DATE_EPOCH) is the newest time in the result.

    `secrets` are values and `agents` paths of ssh-agents' sockets, by the ids that mounts ask for;
    `pull` fetches base images though the store has them, `cache_from` and `cache_to` are directories of
    `transfer`.
    """

    progress: Progress = field(default_factory=Progress)
    use_cache: bool = True
    pull: bool = False
    epoch: int | None = None
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    agents: Mapping[str, str] = field(default_factory=dict)
    cache_from: tuple[Path, ...] = ()
    cache_to: tuple[Path, ...] = ()


def build(
    places: Places, recipe: Recipe, request: Request, context: Context, names: tuple[Reference, ...],
    *, options: Options, seen: Callable[[Plan, Cache], None] = lambda *_: None,
) -> Image:  # fmt: skip
    """Build an image and give it its names, if any; `seen` is shown what is to be done, and the cache.

    A DockerfileFault shows the instruction that failed; nothing stays of it.
    """
    bases = Bases(places.store, options.progress, always=options.pull)
    with ExitStack() as stack:
        fetcher = Fetcher(functools.cache(lambda: stack.enter_context(scratch(places.data))))
        planned = plan(recipe, request, context, bases.resolve, fetcher.content)
        runner = stack.enter_context(running.Deferred(places.run, places.data))
        stack.enter_context(places.store.writing())
        executor = _Executor(
            places, planned, context, bases.found, runner=runner, fetcher=fetcher, options=options
        )
        seen(planned, executor.cache)
        executor.make()
        return executor.finish(names)


class _Executor:
    def __init__(
        self, places: Places, planned: Plan, context: Context, bases: dict[str, Image],
        *, runner: running.Runner, fetcher: Fetcher, options: Options,
    ) -> None:  # fmt: skip
        self._places, self._context, self._fetcher = places, context, fetcher
        self._store, self._plan, self._bases = places.store, planned, bases
        self._runner, self._options = runner, options
        self.cache = cache.Cache(places.store, options.epoch, options.cache_from)
        self._now = int(time.time()) if options.epoch is None else options.epoch
        self._chains: dict[int, Chain] = {}

    def make(self) -> None:
        """Make every node's chain, those that don't need each other side by side."""
        workers = max(2, os.cpu_count() or 1)
        schedule.run(self._plan.graph, self._plan.result, self._work, workers=workers, stop=self._stop)

    def _stop(self) -> None:
        self._runner.close()

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
        for directory in self._options.cache_to:
            transfer.write(directory, self.cache.used, self._store)
        return output.store(self._store, document, tuple(layer.descriptor for layer in chain), names)

    def _base(self) -> Image | None:
        """Return the image that the result's stages start from, None for scratch."""
        node = self._plan.graph.nodes[self._plan.result]
        while node.inputs:
            node = self._plan.graph.nodes[node.inputs[0]]
        return self._bases[node.operation.digest] if isinstance(node.operation, ops.Image) else None

    def _created(self) -> datetime:
        return datetime.fromtimestamp(self._now, UTC)

    def _work(self, number: int) -> None:
        self._chains[number] = self._chain(number)

    def _chain(self, number: int) -> Chain:
        node = self._plan.graph.nodes[number]
        inputs = [self._chains[each] for each in node.inputs]
        match node.operation:
            case ops.Scratch():
                return ()
            case ops.Image(digest=digest):
                return chains.of_image(self._bases[digest])
            case ops.Merge():
                return (*inputs[0], *inputs[1])
        layer = self._layer(number, inputs)
        return (*inputs[0], layer) if layer else inputs[0]

    def _layer(self, number: int, inputs: list[Chain]) -> Layer | None:
        node, progress = self._plan.graph.nodes[number], self._options.progress
        key = cache.key(node.own, inputs)
        progress.begun(number, _shown(node))
        if self._options.use_cache and number not in self._plan.fresh and (found := self.cache.find(key)):
            progress.cached(number)
            return found[0]
        try:
            layer = self._made(number, node, inputs)
        except BaseException:
            progress.failed(number)
            raise
        self.cache.keep(key, layer)
        progress.done(number)
        return layer

    @functools.cached_property
    def _maker(self) -> Maker:
        from runtime.builder.making import Maker  # noqa: PLC0415 - a build with all in its cache makes nothing

        return Maker(
            self._places, self._context, runner=self._runner, fetcher=self._fetcher,
            options=self._options, now=self._now,
        )  # fmt: skip

    def _made(self, number: int, node: ops.Node, inputs: list[Chain]) -> Layer | None:
        from runtime.builder.command import CommandFailedError  # noqa: PLC0415 - as below

        try:
            return self._maker.made(number, node.operation, inputs)
        except CommandFailedError as err:
            raise _fault(node, f"the command ended with exit code {err.code}") from err
        except ValueError as err:
            raise _fault(node, str(err)) from err
        except OSError as err:
            raise _fault(node, f"{err.filename}: {err.strerror}") from err
        except RuntimeFault as err:
            raise RuntimeFault(f"{_shown(node)}: {err}", kind=err.kind, hint=err.hint) from err


def _fault(node: ops.Node, reason: str) -> RuntimeFault:
    return RuntimeFault(f"{_shown(node)}: {reason}", kind="failed")


def _shown(node: ops.Node) -> str:
    return f"{node.step.at}: {shortened(node.step.original)}" if node.step else type(node.operation).__name__
