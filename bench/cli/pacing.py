"""Options of `tare run` about how long it goes on, and taking up one that was cut off."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from bench import resume
from bench.errors import BenchFault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


class Percent(click.ParamType[float]):
    """A share, written as 2% or 2."""

    name = "P%"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the share (0.02); it has to lie between 0 and 100 %."""
        if isinstance(value, float):
            return value
        try:
            number = float(str(value).removesuffix("%"))
        except ValueError:
            self.fail(f"'{value}' is no percentage; write 2%", param, ctx)
        if not 0 < number < 100:  # noqa: PLR2004
            self.fail(f"{value} is not between 0 and 100 %", param, ctx)
        return number / 100


class Seconds(click.ParamType[float]):
    """A time of at least one second; neither `nan`, which is later than any moment, nor `inf`."""

    name = "SECONDS"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        try:
            number = float(str(value))
        except ValueError:
            self.fail(f"'{value}' is no number of seconds", param, ctx)
        if not 1 <= number < math.inf:
            self.fail(f"{value} is no time that a run can have: at least 1, or leave it out", param, ctx)
        return number


def pacing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


FREE = frozenset({"resumed", "quiet", "max_time", "html_file", "dry_run"})
"""Parameters of `tare run` that say nothing of what is measured, so that they may be others with --resume."""

OPTIONS = (
    click.option(
        "--precision",
        type=Percent(),
        help="Run until each median of startup, cpu, io and network is known to P% either way (at most "
        "--runs, or 1000).",
    ),
    click.option("--cold", is_flag=True, help="Start from a page cache without the image; startup alone."),
    click.option("--max-time", type=Seconds(), metavar="SECONDS", help="Begin no turn after that time."),
    click.option(
        "--resume",
        "resumed",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Go on with a run that was cut off, by its result file; its own options hold.",
    ),
)


def again(command: click.Command, file: Path) -> tuple[dict[str, Any], int]:
    """Return the parameters of the command that began the run in `file`, and its seed."""
    run = resume.unfinished(file)
    if subcommand(run.command) != "run":
        raise BenchFault(
            f"{file} was not begun by `tare run`, so it can't be taken up",
            hint=f"start it again: {shlex.join(run.command)}",
            kind="usage",
        )
    try:
        made = command.make_context("run", list(words(run.command)))
    except click.ClickException as err:
        raise BenchFault(
            f"{file} was made by a command that this Tare does not know: {err.format_message()}",
            hint="resume it with the version that began it, or start a new run",
            kind="usage",
        ) from err
    return made.params, run.seed


def agree(given: Mapping[str, Any], began: Mapping[str, Any], file: Path) -> None:
    """Refuse what is given beside --resume and is not what the run in `file` began with (`FREE` may differ).

    Its own options hold: one that is passed over would be believed. BenchFault of kind `usage`.
    """
    context = click.get_current_context()
    told = {name for name in given if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if given["json_file"] and given["json_file"].absolute() == file.absolute():
        told.discard("json_file")
    names = {one.name or "": one for one in context.command.params if one.name in told - FREE}
    other = sorted(_shown(one) for name, one in names.items() if given[name] != began.get(name))
    if other:
        raise BenchFault(
            f"the run in {file} began with another {' and another '.join(other)}",
            hint="a run goes on as it began: leave that out, or start a new run without --resume",
            kind="usage",
        )


def _shown(parameter: click.Parameter) -> str:
    """Return the longest name of an option, or an argument's."""
    return max(parameter.opts, key=len) if isinstance(parameter, click.Option) else "SCENARIO"


def subcommand(line: Sequence[str]) -> str:
    """Return the subcommand in a command line of Tare: the first word that is neither option nor value."""
    place = 1
    while place < len(line) and line[place].startswith("-"):
        place += 2 if line[place] == "--root" else 1
    return line[place] if place < len(line) else ""


def words(line: Sequence[str]) -> Sequence[str]:
    """Return what stands after `run` in a command line of Tare; an option's value is no command."""
    place = 1
    while place < len(line) and line[place] != "run":
        place += 2 if line[place] == "--root" else 1
    return line[place + 1 :]
