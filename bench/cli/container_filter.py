"""`ps --filter KEY=VALUE`, with docker's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Callable

Row = dict[str, Any]


def _label(row: Row, text: str) -> bool:
    key, equals, value = text.partition("=")
    return key in row["labels"] and (not equals or row["labels"][key] == value)


def _image(row: Row, text: str) -> bool:
    named = {row["labels"].get("image", ""), row["labels"].get("image", "").partition(":")[0]}
    return text in named or (bool(row["image"]) and row["image"].removeprefix("sha256:").startswith(text))


_KEYS: dict[str, Callable[[Row, str], bool]] = {
    "name": lambda row, text: text in row["id"],
    "id": lambda row, text: row["container_id"].startswith(text),
    "label": _label,
    "status": lambda row, text: row["status"] == text,
    "exited": lambda row, text: row["status"] == "exited" and str(row["exit_code"]) == text,
    "ancestor": _image,
    "volume": lambda row, text: text in row["mounts"],
    "network": lambda row, text: row["network"] == text,
}


class Selection:
    """What is asked for: all keys must hold, and of each key one of its values; of labels all."""

    def __init__(self, wanted: dict[str, list[str]]) -> None:
        self._wanted = wanted

    @property
    def ended(self) -> bool:
        """Whether it speaks of containers that may have ended, so that those are looked at too."""
        return bool({"status", "exited"} & set(self._wanted))

    def has(self, row: Row) -> bool:
        """Whether a row of ps is wanted."""
        for key, texts in self._wanted.items():
            holds = [_KEYS[key](row, text) for text in texts]
            if not (all(holds) if key == "label" else any(holds)):
                return False
        return True


def selection(texts: tuple[str, ...]) -> Selection:
    """Parse the options; a usage fault for a key that is not known."""
    wanted: dict[str, list[str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if key not in _KEYS or not equals:
            raise RuntimeFault(f"--filter {text} is not supported", kind="usage", hint=", ".join(_KEYS))
        wanted.setdefault(key, []).append(value)
    return Selection(wanted)
