"""Layers against instructions: which instructions add one, and whether each installed program does."""

from bench.trials.archives import Contents
from bench.trials.builders import Builder, Recipe
from bench.value import Value
from runtime.image.image import Image

PROGRAMS = 3
INSTALL = "mkdir -p /opt/{0} && echo program {0} > /opt/{0}/run && chmod +x /opt/{0}/run"
HEAD = 'FROM {base}\nLABEL made.by="trial"\nENV PLACE=/opt\n'
TAIL = 'EXPOSE 8080\nUSER 65534\nCMD ["/opt/1/run"]\n'
EACH = HEAD + "".join(f"RUN {INSTALL.format(n)}\n" for n in range(PROGRAMS)) + TAIL
TOGETHER = HEAD + "RUN " + " && ".join(INSTALL.format(n) for n in range(PROGRAMS)) + "\n" + TAIL


def measure(builder: Builder, below: Image) -> list[Value]:
    """Return layers on the image `below` for each installed program, and for each instruction of a kind."""
    history, layers = len(below.document.history), len(below.layers)
    builder.build(Recipe(EACH))
    each = builder.contents()
    builder.build(Recipe(TOGETHER))
    together = builder.contents()
    return [
        _programs(each, layers, "a RUN each"),
        _programs(together, layers, "one RUN for all"),
        *by_instruction(each.steps(history)),
    ]


def _programs(contents: Contents, below: int, how: str) -> Value:
    added = len(contents.layers) - below
    return Value("layers_per_program", "1", added / PROGRAMS, {"how": how}, steady=True)


def by_instruction(steps: list[tuple[str, bool]], **more: str) -> list[Value]:
    """Return the layers of an instruction by its word: 1 if each adds one, 0 if none does."""
    words = dict.fromkeys(word for word, _ in steps)
    return [
        Value("layers_per_instruction", "1", sum(layer for w, layer in steps if w == word)
              / sum(w == word for w, _ in steps), {"instruction": word, **more}, steady=True)
        for word in words
    ]  # fmt: skip
