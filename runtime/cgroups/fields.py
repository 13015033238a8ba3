"""Read one object of config.json: each value is checked, and what nobody asked for is told by its path."""

from __future__ import annotations

from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LARGEST = (1 << 64) - 1


class Fields:
    """An object at the path `where`, for example linux.resources.memory; null counts as absent.

    `warnings` is where to say what was ignored; objects inside share it.
    """

    __slots__ = ("_left", "_warnings", "where")

    def __init__(self, where: str, value: Any, warnings: list[str]) -> None:  # noqa: ANN401 - any JSON
        if not isinstance(value, dict):
            raise wrong(where, value, "an object")
        self.where, self._warnings = where, warnings
        self._left: dict[str, Any] = {name: inner for name, inner in value.items() if inner is not None}

    def path(self, name: str) -> str:
        """Return the path of a field, for messages."""
        return f"{self.where}.{name}"

    def integer(self, name: str, *, least: int = 0, most: int = _LARGEST) -> int | None:
        """Whole number between `least` and `most`, or None when absent."""
        value = self._left.pop(name, None)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            bounds = f"from {least} to {most}" if most != _LARGEST else f"of at least {least}"
            raise wrong(self.path(name), value, f"a whole number {bounds}")
        return value

    def limit(self, name: str) -> int | None:
        """Whole number of bytes or microseconds, -1 for unlimited; 0 means not set, as in runc and crun."""
        return self.integer(name, least=-1) or None

    def flag(self, name: str) -> bool | None:
        """Return true or false, or None when absent."""
        value = self._left.pop(name, None)
        if value is not None and not isinstance(value, bool):
            raise wrong(self.path(name), value, "true or false")
        return value

    def text(self, name: str) -> str:
        """One line of text; empty when absent."""
        value = self._left.pop(name, "")
        if not isinstance(value, str) or "\n" in value or "\0" in value:
            raise wrong(self.path(name), value, "one line of text")
        return value

    def each(self, name: str) -> list[Fields]:
        """Objects of a list; empty when absent."""
        value = self._left.pop(name, [])
        if not isinstance(value, list):
            raise wrong(self.path(name), value, "a list")
        where = self.path(name)
        return [Fields(f"{where}[{index}]", inner, self._warnings) for index, inner in enumerate(value)]

    def inner(self, name: str) -> Fields | None:
        """Object in a field, or None when absent."""
        value = self._left.pop(name, None)
        return None if value is None else Fields(self.path(name), value, self._warnings)

    def raw(self, name: str) -> object:
        """Value of a field that somebody else checks; None when absent."""
        return self._left.pop(name, None)

    def names(self) -> list[str]:
        """Fields that have not been read, for objects whose keys are the user's."""
        return list(self._left)

    def done(self) -> None:
        """Say what has not been read: unknown properties are ignored (config.md, Extensibility)."""
        self._warnings += [f"{self.path(name)} is unknown, and ignored" for name in self._left]


def required(fields: Fields, name: str, value: int | None) -> int:
    """Value that may not be absent."""
    if value is None:
        raise RuntimeFault(
            f"{fields.path(name)} is missing", kind="usage", hint="the specification requires it"
        )
    return value


def wrong(where: str, value: object, wanted: str) -> RuntimeFault:
    """Refusal of a value: it names the field, what it holds and what it should."""
    return RuntimeFault(f"{where} is {value!r}, not {wanted}", kind="usage", hint="correct config.json")
