"""Where the executable `tare-oci` ends, without what an interpreter does there and it can spare.

The kernel frees everything at its end faster than an interpreter that takes itself apart.
"""

from __future__ import annotations

import os
import sys

from runtime.oci import main as command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def main(at_end: Callable[[], None] = lambda: None) -> None:
    """Run `tare-oci` with the arguments of this process, and end it; never returns."""
    code = command.main()
    code = code if _flushed() else 1
    try:
        at_end()
    finally:  # what is kept for the next time says nothing of this one
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
