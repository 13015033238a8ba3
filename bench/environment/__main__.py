"""Prints the environment as JSON: `python -m bench.environment --data DIR [--hostname]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from bench.environment.collect import collect


def main() -> int:
    """Collect and print; the caller reads standard output."""
    parser = argparse.ArgumentParser(prog="python -m bench.environment")
    parser.add_argument("--data", type=Path, required=True, help="Tare's data root")
    parser.add_argument("--hostname", action="store_true", help="include the host's name")
    options = parser.parse_args()
    survey = collect(options.data, hostname=options.hostname)
    sys.stdout.buffer.write(msgspec.json.encode(survey) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
