"""Versions of a target that one run holds against each other: another image, kernel, channel or runtime.

On the command line `BASE:KEY=VALUE`, or `BASE@LABEL:KEY=VALUE` to choose the label; `BASE@LABEL` is the name
in the result file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.errors import BenchFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

KEYS: Mapping[str, tuple[str, ...]] = {
    "native": ("image",),
    "container": ("image",),
    "vm": ("image", "kernel", "channel"),
    "vm-micro": ("image", "kernel"),
    "oci": ("runtime",),
}
"""What can be another one, by the target."""
LONGEST = 40
_LABEL = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST - 1}}}")
_SPEC = re.compile(r"(?P<base>[^@:=]+)(@(?P<label>[^:=]*))?:(?P<key>[^=:]*)=(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True)
class Variant:
    """The target `base` with another `key` (image, kernel, channel, runtime): `value`."""

    base: str
    label: str
    key: str
    value: str

    @property
    def name(self) -> str:
        """The target's name in the result file."""
        return f"{self.base}@{self.label}"


def base_of(name: str) -> str:
    """Return the target of which `name` is a version, or `name` itself."""
    return name.partition("@")[0]


def is_spec(text: str) -> bool:
    """Say whether `text` means a version rather than a plain target."""
    return ":" in text or "@" in text


def parse(text: str) -> Variant:
    """Return the version that BASE[@LABEL]:KEY=VALUE means; BenchFault of kind `usage` when it means none.

    Without a label it is made of the last part of VALUE: `container:image=debian:12` is
    `container@debian-12`.
    """
    match = _SPEC.fullmatch(text.strip())
    if match is None:
        raise _usage(
            f"'{text}' is no version of a target",
            "write BASE:KEY=VALUE or BASE@LABEL:KEY=VALUE, such as container:image=debian:12",
        )
    base, key, value = match["base"], match["key"], match["value"].strip()
    if base not in KEYS:
        raise _usage(f"there are no versions of '{base}'", f"there are of: {', '.join(KEYS)}")
    if key not in KEYS[base]:
        raise _usage(
            f"'{text}': {base} can't have another {key or 'nothing'}",
            f"it can have another {' or '.join(KEYS[base])}",
        )
    if not value:
        raise _usage(f"'{text}' names no {key}", f"for example {base}:{key}=NAME")
    label = match["label"] if match["label"] is not None else _label(value)
    if not _LABEL.fullmatch(label):
        raise _usage(
            f"{label!r} can't be a label",
            f"use letters, digits, '.', '_' and '-', at most {LONGEST}, a letter or digit first",
        )
    return Variant(base, label, key, value)


def check(variants: Iterable[Variant]) -> None:
    """Refuse two versions with one name, which would be one in the file; BenchFault of kind `usage`."""
    seen: dict[str, Variant] = {}
    for variant in variants:
        other = seen.setdefault(variant.name, variant)
        if other != variant:
            raise _usage(
                f"both {other.value} and {variant.value} would be called {variant.name}",
                f"give them labels: {variant.base}@old:{variant.key}=…,{variant.base}@new:{variant.key}=…",
            )


def among(targets: Sequence[str], names: Iterable[str]) -> tuple[str, ...]:
    """Return `targets` with those versions that belong to one of them, each after its base.

    A container of another runtime (`oci`) belongs wherever `container` does.
    """
    others = list(names)
    return tuple(one for target in targets for one in (target, *(n for n in others if like(n) == target)))


def like(name: str) -> str:
    """Return the plain target whose numbers of runs and sizes hold for `name`."""
    return "container" if base_of(name) == "oci" else base_of(name)


def _label(value: str) -> str:
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", value.rstrip("/").rpartition("/")[2])
    return words.strip("-._")[:LONGEST] or "other"


def _usage(text: str, hint: str) -> BenchFault:
    return BenchFault(text, hint=hint, kind="usage")
