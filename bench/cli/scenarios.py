"""Which scenarios a command line asks for."""

from collections.abc import Collection, Sequence

import click

from bench.scenario import Scenario
from bench.scenarios.registry import STANDARD, scenarios
from bench.targets.names import ALL


def wanted(names: Sequence[str], versions: Sequence[str], *, cold: bool) -> tuple[Scenario, ...]:
    """Return the scenarios of `names` in their order, each once: the standard ones for none, `all` for every.

    `versions` names versions of targets, which take part too. With `cold` only those that have a cold state;
    BadParameter for a name that is none of them.
    """
    known = scenarios(versions)
    _check(names, known, "there is no scenario '{}'; there are")
    fit = {name: one for name, one in known.items() if one.can_be_cold} if cold else known
    _check(names, fit, "{} has no cold state; --cold goes with")
    asked = known if ALL in names else names or STANDARD
    return tuple(fit[name] for name in dict.fromkeys(asked) if name in fit)


def check_precision(measured: Sequence[Scenario]) -> None:
    """Refuse --precision where nothing of what is measured would heed it; BadParameter."""
    if not any(one.decisive for one in measured):
        fit = ", ".join(name for name, one in scenarios(()).items() if one.decisive)
        raise click.BadParameter(f"--precision goes with {fit}; of the others the number of runs is given")


def _check(names: Sequence[str], known: Collection[str], refusal: str) -> None:
    for name in names:
        if name not in {*known, ALL}:
            raise click.BadParameter(f"{refusal.format(name)}: {', '.join((*known, ALL))}")
