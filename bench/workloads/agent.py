"""The agent: the program that stands in every box and answers on its channel."""

from importlib.resources import files

PATH = "/usr/lib/tare/agent"
MODE = 0o755
MARK = "/usr/lib/tare/mark"
MARKING = b"#!/bin/sh\nprintf '\\036tare %s\\n' \"$1\" >&3\n"
"""A program that writes the marker which it is given to descriptor 3."""


def source() -> bytes:
    """Return the agent, a POSIX shell script; see `bench.channel` for what it speaks."""
    return files("bench.workloads").joinpath("agent").read_bytes()
