"""Whether two stages that don't need each other, each with work for a CPU, are under way together."""

from bench.trials.builders import Builder, Recipe
from bench.value import Value

UPTIME = "read -r now _ < /proc/uptime; echo $now"
"""The host's clock since its start, in hundredths of a second, the same in every container."""
WORK = "head -c 134217728 /dev/zero | sha256sum"
STAGE = "FROM {{base}} AS {0}\nRUN ({1}; {2} >/dev/null; {1}) > /{0}\n"
TEXT = (
    "".join(STAGE.format(name, UPTIME, WORK) for name in ("one", "two"))
    + "FROM {base}\nCOPY --from=one /one /\nCOPY --from=two /two /\n"
)


def measure(builder: Builder) -> list[Value]:
    """Return the seconds of the whole build, and the share of the shorter stage in which both ran."""
    seconds = builder.build(Recipe(TEXT))
    contents = builder.contents()
    return [Value("duration", "s", seconds), Value("overlap", "1", overlap(contents.file("one"),
            contents.file("two")), steady=True)]  # fmt: skip


def overlap(one: str, two: str) -> float:
    """Return the share from two texts of begin and end: 0 for one after the other, 1 for side by side."""
    (begin, end), (start, stop) = (tuple(map(float, text.split())) for text in (one, two))
    shorter = min(end - begin, stop - start)
    both = min(end, stop) - max(begin, start)
    return max(0.0, min(1.0, both / shorter)) if shorter > 0 else 0.0
