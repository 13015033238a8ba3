"""docs/reference/dockerfile.md against what is read: no instruction, flag or mount option without its row."""

import re
from pathlib import Path

import pytest

from runtime.builder.dockerfile import DockerfileFault, mounts, parse
from runtime.builder.dockerfile.typed import _READERS, read

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/reference/dockerfile.md").read_text()
TABLE = PAGE.partition("## Every instruction and flag")[2].partition("\n## ")[0]
LACKING = PAGE.partition("## What `tare image build` does not do")[2].partition("\n## ")[0]
# BuildKit's reference, 1.x: every instruction, and the flags of its stable syntax.
FLAGS = {
    "ADD": "checksum chmod chown exclude keep-git-dir link unpack",
    "COPY": "chmod chown exclude from link parents",
    "FROM": "platform",
    "HEALTHCHECK": "interval retries start-interval start-period timeout",
    "RUN": "mount network security",
    **dict.fromkeys(("ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "LABEL", "MAINTAINER", "ONBUILD"), ""),
    **dict.fromkeys(("SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"), ""),
}
USES = {"FROM": "a", "HEALTHCHECK": "CMD a", "RUN": "a", "ADD": "a b", "COPY": "a b"}


def rows(word):
    """Return the rows about an instruction, with those below that go on about it."""
    found, here = [], False
    for line in TABLE.splitlines():
        first = line.split("|")[1].strip() if line.startswith("|") else "end"
        here = f"`{word}`" in first or (here and not first)
        found += [line] if here else []
    return "\n".join(found)


def test_every_instruction_is_read_and_has_a_row():
    assert _READERS.keys() == FLAGS.keys()
    assert [word for word in FLAGS if not rows(word)] == []


@pytest.mark.parametrize("word", USES)
def test_every_flag_is_read_and_has_its_place(word):
    with pytest.raises(DockerfileFault) as found:
        read(parse(f"{word} --nobodys=x {USES[word]}\n".encode()).nodes[0])
    known = set(re.findall(r"--([a-z-]+)", found.value.hint or ""))
    assert known == set(FLAGS[word].split())
    text = rows(word) + (rows("COPY") if word == "ADD" else "") + LACKING
    assert [name for name in known if f"--{name}" not in text] == []


@pytest.mark.parametrize("kind", mounts._KEYS)
def test_every_option_of_a_mount_has_its_place(kind):
    short = {"readonly": "ro", "readwrite": "rw"}
    (row,) = re.findall(rf"`--mount=type={kind}`: (.*?) \|", TABLE)
    named = set(re.findall(r"`([a-z]+)`", row))
    assert {short.get(key, key) for key in mounts._KEYS[kind]} <= named | {"ro", "rw", "source"}


def test_every_test_that_the_table_names_is_there():
    column = [line.split("|")[3] for line in TABLE.splitlines() if line.startswith("| ")][1:]
    named = {word.strip(" `") for cell in column for word in cell.split(",")}
    places = (
        "privileged/test_build_{}.py",
        "unit/runtime_builder/test_build_{}.py",
        "unit/runtime_builder/{}.py",
    )
    found = {
        name for name in named if any((ROOT / "tests" / place.format(name)).is_file() for place in places)
    }
    assert named - found == set()
