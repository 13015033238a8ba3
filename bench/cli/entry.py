"""Where `tare` begins: a build that would change nothing is answered before the command line is loaded."""

from __future__ import annotations

import os
import sys

from bench.cli import again

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Run `tare` with the arguments of this process; never returns."""
    if "build" in sys.argv[1:5]:
        found = again.begin(sys.argv[1:])
        if found is not None:
            _answer(*found)
    from bench.cli.main import main as command  # noqa: PLC0415 - 0.1 s

    command()


def _answer(digest: str, quiet: bool) -> NoReturn:
    if not quiet:
        sys.stderr.write("nothing has changed since the last build: every step is cached\n")
    try:
        sys.stdout.write(f"{digest}\n")
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError as err:
        os.write(2, f"tare: standard output: {err.strerror}\n".encode())
        os._exit(3)
    os._exit(0)


if __name__ == "__main__":
    main()
