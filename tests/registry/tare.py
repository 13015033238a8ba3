"""Runs `tare` from the repository: `python -m tests.registry.tare`."""

from bench.cli.main import main

main()
