"""What the fixture `target` gives a test."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

from bench.calibration import echoes
from bench.clock import now
from bench.errors import BenchFault
from bench.exchange.pytest_export import MARK
from bench.ladder import Running, climb
from bench.sentinels import Sentinels
from bench.session import QUIET

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.channel import Finished
    from bench.plugin.laboratory import Laboratory

PATIENCE = 60.0


class Benchmark(Protocol):
    """What is used of pytest-benchmark's fixture."""

    extra_info: dict[str, Any]

    @property
    def pedantic(self) -> Callable[..., Any]:
        """Run a function in rounds, with a set-up and a tear-down that are not timed."""


class Box:
    """A started instance that is ready to answer."""

    def __init__(self, running: Running, ended: Callable[[], None]) -> None:
        self._running, self._ended = running, ended

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds from the request to each rung of the launch ladder; `ready` is the last."""
        return self._running.ladder.durations()

    def ping(self) -> None:
        """Ask, and return when the box has answered correctly."""
        self._running.channel.ping(now() + PATIENCE)

    def execute(self, command: str, *, patience: float = PATIENCE) -> Finished:
        """Run a shell command inside; returns status, output, and seconds by the host's clock.

        The bare process of `native` is given neither /dev nor /proc here, so a command that needs them fails.
        """
        return self._running.channel.execute(command, now() + patience)

    def remove(self) -> None:
        """End it, and insist that nothing of it is left."""
        self._ended()


class Probe:
    """A target of Tare in one test: `start()`, `stop()`, and `measure(benchmark)` for both in rounds.

    What a test does not stop is removed at its end. Each start and its removal is a sample in the result file
    of `--tare-json`, with the sentinels around it; the first of a test is kept as a warm-up.
    """

    def __init__(
        self, laboratory: Laboratory, name: str, test: str, benchmark: Benchmark | None = None
    ) -> None:
        self.name = name
        self._laboratory, self._test, self._benchmark = laboratory, test, benchmark
        self._sentinels = Sentinels()
        self._stack = ExitStack()
        self._running: Running | None = None
        self._number = 0
        self._watching = False
        self._describe()

    def start(self) -> Box:
        """Start a fresh instance and return when it has answered.

        Raises BenchFault of kind `usage` while the one before still runs, which would disturb this one.
        """
        if self._running is not None:
            raise BenchFault(
                f"{self._running.instance.name} still runs",
                hint="stop it before the next start: target.measure(benchmark), or "
                "benchmark.pedantic(target.start, teardown=target.stop, rounds=20)",
                kind="usage",
            )
        launcher = self._laboratory.launcher(self.name)
        self._running = self._stack.enter_context(climb(launcher, self._laboratory.fresh(self.name)))
        return Box(self._running, self.stop)

    def stop(self) -> None:
        """Remove the instance, if one runs, and record its figures."""
        running, self._running = self._running, None
        if running is None:
            return
        with self._stack.pop_all():
            gone = running.remove()
        figures = running.ladder.durations() | {"teardown": gone}
        seen = self._sentinels.stop() if self._watching else {}
        self._laboratory.record(self.name, self._test, self._number, figures, seen)
        self._number += 1
        self._watching = False

    def watch(self) -> None:
        """Look at the host before a start, in a quiet moment as before each turn of `tare run`; not timed."""
        self._sentinels.start()
        self._sentinels.stop()
        time.sleep(QUIET)
        self._sentinels.start()
        self._watching = True

    def measure(self, benchmark: Benchmark, *, rounds: int = 20) -> None:
        """Let `benchmark` time `rounds` starts to the first correct reply, after one for warming up.

        Removal and sentinels are outside of what is timed. Then the channel is calibrated: a hundred echoes,
        whose median stands in `extra_info`.
        """
        benchmark.pedantic(
            self.start, setup=self.watch, teardown=self.stop, rounds=rounds, warmup_rounds=1, iterations=1
        )
        self.stop()  # with --benchmark-disable the function is called once, without the tear-down
        benchmark.extra_info[MARK]["echo_seconds"] = self.echo()

    def echo(self) -> float:
        """Return the median seconds of a request and its reply on the channel of a fresh instance."""
        self.start()
        running, self._running = self._running, None  # no sample: it only carries the echoes
        with self._stack.pop_all():
            found = echoes(running.channel) if running else ()
        self._laboratory.listened(self.name, found)
        return statistics.median(found)

    def close(self) -> None:
        """Remove what still runs."""
        self._running = None
        self._stack.close()

    def _describe(self) -> None:
        """Tell pytest-benchmark's file what it has no field for, so that an import finds it again."""
        if self._benchmark is None:
            return
        target = self._laboratory.target(self.name)
        prepared = self._laboratory.launcher(self.name).prepared
        self._benchmark.extra_info[MARK] = {
            "scenario": "pytest",
            "target": self.name,
            "kind": target.kind,
            "metric": "call",
            "params": {"test": self._test},
            "accelerator": prepared.accelerator,
            "boundary": prepared.boundary,
        }
