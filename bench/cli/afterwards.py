"""What `tare run` does with a finished run: names it, compares it, and judges."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from bench.cli.context import Context
from bench.cli.judging import Judge, measured
from bench.compare.report import compare_runs, compare_targets
from bench.errors import BenchFault
from bench.history import names
from bench.history.shelf import Shelf
from bench.results import Run
from bench.scenarios.registry import METRICS


@dataclass(frozen=True)
class Afterwards:
    """Settled before the first sample, so that a wrong name costs no minutes."""

    judge: Judge
    name: str | None
    base: Run | None
    pair: tuple[str, str] | None

    @classmethod
    def of(cls, context: Context, scenarios: Sequence[str], options: dict[str, Any]) -> "Afterwards":
        """Read the base and check the name and the thresholds; BenchFault for what can't be."""
        judge = Judge.of(options)
        name = names.check(options["save"]) if options["save"] is not None else None
        reference, pair = options["reference"], options["ab"]
        if judge.thresholds and not (reference or pair):
            raise BenchFault(
                "--fail-on has nothing to compare with",
                hint="add --compare RUN, or --ab TARGET,TARGET",
                kind="usage",
            )
        base = measured(Shelf(context.results).find(reference)) if reference else None
        judge.check_names((s, metric) for s in scenarios for metric in METRICS[s])
        if base is not None and not pair:
            judge.check(base)
        return cls(judge, name, base, pair.names if pair else None)

    def save(self, context: Context, file: Path) -> None:
        """Give the run in `file` its name."""
        if self.name is None:
            return
        shelf = Shelf(context.results)
        key = shelf.key_of(str(file))
        before = shelf.names.put(self.name, key)
        context.say(f"saved {key} as {self.name}" + (f", which was {before}" if before else ""))

    def compare(self, context: Context, run: Run) -> int:
        """Print the comparisons that were asked for; returns the exit code."""
        try:
            codes = [self._within(context, run), self._against(context, run)]
        except BenchFault as fault:
            if not run.failures:
                raise
            context.say(f"tare: {fault}")  # what failed has been said, and is why
            return 1
        return 1 if 1 in codes else max(codes)

    def _within(self, context: Context, run: Run) -> int:
        if self.pair is None:
            return 0
        click.echo()
        report = compare_targets(run, *self.pair, margin=self.judge.margin)
        return self.judge.tell(context, report, "table")

    def _against(self, context: Context, run: Run) -> int:
        if self.base is None:
            return 0
        click.echo()
        report = compare_runs(self.base, run, margin=self.judge.margin)
        return self.judge.tell(context, report, "table")
