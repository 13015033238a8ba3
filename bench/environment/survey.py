"""Asks a separate process for the environment, so that the measuring one stays small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from bench.errors import BenchFault
from bench.results import Caveat, Environment  # noqa: TC001 - msgspec reads the annotations

SECONDS = 60
HOME = Path(__file__).parents[2]  # where the packages are, installed or not


class Survey(msgspec.Struct, frozen=True):
    """The environment, and what in it weakens the numbers; `python -m bench.environment` prints it."""

    environment: Environment
    caveats: tuple[Caveat, ...]


def survey(data: Path, *, hostname: bool = False) -> Survey:
    """Collect the environment of this host; `data` is the data root, whose file system is described.

    `hostname` also records the host's name, which is private unless asked for. Raises `BenchFault` ("failed")
    when the collecting process fails.
    """
    command = [sys.executable, "-m", "bench.environment", "--data", str(data.absolute())]
    command += ["--hostname"] * hostname
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=SECONDS, cwd=HOME)
        return msgspec.json.decode(done.stdout, type=Survey)
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError) as err:
        raise BenchFault(
            f"cannot describe this host: {_last_words(err)}",
            hint=f"try it by hand: {' '.join(command)}",
            kind="failed",
        ) from err


def _last_words(err: Exception) -> str:
    spoken = getattr(err, "stderr", None) or b""
    lines = spoken.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else str(err)
