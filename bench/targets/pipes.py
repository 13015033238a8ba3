"""A channel of two named pipes in a directory, for boxes that are started by somebody else's daemon.

Nothing of the engine's stands between the harness and the workload then: no client that stays attached, no
copying by a shim. A container has the directory at INSIDE and its first process opens the pipes itself.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.workloads.agent import PATH as AGENT

CHANNEL: Literal["named pipes"] = "named pipes"
INSIDE = "/run/tare"
COMMAND = ("/bin/sh", "-c", f"exec <{INSIDE}/in >{INSIDE}/out; . {AGENT}")
"""One exec, as the agent's own: the shell that opens the pipes then reads the agent."""


@dataclass(frozen=True)
class Pipes:
    """Both ends that are ours; `agent` is read, `requests` is written."""

    place: Path
    agent: int
    requests: int

    @classmethod
    def make(cls, place: Path) -> "Pipes":
        """Make both pipes in the directory `place`."""
        for name in ("in", "out"):
            os.mkfifo(place / name)
        # fifo(7): opening the end to read does not wait with O_NONBLOCK, and the other end can be opened
        # before there is a reader only for both directions.
        agent = os.open(place / "out", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(agent, True)
        return cls(place, agent, os.open(place / "in", os.O_RDWR | os.O_CLOEXEC))

    def close(self) -> None:
        """Close our ends."""
        os.close(self.agent)
        os.close(self.requests)
