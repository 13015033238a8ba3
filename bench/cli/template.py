"""`--format` of docker's users: the part of Go's text/template that they write.

{{.State.Pid}}, {{json .Config.Env}}, {{index .Config.Labels "tier"}}, {{(index .Mounts 0).Source}},
{{len .Mounts}}, {{join .Args " "}}, {{.Name | upper}}, {{range .Mounts}}…{{end}},
{{range $key, $value := .Config.Labels}}…{{end}}, {{if .State.Running}}…{{else}}…{{end}}.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Callable

_TAG = re.compile(r"\{\{(-?)\s*(.*?)\s*(-?)\}\}", re.DOTALL)
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|\(|\)(?:\.\w+)*|\||[^\s()|"`]+')
_RANGE = re.compile(r"(?:(\$\w+)\s*,\s*)?(?:(\$\w+)\s*:=\s*)?(.*)", re.DOTALL)
_ESCAPES = {"\\n": "\n", "\\t": "\t"}

Scope = dict[str, Any]


@dataclass
class _Block:
    """A sequence of texts, expressions and inner blocks; `otherwise` is what follows {{else}}."""

    kind: str = ""
    head: str = ""
    parts: list[Any] = field(default_factory=list)
    otherwise: list[Any] | None = None

    def add(self, part: Any) -> None:  # noqa: ANN401 - text, expression or block
        (self.parts if self.otherwise is None else self.otherwise).append(part)


def render(template: str, value: dict[str, Any]) -> str:
    """Return the template filled in from `value`; a usage fault says what it does not understand."""
    for short, char in _ESCAPES.items():
        template = template.replace(short, char)
    return _run(_parse(template).parts, value, {"$": value})


def _parse(template: str) -> _Block:
    stack, done, trim = [_Block()], 0, False
    for match in _TAG.finditer(template):
        text = template[done : match.start()]
        text = text.lstrip() if trim else text
        stack[-1].add(text.rstrip() if match[1] else text)
        done, trim = match.end(), bool(match[3])
        _tag(stack, match[2])
    if len(stack) > 1 or "{{" in template[done:]:
        raise _fault(template, f"{stack[-1].kind or '{{'} has no end")
    stack[0].add(template[done:].lstrip() if trim else template[done:])
    return stack[0]


def _tag(stack: list[_Block], text: str) -> None:
    word, _, rest = text.partition(" ")
    if word in {"range", "if", "with"}:
        stack.append(_Block(word, rest.strip()))
    elif word == "else" and not rest and len(stack) > 1 and stack[-1].otherwise is None:
        stack[-1].otherwise = []
    elif word == "end" and len(stack) > 1:
        block = stack.pop()
        stack[-1].add(block)
    elif word in {"else", "end", ""}:
        raise _fault(text, "is out of place")
    else:
        stack[-1].add((text,))


def _run(parts: list[Any], dot: Any, scope: Scope) -> str:  # noqa: ANN401 - any value of the document
    found = []
    for part in parts:
        if isinstance(part, str):
            found.append(part)
        elif isinstance(part, tuple):
            found.append(_shown(_pipeline(part[0], dot, scope)))
        else:
            found.append(_block(part, dot, scope))
    return "".join(found)


def _block(block: _Block, dot: Any, scope: Scope) -> str:  # noqa: ANN401
    match = _RANGE.fullmatch(block.head)
    first, second, text = match.groups() if match else (None, None, block.head)
    value = _pipeline(text, dot, scope)
    if not value:
        return _run(block.otherwise or [], dot, scope)
    if block.kind == "range":
        pairs = sorted(value.items()) if isinstance(value, dict) else list(enumerate(value))
        inner = [(item, {**scope, **_named(first, second, key, item)}) for key, item in pairs]
        return "".join(_run(block.parts, item, names) for item, names in inner)
    return _run(block.parts, value if block.kind == "with" else dot, scope)


def _named(first: str | None, second: str | None, key: Any, item: Any) -> Scope:  # noqa: ANN401
    return {name: value for name, value in ((first, key), (second, item)) if name}


def _pipeline(text: str, dot: Any, scope: Scope) -> Any:  # noqa: ANN401
    words = _WORD.findall(text)
    value, rest = _call(words, dot, scope, [])
    while rest[:1] == ["|"]:
        value, rest = _call(rest[1:], dot, scope, [value])
    if rest:
        raise _fault(text, f"{rest[0]} is out of place")
    return value


def _call(words: list[str], dot: Any, scope: Scope, last: list[Any]) -> tuple[Any, list[str]]:  # noqa: ANN401
    values: list[Any] = []
    function: Callable[..., Any] | None = None
    while words and words[0][0] not in "|)":
        word, words = words[0], words[1:]
        if word == "(":
            value, words = _call(words, dot, scope, [])
            if not words or words[0][0] != ")":
                raise _fault(word, "has no end")
            values.append(_field(value, words[0]))
            words = words[1:]
        elif not values and function is None and word in _FUNCTIONS:
            function = _FUNCTIONS[word]
        else:
            values.append(_value(word, dot, scope))
    values += last
    if function is None:
        if len(values) != 1:
            raise _fault(" ".join(map(str, values)) or "{{}}", "is no expression")
        return values[0], words
    try:
        return function(*values), words
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as err:
        raise _fault(str(err), "does not fit its function") from err


def _value(word: str, dot: Any, scope: Scope) -> Any:  # noqa: ANN401
    if word[0] in '"`':
        return json.loads(word) if word[0] == '"' else word[1:-1]
    if re.fullmatch(r"-?\d+", word):
        return int(word)
    if word in {"true", "false"}:
        return word == "true"
    head, _, path = word.partition(".")
    if head not in {"", *scope}:
        raise _fault(word, "is no field, such as .Name, nor a function")
    return _field(scope[head] if head else dot, f"{head}.{path}")


def _field(value: Any, word: str) -> Any:  # noqa: ANN401
    """Return the field of a value that the names behind the first dot of `word` lead to."""
    for name in filter(None, word.split(".")[1:]):
        if not isinstance(value, dict) or name not in value:
            known = ", ".join(sorted(value)) if isinstance(value, dict) else "none"
            raise RuntimeFault(f"--format: there is no field {name} in {word}", kind="usage", hint=known)
        value = value[name]
    return value


def _index(value: Any, *keys: Any) -> Any:  # noqa: ANN401
    for key in keys:
        value = value.get(key, "") if isinstance(value, dict) else value[key]
    return value


def _shown(value: Any) -> str:  # noqa: ANN401 - as Go's %v
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_shown(item)}" for key, item in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_shown, value)) + "]"
    return str(value)


def _json(value: Any) -> str:  # noqa: ANN401
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "json": _json, "index": _index, "len": len, "upper": str.upper, "lower": str.lower, "title": str.title,
    "join": lambda items, by: by.join(map(str, items)), "split": lambda text, by: text.split(by),
    "println": lambda *items: " ".join(map(_shown, items)) + "\n",
    "print": lambda *items: "".join(map(_shown, items)),
    "printf": lambda form, *items: form.replace("%v", "%s") % tuple(map(_shown, items)),
    "eq": lambda one, *others: one in others, "ne": lambda one, other: one != other,
    "lt": lambda one, other: one < other, "gt": lambda one, other: one > other,
    "le": lambda one, other: one <= other, "ge": lambda one, other: one >= other,
    "not": lambda value: not value, "and": lambda *values: next((v for v in values if not v), values[-1]),
    "or": lambda *values: next((v for v in values if v), values[-1]),
    "slice": lambda value, *bounds: value[slice(*bounds)],
    "truncate": lambda text, length: text[:length],
}  # fmt: skip


def _fault(what: str, why: str) -> RuntimeFault:
    return RuntimeFault(f"--format: {what}: {why}", kind="usage", hint="for example '{{.State.Pid}}'")
