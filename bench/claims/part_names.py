"""What the parts of claims are called: in English as they are defined, in Chinese by a table."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = "part_names.toml"


@cache
def chinese() -> Mapping[str, Any]:
    """Return the Chinese names by the English ones."""
    return tomllib.loads(files("bench.claims").joinpath(FILE).read_text(encoding="utf-8"))


def in_(name: str, lang: str) -> str:
    """Return the name in "en" or "zh"; a part that another version had keeps its own."""
    return str(chinese().get(name, name)) if lang == "zh" else name
