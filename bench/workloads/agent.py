"""The agent: the program that stands in every box and answers on its channel."""

from importlib.resources import files

PATH = "/usr/lib/tare/agent"
MODE = 0o755


def source() -> bytes:
    """Return the agent, a POSIX shell script; see `bench.channel` for what it speaks."""
    return files("bench.workloads").joinpath("agent").read_bytes()
