"""JSON through the C half of the standard library alone.

`import json` brings in regular expressions, which the C half does without: 5 ms, as much again as the
interpreter takes to start. Its two makers are no public interface, so whatever they refuse goes the long way.
"""

from __future__ import annotations

try:
    from _json import encode_basestring_ascii, make_encoder, make_scanner
except ImportError:  # an interpreter without the C half
    make_encoder = make_scanner = None  # type: ignore[assignment, misc]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SPACE = " \t\n\r"


class _Rules:
    """What the scanner reads from the decoder that it belongs to."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float = float
    parse_int = int
    memo: dict[str, str] = {}  # noqa: RUF012 - the scanner's own field

    @staticmethod
    def parse_constant(name: str) -> float:
        """Read NaN and the infinities, as the json module does."""
        return float(name.replace("Infinity", "inf"))


def _scanner() -> Callable[[str, int], tuple[Any, int]] | None:
    if make_scanner is None:
        return None
    rules: Any = _Rules()
    made: Callable[[str, int], tuple[Any, int]] = make_scanner(rules)
    return made


_scan = _scanner()


def loads(text: str | bytes) -> Any:  # noqa: ANN401 - JSON may be anything
    """Return what `text` says; ValueError when it is no JSON."""
    if _scan is None:
        return _long_way().loads(text)
    plain = (text.decode() if isinstance(text, bytes) else text).strip(_SPACE)
    try:
        found, end = _scan(plain, 0)
    except (StopIteration, SystemError):  # the latter for want of an exception class that only json defines
        return _long_way().loads(plain)
    if end != len(plain):
        raise ValueError(f"more than one value: character {end}")
    return found


def dumps(value: Any) -> str:  # noqa: ANN401 - JSON may be anything
    """Return `value` as one line of JSON; TypeError for what JSON can't hold."""
    if make_encoder is None:
        return _long_dumps(value)
    try:
        encode = make_encoder({}, _refuse, encode_basestring_ascii, None, ": ", ", ", False, False, True)  # noqa: FBT003
        return "".join(encode(value, 0))
    except TypeError:
        return _long_dumps(value)


def _long_dumps(value: object) -> str:
    text: str = _long_way().dumps(value)
    return text


def _refuse(value: object) -> None:
    raise TypeError(f"{type(value).__name__} is no JSON")


def _long_way() -> Any:  # noqa: ANN401 - a module
    import json  # noqa: PLC0415 - only where the short way is closed

    return json
