"""Command lines as runc and crun take them: options before, and for most verbs also between, the arguments.

argparse would cost a third of a whole start (see docs/reference/tare-oci.md), and it knows neither Go's
`-bundle DIR` nor options that end where the command of `exec` begins.
"""

from __future__ import annotations

from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Value = str | bool | list[str]

FLAG, TEXT, LIST = "FLAG", "TEXT", "LIST"
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


class Options:
    """What an option may be called and what it takes.

    `names` maps every spelling without dashes to the option's own name, `kinds` that name to FLAG, TEXT or
    LIST.
    """

    def __init__(self, text: str) -> None:
        """Read lines such as "bundle,b TEXT DIR  the bundle's directory"; the second word is the kind."""
        self.names: dict[str, str] = {}
        self.kinds: dict[str, str] = {}
        self.lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
        for line in self.lines:
            words = line.split(None, 2)
            spellings = words[0].split(",")
            self.kinds[spellings[0]] = words[1]
            self.names.update((spelling, spellings[0]) for spelling in spellings)

    def parse(self, words: list[str], *, mixed: bool) -> tuple[dict[str, Value], list[str]]:
        """Return the options given and the arguments; with `mixed`, options may follow arguments.

        Raises RuntimeFault of kind usage for an option that is not known or lacks its value.
        """
        found: dict[str, Value] = {}
        rest: list[str] = []
        queue = list(words)
        while queue:
            word = queue.pop(0)
            if word == "--":
                return found, rest + queue
            if len(word) > 1 and word[0] == "-" and not word[1:].isdigit():
                self._take(word, queue, found)
            elif mixed:
                rest.append(word)
            else:
                return found, [word, *queue]
        return found, rest

    def _take(self, word: str, queue: list[str], found: dict[str, Value]) -> None:
        spelling, assigned, value = word.lstrip("-").partition("=")
        if spelling not in self.names:
            raise RuntimeFault(f"there is no option {word}", kind="usage", hint="see --help")
        name = self.names[spelling]
        kind = self.kinds[name]
        if kind == FLAG:
            found[name] = _truth(word, value) if assigned else True
            return
        if not assigned:
            if not queue:
                raise RuntimeFault(f"option {word} needs a value", kind="usage", hint="see --help")
            value = queue.pop(0)
        if kind == LIST:
            earlier = found.get(name)
            found[name] = [*(earlier if isinstance(earlier, list) else []), value]
        else:
            found[name] = value

    def help(self) -> str:
        """Return the list for people, an option a line."""
        found = []
        for line in self.lines:
            spellings, _, text = line.split(None, 2)
            dashed = ", ".join(f"{'-' if len(n) == 1 else '--'}{n}" for n in spellings.split(","))
            found.append(f"  {dashed:<26}{text}")
        return "\n".join(found)


def _truth(word: str, value: str) -> bool:
    if value.lower() not in _TRUTH:
        raise RuntimeFault(f"option {word} takes true or false", kind="usage", hint="see --help")
    return _TRUTH[value.lower()]


class Arguments:
    """A parsed command line: the runtime's own options, the verb's options, and its arguments."""

    def __init__(self, common: Mapping[str, Value], given: Mapping[str, Value], rest: list[str]) -> None:
        self.common, self.given, self.rest = common, given, rest

    def text(self, name: str, default: str = "") -> str:
        """Return the value of a TEXT option, the verb's or else the runtime's own."""
        value = self.given.get(name, self.common.get(name, default))
        return value if isinstance(value, str) else default

    def flag(self, name: str) -> bool:
        """Whether a FLAG option was given."""
        return bool(self.given.get(name, self.common.get(name)))

    def many(self, name: str) -> list[str]:
        """Return the values of a LIST option."""
        value = self.given.get(name)
        return value if isinstance(value, list) else []

    def number(self, name: str, default: int = 0) -> int:
        """Return the value of a TEXT option that is a whole number; a usage fault where it is none."""
        text = self.text(name)
        if not text:
            return default
        try:
            return int(text)
        except ValueError:
            raise RuntimeFault(f"--{name} takes a number, not {text}", kind="usage") from None

    def count(self, name: str) -> int:
        """Return the value of a TEXT option that counts something; a usage fault where it is negative."""
        found = self.number(name)
        if found < 0:
            raise RuntimeFault(f"--{name} takes a number from 0 on, not {found}", kind="usage")
        return found

    def size(self, name: str) -> int:
        """Return the value of a TEXT option in bytes: a whole number, with k, m, g or t of 1024, or -1."""
        text = self.text(name).strip().lower()
        plain = text.removesuffix("b").removesuffix("i")
        power = "kmgt".find(plain[-1:]) + 1 if plain else 0
        digits = plain[:-1] if power else plain
        if text != "-1" and not (digits.isascii() and digits.isdigit()):
            hint = "for example 67108864 or 64m"
            raise RuntimeFault(f"--{name} takes a size, not {self.text(name)}", kind="usage", hint=hint)
        return -1 if text == "-1" else int(digits) << 10 * power

    @property
    def root(self) -> str:
        """The directory of all records."""
        return self.text("root")

    def id(self) -> str:
        """Return the one argument that every verb about a container takes first."""
        if not self.rest:
            raise RuntimeFault("container id cannot be empty", kind="usage", hint="see --help")
        return self.rest[0]
