"""The table of docs/reference/claims.md, from the definitions: `python -m tests.unit.bench.claims_page`."""

from bench.claims.definition import Always, AtLeast, AtMost, Equivalent
from bench.claims.load import claims
from bench.claims.words import amount, named
from bench.claims.words import say as word
from bench.scenarios.registry import METRICS
from tests.unit import page_table
from tests.unit.page_table import DOCS

PAGE = DOCS / "reference/claims.md"
PLAIN = ("density", "build", "distribution", "anywhere", "registry")
TIMES = ("first_write", "second_write", "first_lookup", "next_lookup")
UNITS = {**dict.fromkeys(("ready", "recovered", "recovery", "answer", "delete", *TIMES), "s"),
         **dict.fromkeys((*METRICS["limits"], "isolated", "slowdown", "shared"), "")}  # fmt: skip


def table():
    """Return the table as Markdown."""
    lines = ["| claim | the course says | decided by | would flip it |", "|---|---|---|---|"]
    return "\n".join([*lines, *map(_row, claims().values())]) + "\n"


def _row(one):
    decided = "; ".join(map(_part, one.part)) or "no scenario yet"
    return f"| `{one.id}` | {one.says.en} {one.says.zh} | {decided} | {one.flip.en} |"


def _part(part):
    if part.rule is None:
        return f"{part.name}: no scenario yet"
    params = "".join(f" {value}" for value in part.params.values())
    other = "".join(f" {value}" for value in (part.baseline_params or {}).values())
    box = " / ".join(f"`{name}`" for name in part.targets) + other
    control = "control: " if part.role == "control" else ""
    return f"{control}`{part.scenario}` `{part.metric}`{params} of {box}: {_rule(part)} (n = {part.runs})"


def _rule(part):
    if isinstance(part.rule, Always):
        return f"always {part.rule.value:g}"
    unit = "" if part.scenario in PLAIN else UNITS.get(part.metric, "B")
    unit = f"{unit}/B" if part.over == "size" else unit
    if isinstance(part.rule, Equivalent):
        return f"within {part.rule.margin:.0%}"
    if isinstance(part.rule, AtMost | AtLeast):
        side = "at most" if isinstance(part.rule, AtMost) else "at least"
        limit = amount(part.rule.limit, "" if part.rule.of == "ratio" else unit)
        return f"{word(named(part.rule.of, part.over), 'en')} {side} {limit}"
    per = {"n": "instance", "size": "byte", "layers": "layer"}[part.over]
    return f"within {amount(part.rule.margin, unit)} of 0 per {per}"


def written():
    """Return the table as the page has it."""
    return page_table.written(PAGE)


if __name__ == "__main__":
    page_table.put(PAGE, table())
