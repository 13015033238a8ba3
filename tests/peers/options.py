"""The options that all comparisons share."""

from __future__ import annotations

import argparse


def parser(prog: str, description: str, *, rounds: int, warmup: int) -> argparse.ArgumentParser:
    """Return a parser with them; `rounds` and `warmup` are the defaults."""
    made = argparse.ArgumentParser(prog=prog, description=description)
    made.add_argument("--rounds", type=int, default=rounds, help="blocks that count (default: %(default)s)")
    made.add_argument(
        "--warmup", type=int, default=warmup, help="blocks that are thrown away (default: %(default)s)"
    )
    made.add_argument("--seed", type=int, default=1, help="of the order (default: 1)")
    made.add_argument("--only", metavar="PEER[,PEER]", help="these peers and no others")
    made.add_argument("--json", metavar="FILE", help="write all samples and quotients there")
    made.add_argument("--strict", action="store_true", help="exit with 1 when a goal is missed")
    return made
