"""The plugin that pytest loads: options, and the fixture `target`.

`def test_start(benchmark, target): target.measure(benchmark)` runs once for each target of `--tare-target`.
Nothing of Tare is imported before a test asks for the fixture.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.plugin.laboratory import Laboratory
    from bench.plugin.probe import Probe
    from bench.variant import Variant

FIXTURE = "tare_target_name"
DEFAULT = "native"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("tare", "boxes to measure: bare processes, containers, virtual machines")
    group.addoption(
        "--tare-target",
        metavar="TARGET[,TARGET]",
        help="Targets of the fixture `target` (default: the ini option tare_targets, else native); as for "
        "`tare run`, so container:image=debian:12 is a version of one.",
    )
    group.addoption(
        "--tare-root", metavar="DIR", help="Where Tare keeps data and state (default: as `tare`)."
    )
    group.addoption(
        "--tare-json", metavar="FILE", help="Write the launch ladder of every start as a result file of Tare."
    )
    parser.addini("tare_targets", "Targets of the fixture `target`, with commas between.", default=DEFAULT)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses our `target` once for each target."""
    if FIXTURE in metafunc.fixturenames:
        names, _ = _targets(metafunc.config)
        metafunc.parametrize(FIXTURE, names)


@pytest.fixture(scope="session")
def tare_root(pytestconfig: pytest.Config) -> Path | None:
    """Return where Tare keeps data and state, None for its own default; a project may have one of its own."""
    root = pytestconfig.getoption("tare_root") or os.environ.get("TARE_ROOT")
    return Path(root) if root else None


@pytest.fixture(scope="session")
def tare_laboratory(pytestconfig: pytest.Config, tare_root: Path | None) -> Iterator[Laboratory]:
    """Open what all tests of the session share: drivers, prepared boxes, the result file."""
    from bench.cli.context import Context  # noqa: PLC0415 - only who measures pays for the import
    from bench.errors import BenchFault  # noqa: PLC0415
    from bench.plugin.laboratory import Laboratory  # noqa: PLC0415

    file = pytestconfig.getoption("tare_json")
    place = Context.at(tare_root)
    names, versions = _targets(pytestconfig)
    command = ("pytest", *sys.argv[1:])
    where = Path(file).absolute() if file else None
    try:
        with Laboratory((place.data, place.run), names, versions, where, command) as laboratory:
            yield laboratory
    except BenchFault as fault:
        fault.add_note(fault.hint)
        raise


@pytest.fixture
def target(
    tare_laboratory: Laboratory, tare_target_name: str, request: pytest.FixtureRequest
) -> Iterator[Probe]:
    """Give a box to start, a `bench.plugin.probe.Probe`; skips what this host can't run, with the reason."""
    from bench.plugin.probe import Probe  # noqa: PLC0415

    missing = tare_laboratory.missing(tare_target_name)
    if missing:
        pytest.skip(f"{tare_target_name}: {missing}")
    benchmark = request.getfixturevalue("benchmark") if "benchmark" in request.fixturenames else None
    test = _without(tare_target_name, request.node.nodeid)
    probe = Probe(tare_laboratory, tare_target_name, test, benchmark)
    try:
        yield probe
    finally:
        probe.close()


def _without(name: str, test: str) -> str:
    """Return a test's id without the target's name, which has a place of its own; other parameters stay.

    What is measured under other parameters is something else, and its figures are no samples of one.
    """
    function, _, parameters = test.partition("[")
    rest = f"-{parameters.removesuffix(']')}-".replace(f"-{name}-", "-", 1)[1:-1]
    return f"{function}[{rest}]" if rest else function


def _targets(config: pytest.Config) -> tuple[list[str], list[Variant]]:
    """Return the names of the targets, and what the versions among them are; UsageError for unknown ones."""
    from bench.errors import BenchFault  # noqa: PLC0415
    from bench.targets.names import choose  # noqa: PLC0415

    text = config.getoption("tare_target") or config.getini("tare_targets")
    try:
        chosen = choose(text)
    except BenchFault as fault:
        raise pytest.UsageError(f"--tare-target: {fault} ({fault.hint})") from fault
    if chosen.every:  # a test that ran on nothing would pass
        raise pytest.UsageError(f"--tare-target: name the targets; '{text}' is for `tare run`")
    return list(chosen.names), list(chosen.versions)
