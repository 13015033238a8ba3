"""Variables in words: `$x ${x:-y} ${x:+y} ${x-y} ${x:?err} ${x#p} ${x##p} ${x%p} ${x%%p} ${x/p/r} ${x//p/r}`.

The rules are those of BuildKit's shell lexer (Dockerfile reference, "Environment replacement"): single quotes
take everything as it is, in double quotes only the quote, `$` and the escape character can be escaped,
and a variable's name is letters, digits and `_`, one run of digits, or one special character.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass

from runtime.builder.dockerfile import patterns
from runtime.builder.dockerfile.space import SPACES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SPECIAL = "@*#?-$!"
_DEPTH = 50  # of ${a:-${b:-…}}; deeper is nobody's Dockerfile


class ExpansionError(ValueError):
    """A word that cannot be expanded; the message says why."""


@dataclass(frozen=True, slots=True)
class Lexer:
    """How words are read.

    plain_quotes takes quotes for letters like any other, as here-documents do. raw_quotes and raw_escapes
    keep the quotes and escape characters in the result, keep_unset leaves `$name` of a variable that is not
    set as it is (BuildKit's parser needs these to find here-documents).
    """

    escape: str = "\\"
    raw_quotes: bool = False
    raw_escapes: bool = False
    keep_unset: bool = False
    plain_quotes: bool = False

    def word(self, text: str, variables: Mapping[str, str]) -> str:
        """Expand into one string; white space stays."""
        return _Run(self, text, variables).until("")[0]

    def words(self, text: str, variables: Mapping[str, str]) -> list[str]:
        """Expand, then cut at white space that was not quoted; an empty word remains if it was quoted."""
        return _Run(self, text, variables).until("")[1]


class _Words:
    """The words found so far and the one that is being read."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._word: list[str] = []
        self._begun = False

    def add(self, text: str) -> None:
        """Add what may be cut at white space."""
        for letter in text:
            if letter not in SPACES:
                self.add_whole(letter)
            else:
                self._end()

    def add_whole(self, text: str) -> None:
        """Add what was quoted or escaped; quotes make a word even of nothing."""
        self._begun = True
        self._word.extend(text)

    def _end(self) -> None:
        if self._begun:
            self._done.append("".join(self._word))
        self._word.clear()
        self._begun = False

    def found(self) -> list[str]:
        """Return all words."""
        self._end()
        return self._done


class _Run:
    """One pass over one text."""

    def __init__(self, lexer: Lexer, text: str, variables: Mapping[str, str]) -> None:
        self._lexer = lexer
        self._text = text
        self._at = 0
        self._variables = variables
        self._depth = 0

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        letter = self._peek()
        self._at += 1
        return letter

    def until(self, stop: str, *, raw_escapes: bool = False) -> tuple[str, list[str]]:
        """Expand up to the letter `stop` (the end, if empty), which is consumed."""
        result: list[str] = []
        words = _Words()
        while letter := self._peek():
            if letter == stop:
                self._at += 1
                return "".join(result), words.found()
            if letter == "$":
                result.append(self._dollar())
                words.add(result[-1])
            elif letter in "'\"" and not self._lexer.plain_quotes:
                result.append(self._single() if letter == "'" else self._double())
                words.add_whole(result[-1])
            elif letter == self._lexer.escape:
                result.append(self._escaped(raw=raw_escapes or self._lexer.raw_escapes))
                if result[-1]:
                    words.add_whole(result[-1])
            else:
                result.append(self._take())
                words.add(letter)
        if stop:
            raise ExpansionError(f"syntax error: missing '{stop}'")
        return "".join(result), words.found()

    def _escaped(self, *, raw: bool) -> str:
        escape = self._take()
        return (escape if raw else "") + self._take()

    def _single(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise ExpansionError("unexpected end of statement while looking for matching single-quote")
        start, self._at = self._at, end + 1
        return self._text[start : end + 1] if self._lexer.raw_quotes else self._text[start + 1 : end]

    def _double(self) -> str:
        quote = self._take() if self._lexer.raw_quotes else self._take() and ""
        result = [quote]
        while letter := self._peek():
            if letter == '"':
                self._at += 1
                return "".join([*result, quote])
            if letter == "$":
                result.append(self._dollar())
            elif letter == self._lexer.escape:
                result.append(self._escaped_in_double())
            else:
                result.append(self._take())
        raise ExpansionError("unexpected end of statement while looking for matching double-quote")

    def _escaped_in_double(self) -> str:
        escape = self._take()
        kept = escape if self._lexer.raw_escapes else ""
        following = self._peek()
        if not following:
            return kept
        return kept + (self._take() if following in {'"', "$", escape} else escape)

    def _name(self) -> str:
        start = self._at
        first = self._peek()
        if first.isdecimal():
            while self._peek().isdecimal():
                self._at += 1
        elif first and first in _SPECIAL:
            self._at += 1
        else:
            while (letter := self._peek()).isalpha() or letter.isdecimal() or letter == "_":
                self._at += 1
        return self._text[start : self._at]

    def _dollar(self) -> str:
        self._at += 1
        if self._peek() == "{":
            self._at += 1
            self._depth += 1
            if self._depth > _DEPTH:
                raise ExpansionError(f"more than {_DEPTH} substitutions inside one another")
            value = self._braced()
            self._depth -= 1
            return value
        name = self._name()
        if not name:
            return "$"
        return self._variables.get(name, f"${name}" if self._lexer.keep_unset else "")

    def _braced(self) -> str:
        following = self._peek()
        if not following:
            raise ExpansionError("syntax error: missing '}'")
        if following in "{}:":
            raise ExpansionError("syntax error: bad substitution")
        name = self._name()
        operator = self._take()
        if operator == "}":
            return self._variables.get(name, f"${{{name}}}" if self._lexer.keep_unset else "")
        if operator == "/":
            return self._replaced(name)
        if operator == ":":
            operator += self._take()
        if operator not in {"-", "+", "?", "#", "%", ":-", ":+", ":?"}:
            raise ExpansionError(f"unsupported modifier ({operator}) in substitution")
        word, _ = self.until("}", raw_escapes=operator in "#%")
        value = self._variables.get(name)
        if value is None and self._lexer.keep_unset:
            return f"${{{name}{operator}{word}}}"
        return _substituted(name, operator, word, value)

    def _replaced(self, name: str) -> str:
        everywhere = self._peek() == "/"
        self._at += everywhere
        pattern, _ = self.until("/", raw_escapes=True)
        replacement, _ = self.until("}", raw_escapes=True)
        value = self._variables.get(name)
        if value is None and self._lexer.keep_unset:
            return f"${{{name}{'//' if everywhere else '/'}{pattern}/{replacement}}}"
        with _pattern_errors():
            return patterns.replace(pattern, replacement, value or "", everywhere=everywhere)


@contextmanager
def _pattern_errors() -> Iterator[None]:
    try:
        yield
    except ValueError as err:
        raise ExpansionError(str(err)) from err


def _substituted(name: str, operator: str, word: str, value: str | None) -> str:
    """Apply POSIX's parameter expansion; a colon takes an empty value for one that is not set."""
    missing = value is None or (operator.startswith(":") and not value)
    match operator[-1]:
        case "-":
            return word if missing else value or ""
        case "+":
            return "" if missing else word
        case "?" if missing:
            default = "is not allowed to be unset" if value is None else "is not allowed to be empty"
            raise ExpansionError(f"{name}: {word or default}")
        case "#" | "%":
            longest = word.startswith(operator)
            cut = patterns.without_prefix if operator == "#" else patterns.without_suffix
            with _pattern_errors():
                return cut(word[longest:], value or "", longest=longest)
    return value or ""
