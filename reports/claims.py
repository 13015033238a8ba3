"""The verdicts on claims that a run carries, as a table."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from bench.claims import words
from bench.claims.load import claims
from reports.tables import Cell, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reports.model import View

CAPTION = (
    "Experiment, rule and limit of each claim were fixed before the data. A verdict is preliminary after "
    "--fast. " + words.say("ready", "en").capitalize() + "."
)
HEAD = ("claim", "verdict", "evidence", "would flip it", "SHA-256 of the raw data", "repeat with")


def verdicts(view: View) -> list[Table]:
    """Return a table with a row for each claim that the run was for, or none."""
    rows = tuple(_row(record) for record in view.run.verdicts if record.get("kind") == "claim")
    return [Table(CAPTION, HEAD, rows)] if rows else []


def _row(record: Mapping[str, Any]) -> tuple[Cell, ...]:
    claim = claims().get(record["claim"])  # a file may be of a Tare that has others
    title = f"{record['claim']}\n{claim.says.en}\n{claim.says.zh}" if claim else record["claim"]
    # A cell's first line is the large one.
    evidence = "\n".join(["", *(words.evidence(part, "en") for part in record["parts"])])
    return tuple(
        Cell(text)
        for text in (
            title, words.heading(record, "en"), evidence, claim.flip.en if claim else "", record["data"][:16],
            shlex.join(record["repeat"]),
        )
    )  # fmt: skip
