"""Where the executable `tare-oci` begins and ends, without what an interpreter does there and it can spare.

A run makes no cycles worth collecting while it lasts some milliseconds, and the kernel frees everything at
its end faster than an interpreter that takes itself apart: together about 2.7 ms of a start's 30.
"""

from __future__ import annotations

import gc
import os
import sys

from runtime.oci import codecache

# Not switched off: a `run` in the foreground may relay a terminal for days.
gc.set_threshold(100_000)

FREQUENT = ("run", "create", "start", "state", "kill", "delete", "exec")


def main() -> None:
    """Run `tare-oci` with the arguments of this process, and end it; never returns."""
    file = codecache.path(next((word for word in sys.argv[1:] if word in FREQUENT), ""))
    known = file and codecache.load(file)
    recorder = codecache.Recorder() if file and not known else None
    from runtime.oci import main as command  # noqa: PLC0415 - below the threshold, and from the cache

    code = command.main()
    code = code if _flushed() else 1
    if recorder:
        recorder.save(file)
    os._exit(code)


def _flushed() -> bool:
    """Write what is still buffered; whether standard output took all of it (as at a usual end)."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError) as err:
        os.write(2, f"tare-oci: cannot write what was asked for: {err}\n".encode())
        return False
    return True


if __name__ == "__main__":
    main()
