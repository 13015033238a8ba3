"""Real Dockerfiles, seeded mutations of them, and what two parsers make of each."""

import json
import random
import re
import subprocess
import sys

from runtime.builder.dockerfile import DockerfileFault, parse
from tests.differential import package
from tests.fakes import buildkit_parser

KNOWN = frozenset(
    {
        *("add", "arg", "cmd", "copy", "entrypoint", "env", "expose", "from", "healthcheck", "label", "run"),
        *("maintainer", "onbuild", "shell", "stopsignal", "user", "volume", "workdir"),
    }
)
PIECES = [
    *("\\", "`", '"', "'", "[", "]", "${", "}", "$", "\t", "  ", "\n", "\r\n", "#", "=", ",", "\\\n", "`\n"),
    *("<<EOF", "<<-'E'", "\nEOF\n", "3<<X", "\nX\n", "COPY <<a <<b /x\n", "# escape=`\n", "# syntax=x\n"),
    *(
        "--x",
        "--a='b c' ",
        "-- ",
        "ONBUILD ",
        "HEALTHCHECK ",
        "RUN ",
        "ENV ",
        "ARG ",
        '["a", ',
        "null",
        "1e5",
    ),
    *(
        "\xa0",
        "\x1c",
        "\x85",
        "é",
        "\u3000",
        "\ufeff",
        "\x0b",
        "\x0c",
        "\\ud800",
        "NaN",
        "\\ \n",
        "# check=x\n",
    ),
]


def originals():
    """Return the texts of the package's Dockerfiles."""
    return sorted({path.read_text() for path in package.dockerfiles()})


def mutation(dice, texts):
    """Return one of the texts after one to six changes of letters or lines."""
    text = dice.choice(texts)
    for _ in range(dice.randint(1, 6)):
        text = dice.choice((_letters, _lines))(dice, text, texts)
    return text.replace("\0", "")


def _letters(dice, text, _texts):
    at = dice.randint(0, len(text))
    match dice.randrange(3):
        case 0:
            return text[:at] + dice.choice(PIECES) + text[at:]
        case 1:
            return text[:at] + text[at + dice.randint(1, 8) :]
    return text[:at] + text[at : at + 1].swapcase() + text[at + 1 :]


def _lines(dice, text, texts):
    lines = text.split("\n")
    at = dice.randrange(len(lines))
    match dice.randrange(4):
        case 0:
            lines.insert(dice.randint(0, len(lines)), lines[at])
        case 1:
            del lines[at]
        case 2:
            donor = dice.choice(texts).split("\n")
            start = dice.randrange(len(donor))
            lines[at:at] = donor[start : start + dice.randint(1, 4)]
        case 3:
            lines[at] = dice.choice(PIECES).join((lines[at], "") if dice.random() < 0.5 else ("", lines[at]))
    return "\n".join(lines)


def mutations(texts, *, seed, number):
    dice = random.Random(seed)
    return [mutation(dice, texts) for _ in range(number)]


def theirs(texts):
    """Let BuildKit's parser read them all, in one process of its own."""
    program = [sys.executable, buildkit_parser.__file__]
    asked = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run(program, input=asked, capture_output=True, text=True, check=True, timeout=300)
    return [json.loads(line) for line in done.stdout.splitlines()]


def ours(text):
    try:
        nodes = parse(text.encode(errors="surrogateescape")).nodes
    except DockerfileFault as err:
        return {"error": str(err)}
    return {"nodes": [_node(node) for node in nodes]}


def _node(node):
    inner = node.child or node
    unknown = inner.keyword.lower() not in KNOWN
    return {
        "keyword": node.keyword,
        "triggered": node.child.keyword if node.child else None,
        "exec": inner.exec_form,
        "lines": [node.at.first, node.at.last],
        "flags": list(node.flags),
        # BuildKit drops what follows a keyword that it doesn't know.
        "values": [""] if unknown else [value.partition("\0")[0] for value in inner.values],
        "heredocs": [[doc.name, doc.descriptor, doc.content] for doc in inner.heredocs],
    }


def agree(mine, oracle):
    """Say whether both refuse a text, or make the same nodes of it."""
    if "error" in mine or "error" in oracle:
        return "error" in mine and "error" in oracle
    return mine.get("nodes") == oracle.get("nodes")


def disagreements(texts):
    """Yield (text, row of the documentation's table) where the parsers don't agree; row None is not in it.

    What a row blames is taken out of the text: it explains the disagreement only if that is gone then.
    """
    apart = [text for text, oracle in zip(texts, theirs(texts), strict=True) if not agree(ours(text), oracle)]
    altered = [alter(text) for text in apart for alter in EXPLAINED.values()]
    mended = [agree(ours(text), oracle) for text, oracle in zip(altered, theirs(altered), strict=True)]
    rows = len(EXPLAINED)
    for number, text in enumerate(apart):
        verdicts = zip(EXPLAINED, mended[number * rows : (number + 1) * rows], strict=True)
        yield text, next((row for row, gone in verdicts if gone), None)


def _ascii(expression):
    """Return what makes all letters ASCII in what matches."""
    return lambda text: expression.sub(lambda match: re.sub("[^\x00-\x7f]", "x", match[0]), text)


_FLAG = re.compile(r"""--(?:'[^']*'|"[^"]*"|[^ \t\n\v\f\r'"])*""")
_GAP, _WORD = r"(?:[ \t]|[\\`][ \t]*\n)+", r"[^ \t\n\v\f\r]+"
_HEALTH = re.compile(rf"HEALTHCHECK(?:{_GAP}--{_WORD})*{_GAP}{_WORD}", re.IGNORECASE)
EXPLAINED = {
    "flags": _ascii(_FLAG),
    "health": _ascii(_HEALTH),
    "check": lambda text: re.sub(r"(?im)^\s*#\s*check\s*=.*\n?", "", text),
    "chained": lambda text: re.sub(r"(?i)\bONBUILD\s+(?=ONBUILD)", "", text),
}
