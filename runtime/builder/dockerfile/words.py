"""How an instruction's arguments are cut into words before any variable is expanded.

Quotes and escape characters stay in the words: expansion needs them. Flags lose both, as in BuildKit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from runtime.builder.dockerfile.space import SPACES

_BLANKS = "\t\n\v\f\r "


@dataclass(slots=True)
class _Words:
    """Words being collected; a word counts once a letter or a quote was seen."""

    done: list[str] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)
    quoted: bool = False

    def end(self) -> None:
        """Close the current word, if there is one."""
        if self.quoted or self.letters:
            self.done.append("".join(self.letters))
        self.letters, self.quoted = [], False


def parse_words(text: str, escape: str) -> list[str]:
    """Cut at white space outside quotes; `escape` protects the next character, except in single quotes."""
    words = _Words()
    quote = ""
    position = 0
    while position < len(text):
        letter = text[position]
        position += 1
        if not quote and letter in SPACES:
            words.end()
        elif letter == escape and quote != "'":
            if position == len(text):
                break  # an escape character at the very end is dropped
            words.letters += letter, text[position]
            position += 1
        else:
            quote, opened = _quoting(quote, letter)
            words.quoted |= opened
            words.letters.append(letter)
    words.end()
    return words.done


def _quoting(quote: str, letter: str) -> tuple[str, bool]:
    """Return the quote that is open after `letter`, and whether it was just opened."""
    if quote:
        return ("" if letter == quote else quote), False
    return (letter, True) if letter in "'\"" else ("", False)


def split_flags(text: str) -> tuple[str, list[str]]:
    """Return what follows the leading `--flags`, and the flags without quotes; a lone `--` ends them.

    The escape character is always the backslash here, whatever `# escape` says, and white space is ASCII's.
    """
    flags: list[str] = []
    position = 0
    while True:
        while position < len(text) and text[position] in _BLANKS:
            position += 1
        if position == len(text) or not text.startswith("--", position):
            return text[position:], flags
        position, word = _flag(text, position)
        if word == "--":
            return text[position:], flags
        flags.append(word)


def _flag(text: str, position: int) -> tuple[int, str]:
    letters: list[str] = []
    quote = ""
    while position < len(text) and (quote or text[position] not in _BLANKS):
        letter = text[position]
        position += 1
        if letter == "\\":
            letters.append(text[position : position + 1])
            position += 1
        elif letter == quote:
            quote = ""
        elif not quote and letter in "'\"":
            quote = letter
        else:
            letters.append(letter)
    return position, "".join(letters)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=len, parse_float=len)


def json_strings(text: str) -> list[str] | None:
    """Return the strings of the exec form, None if the text is no JSON array.

    What follows the array is ignored, as in BuildKit. A type error says that an element is no string.
    """
    text = text.lstrip(SPACES)
    if not text.startswith("["):
        return None
    try:
        found, _ = _DECODER.raw_decode(text)
    except RecursionError:
        found = [None]
    except ValueError:
        return None
    if not all(isinstance(item, str) for item in found):
        raise TypeError("when using JSON array syntax, arrays must be comprised of strings only")
    # A lone surrogate is no character; Go's decoder puts U+FFFD in its place.
    return [item.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for item in found]
