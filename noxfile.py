"""Tasks: `nox` runs tests, linters and the type checker in the environment that `./bootstrap` made."""

import os
import sys
import tempfile
from pathlib import Path

import nox

nox.options.sessions = ["tests", "lint", "types"]
nox.options.default_venv_backend = "none"
nox.options.error_on_external_run = False
BIN = Path(sys.executable).parent


def tool(session: nox.Session, name: str, *args: str) -> None:
    """Run a program of this environment."""
    session.run(str(BIN / name), *args, external=True)


@nox.session
def tests(session: nox.Session) -> None:
    """Every test that this host can run; what it lacks is skipped with its reason."""
    tool(session, "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, and the direction of imports."""
    tool(session, "ruff", "check", ".")
    tool(session, "ruff", "format", "--check", ".")
    tool(session, "lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Strict type check."""
    tool(session, "mypy")


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure Tare's own hot paths (root for the starts); figures go to benchmarks.json, tare-starts.json."""
    targets = ["--tare-target", "native,container", "--tare-json", "tare-starts.json"]
    figures = ["--benchmark-enable", "--benchmark-only", "--benchmark-json", "benchmarks.json"]
    tool(session, "pytest", "tests/perf", *figures, *targets, *session.posargs)


@nox.session(default=False)
def peers(session: nox.Session) -> None:
    """Time container starts, and pulls, pushes and builds of images, against other tools (root).

    `-- starts OPTION…`, `-- idle OPTION…` (memory of idle containers) or `-- images OPTION…` (some ten
    minutes, all in one interleaved run) does one of them, options alone are those of the starts; --json FILE
    keeps the figures.
    """
    first, *others = session.posargs or [""]
    parts = (
        [first] if first in {"starts", "idle", "images"} else ["starts"] if first else ["starts", "images"]
    )
    words = others if first in parts else session.posargs
    for part in parts:
        tool(session, "python", "-m", f"tests.peers.{part}", *words)


@nox.session(default=False)
def calibrate(session: nox.Session) -> None:
    """Test the statistics on simulated data and, as root, real starts; the table goes to calibration.json."""
    tool(session, "python", "-m", "tests.calibration.run", *session.posargs)


@nox.session(default=False)
def stability(session: nox.Session) -> None:
    """Tell which verdicts of a saved `tare claims` hang on its very samples: -- FILE [--rounds N] [--all]."""
    tool(session, "python", "-m", "tests.calibration.stability", *session.posargs)


@nox.session(default=False)
def torture(session: nox.Session) -> None:
    """Every round of the torture table (root), then each defence taken away.

    Figures go to torture.json, or to $TARE_TORTURE_JSON.
    """
    figures = os.environ.get("TARE_TORTURE_JSON", "torture.json")
    session.env.update({"TARE_TORTURE": "full", "TARE_TORTURE_JSON": figures})
    # One has a name that the ordinary tests do not collect: it runs a whole suite twice.
    paths = ("tests/torture", "tests/torture/conformance_can_fail.py")
    kills = ("tests/privileged/test_network_crash.py", "tests/unit/bench/test_resume.py")
    tool(session, "pytest", *paths, *kills, "--timeout=900", *session.posargs)
    tool(session, "python", "-m", "tests.torture.defences")


@nox.session(default=False)
def differential(session: nox.Session) -> None:
    """Build every Dockerfile of imagebuilder with Tare and with buildah, and compare (root)."""
    session.env["TARE_TORTURE"] = "full"
    tool(session, "pytest", "tests/differential", *session.posargs)


@nox.session(default=False)
def guest(session: nox.Session) -> None:
    """Run privileged tests in a guest with pure cgroup v2, under systemd's delegated tree (root).

    Without arguments all of them, an hour where it is emulated; first whether it works at all.
    """
    if not session.posargs:
        tool(session, "pytest", "tests/guest/quick.py")
    tool(session, "python", "-m", "tests.guest.run", *session.posargs)


@nox.session
def package(session: nox.Session) -> None:
    """Install the wheel into a clean environment and see where each import comes from."""
    with tempfile.TemporaryDirectory() as folder:
        tool(session, "pip", "wheel", "-q", "--no-deps", "-w", folder, ".")
        wheel = next(Path(folder).glob("tare-*.whl"))
        session.run(sys.executable, "-m", "venv", f"{folder}/venv", external=True)
        session.run(f"{folder}/venv/bin/pip", "install", "-q", str(wheel), external=True)
        check = (
            "import pathlib, sys, bench, reports, runtime, vmdriver; "
            "ours = (bench, reports, runtime, vmdriver); "
            "assert all(pathlib.Path(m.__file__).is_relative_to(sys.prefix) for m in ours)"
        )
        with session.chdir(folder):
            session.run(f"{folder}/venv/bin/python", "-c", check, external=True)
            session.run(f"{folder}/venv/bin/tare", "--version", external=True)
