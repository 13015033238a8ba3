"""An instruction's `--flags`, each at most once unless it collects; unknown ones are refused by name."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.builder.dockerfile.parser import Node

_TRUTH = {"true": True, "1": True, "false": False, "0": False, "": True}


class Flags:
    """The flags of one instruction, checked against the names that it knows.

    `texts` take a value, `switches` are true or false (bare means true), `lists` may be given several times.
    """

    def __init__(
        self,
        node: Node,
        *,
        texts: tuple[str, ...] = (),
        switches: tuple[str, ...] = (),
        lists: tuple[str, ...] = (),
    ) -> None:
        self._node = node
        self._known = {*texts, *switches, *lists}
        self._switches, self._lists = switches, lists
        self._found: dict[str, list[str]] = {}
        for flag in node.flags:
            self._add(flag)

    def _add(self, flag: str) -> None:
        name, equals, value = flag[2:].partition("=")
        if name not in self._known:
            known = ", ".join(f"--{each}" for each in sorted(self._known)) or "no flags"
            hint = f"{self._node.keyword.upper()} takes {known}"
            raise self._node.fault(f"unknown flag --{name}", hint=hint)
        if name in self._found and name not in self._lists:
            raise self._node.fault(f"flag --{name} is given twice")
        if name in self._switches and (value.lower() not in _TRUTH or (equals and not value)):
            raise self._node.fault(f"flag --{name} takes true or false, not {value!r}")
        if name not in self._switches and not equals:
            raise self._node.fault(f"flag --{name} needs a value")
        self._found.setdefault(name, []).append(value)

    def text(self, name: str) -> str | None:
        """Return the value of a flag, None if it is not given or empty."""
        return self._found.get(name, [""])[0] or None

    def switch(self, name: str) -> bool | None:
        """Return what a switch says, None if it is not given."""
        return _TRUTH[self._found[name][0].lower()] if name in self._found else None

    def every(self, name: str) -> tuple[str, ...]:
        """Return all values of a flag that collects."""
        return tuple(self._found.get(name, ()))
