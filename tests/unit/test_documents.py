"""Every published figure comes with n, an interval and the command that repeats it.

A figure is a number with a unit of time, memory or speed, or a quotient ("3.2 times"), outside of code. In
its paragraph, or its table with the header, there is an n and an interval; in its section there is a command.
What is no measurement but a setting, a limit or the size of an input is listed here, by its own words.
"""

import re
from pathlib import Path

import pytest

from bench.scenarios.registry import scenarios

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FIGURE = re.compile(
    r"(?<![\w.:/-])\d+(?:\.\d+)? ?(?:ns|µs|us|ms|s|min|minutes|seconds|[KMG]i?B|MB/s|MiB/s|times)(?![\w/])"
)
NUMBER = re.compile(r"\bn ?= ?\d|\| n \||\(n=\d")
INTERVAL = re.compile(r"\d[\d.]* ?(?:to|-) ?\d|without an interval")
COMMAND = re.compile(r"`(?:tare|nox|pytest)\b[^`]*`|```", re.DOTALL)
NO_MEASUREMENT = {
    "it looks every 200 ms whether it is gone": "libvirt's code",
    "in a quiet moment of 150 ms": "a setting",
    "a queue of 2 MiB": "a setting",
    "a Debian of 207 MB in files, in one layer of 85 MB": "the input",
    "holds one of 200 MiB below 100 MiB": "a test's limit",
    "sleeps 2 ms first": "the input",
    "pauses that double from 0.1 s": "a setting",
    "idle instances fit into 256 MiB": "a setting",
    "kills that starter, within 1.5 s": "a setting",
    "The goal is 1.1 times the bare process and no helper above 1 MiB a container": "a goal",
    "controller is 0.1 s": "the kernel's setting",
    "two processes, 64 KiB to the disk": "the input",
    "blocks of 1 MiB or 4 KiB": "the input",
    "no memory limit below 32 MiB": "a limit",
    "new ones ten times as expensive": "why, and no figure that is compared",
}
LISTS = {
    "published-startup.md": "figures of other people, as they were published",
    "claims.md": "margins that were fixed beforehand",
    "oci-conformance.md": "words of the specification",
    "dockerfile-differential.md": "words of Dockerfiles",
}


def paragraphs(text):
    """Return (section, paragraph) of a page: sections begin at headings, code blocks are left out."""
    for section in re.split(r"(?m)^(?=#)", text):
        bare = re.sub(r"(?ms)^```.*?^```", "", section)
        for paragraph in re.split(r"\n\s*\n", bare):
            yield section, paragraph


def figures(paragraph):
    """Return the figures in a paragraph that are measurements, outside of inline code."""
    plain = " ".join(re.sub(r"`[^`]*`", "`", paragraph).split())
    for words in NO_MEASUREMENT:
        plain = plain.replace(" ".join(re.sub(r"`[^`]*`", "`", words).split()), "")
    return FIGURE.findall(plain)


def bare_figures(text):
    """Return the figures of a page that lack something, with what they lack."""
    found = []
    for section, paragraph in paragraphs(text):
        signs = {
            "n": (NUMBER, paragraph),
            "an interval": (INTERVAL, paragraph),
            "a command": (COMMAND, section),
        }
        lacks = [name for name, (sign, place) in signs.items() if not sign.search(place)]
        found += [f"{figure}: without {' and '.join(lacks)}" for figure in figures(paragraph) if lacks]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_published_figure_has_n_interval_and_command(page):
    if page.name not in LISTS:
        assert bare_figures(page.read_text()) == []


def test_what_is_listed_as_no_measurement_is_there():
    text = " ".join(" ".join(page.read_text().split()) for page in PAGES)
    assert [words for words in NO_MEASUREMENT if words not in text] == []


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("A start takes 4 ms.", ["4 ms: without n and an interval and a command"]),
        ("A start takes 4 ms (3 to 5, n = 20).", ["4 ms: without a command"]),
        ("# A\n\nA start takes 4 ms (3 to 5, n = 20).\n\n`tare run startup` repeats it.", []),
        ("# A\n\n`tare run`: 4 ms (n = 3).\n\n# B\n\n5 MiB", ["4 ms: without an interval",
         "5 MiB: without n and an interval and a command"]),
        ("It is 3.2 times docker's.", ["3.2 times: without n and an interval and a command"]),
        ("Give `--max-time 5 s`, or 4:30 s, v1.2 s or 10-20 s/x.", []),
        ("```\n4 ms\n```\n", []),
    ],
)  # fmt: skip
def test_the_rule_finds_what_it_should(text, missing):
    assert bare_figures(text) == missing


def test_the_readme_names_every_scenario():
    named = re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert set(scenarios()) <= set(named)
