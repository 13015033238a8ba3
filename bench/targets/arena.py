"""A mount namespace for runtimes that are picky about their host, held by a process that sleeps.

crun before 1.9 refuses a host with version 1 controllers and a version 2 tree beside them ("hybrid"), so
that tree is unmounted there. What is mounted there goes with the namespace, whoever ends it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from bench.errors import BenchFault
from bench.targets.calls import ENVIRONMENT, NUMBERS
from bench.targets.program import Program
from runtime.cgroups.hierarchy import detect
from runtime.container import NativeSpec, Spawner

READY = b"ready\n"
SHORT = "/mnt"
"""Podman refuses a run root of more than 50 characters."""


def hybrid() -> bool:
    """Tell whether this host has a version 2 tree beside version 1."""
    return detect().kind == "hybrid"


@contextmanager
def arena(spawner: Spawner, name: str, short: Path | None = None) -> Iterator[tuple[str, ...]]:
    """Yield the words that run a command in the namespace, where the directory `short` is at SHORT too."""
    unified = detect().unified if hybrid() else None
    steps = [
        *([f"umount {quote(str(unified))}"] if unified else []),
        *([f"mount --bind {quote(str(short))} {SHORT}"] if short else []),
        "echo ready",
        "exec sleep infinity",
    ]
    words = (Program("unshare", "util-linux").path, "--mount", "--propagation", "private", "/bin/sh", "-c")
    spec = NativeSpec(
        id=f"arena-{name}-{os.getpid()}-{next(NUMBERS)}", args=(*words, " && ".join(steps)), env=ENVIRONMENT
    )
    read, write = os.pipe()
    with os.fdopen(read, "rb") as told, spawner.start_native(spec, stdin=0, stdout=write, stderr=2) as holder:
        os.close(write)
        if told.readline() != READY:
            raise BenchFault(
                f"no mount namespace for {name} could be made",
                hint="`unshare --mount --propagation private true` has to work here",
                kind="host",
            )
        yield Program("nsenter", "util-linux").path, f"--mount=/proc/{holder.pid}/ns/mnt", "--"
