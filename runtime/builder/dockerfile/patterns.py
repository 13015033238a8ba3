"""Shell patterns of `${x#p}` and its like: `*`, `?`, and the backslash that takes the next letter as it is.

Matched by following all states at once, so that no pattern takes more than its length times the text's.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ANY = None  # one letter, whichever
_MANY = ""  # any number of letters


def without_prefix(pattern: str, value: str, *, longest: bool) -> str:
    """Cut the shortest (or longest) start of `value` that matches."""
    ends = list(_ends(_tokens(pattern), value))
    return value[ends[-1 if longest else 0] :] if ends else value


def without_suffix(pattern: str, value: str, *, longest: bool) -> str:
    """Cut the shortest (or longest) end of `value` that matches."""
    ends = list(_ends(_tokens(pattern)[::-1], value[::-1]))
    return value[: len(value) - ends[-1 if longest else 0]] if ends else value


def replace(pattern: str, replacement: str, value: str, *, everywhere: bool) -> str:
    """Replace the first longest match, or all that don't overlap.

    A value error names a pattern that ends in a backslash or escapes a letter that means nothing.
    """
    tokens = _tokens(pattern)
    result: list[str] = []
    start, after_match = 0, -1
    while start <= len(value):
        end = max(_ends(tokens, value[start:]), default=-1) + start
        # An empty match right after another one doesn't count (Go's regexp, ReplaceAll).
        if end >= start and (end > start or start != after_match):
            result.append(replacement)
            if not everywhere:
                return "".join([*result, value[end:]])
            after_match = end
        if end <= start:
            result.append(value[start : start + 1])
            start += 1
        else:
            start = end
    return "".join(result)


def _tokens(pattern: str) -> list[str | None]:
    tokens: list[str | None] = []
    letters = iter(pattern)
    for letter in letters:
        if letter == "*":
            tokens += [_MANY] if tokens[-1:] != [_MANY] else []
        elif letter == "?":
            tokens.append(_ANY)
        else:
            tokens.append(_escaped(pattern, next(letters, "")) if letter == "\\" else letter)
    return tokens


def _escaped(pattern: str, letter: str) -> str:
    """Return a letter after a backslash; `}` and `/` may be escaped to stay in the word."""
    if not letter or letter not in "*?\\}/":
        raise ValueError(f"invalid pattern ({pattern}) in substitution: invalid escape '\\{letter}'")
    return letter


def _ends(tokens: Sequence[str | None], text: str) -> Iterator[int]:
    """Yield, ascending, where a match that begins at 0 can end."""
    last = len(tokens)
    states = _closure(tokens, {0})
    for position, letter in enumerate(text):
        if last in states:
            yield position
        stepped = {state for state in states if state < last and tokens[state] == _MANY}
        stepped |= {state + 1 for state in states if state < last and tokens[state] in (_ANY, letter)}
        states = _closure(tokens, stepped)
        if not states:
            return
    if last in states:
        yield len(text)


def _closure(tokens: Sequence[str | None], states: set[int]) -> set[int]:
    """Add the states that are reached by letting `*` take nothing."""
    beyond = {state + 1 for state in states if state < len(tokens) and tokens[state] == _MANY}
    return states | beyond
