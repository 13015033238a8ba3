"""Which variables an instruction sees: global ARGs, a stage's ARGs, its ENV, and the predefined ones.

Dockerfile reference, "Understand how ARG and FROM interact", "Scope" and "Predefined ARGs": ENV wins over ARG
whatever their order, a stage sees a global ARG only after it declares it, and proxies need no declaration.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from runtime.builder.dockerfile.expansion import ExpansionError, Lexer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from runtime.builder.dockerfile.heredoc import Heredoc
    from runtime.builder.dockerfile.instructions import Arg, Env, Instruction

_PROXIED = ("http", "https", "ftp", "no", "all")
PROXIES = frozenset({f"{kind}_proxy" for kind in _PROXIED} | {f"{kind}_proxy".upper() for kind in _PROXIED})


def platform_args(target: str, build: str) -> dict[str, str]:
    """Return the eight platform arguments for `os/arch[/variant]` of the output and of this machine."""
    found = {}
    for side, platform in (("TARGET", target), ("BUILD", build)):
        system, architecture, variant = (*platform.split("/"), "", "")[:3]
        found[f"{side}PLATFORM"] = platform
        found |= {f"{side}OS": system, f"{side}ARCH": architecture, f"{side}VARIANT": variant}
    return found


@dataclass(frozen=True, slots=True)
class Scope:
    """The variables at one place in a Dockerfile.

    `given` are the --build-arg values, `inherited` what an ARG without default falls back to.
    """

    escape: str
    given: Mapping[str, str]
    inherited: Mapping[str, str]
    args: Mapping[str, str]
    env: Mapping[str, str]

    @classmethod
    def outermost(cls, escape: str, given: Mapping[str, str], platform: Mapping[str, str]) -> Scope:
        """Return the scope before the first FROM, in which platform arguments are known undeclared."""
        known = {name: given.get(name, value) for name, value in platform.items()}
        return cls(escape, given, {}, known, {})

    def stage(self, env: Mapping[str, str]) -> Scope:
        """Return the scope at the start of a stage whose base image has `env`; call it on the outermost."""
        return replace(self, inherited=self.args, args={}, env=dict(env))

    @property
    def variables(self) -> dict[str, str]:
        """All that `$name` can mean here, and the environment of a RUN's command."""
        proxies = {name: self.given[name] for name in PROXIES if name in self.given}
        return {**proxies, **self.args, **self.env}

    @property
    def keyed_environment(self) -> dict[str, str]:
        """What decides about a RUN's result: proxies that nobody declared are not part of it."""
        return {**self.args, **self.env}

    def word(self, step: Instruction, text: str) -> str:
        """Expand a text of an instruction; a DockerfileFault shows that instruction."""
        try:
            return Lexer(self.escape).word(text, self.variables)
        except ExpansionError as err:
            raise step.node.fault(str(err)) from err

    def document(self, step: Instruction, document: Heredoc) -> str:
        """Return a here-document's text; its quotes stay, and the escape character protects a `$`."""
        if not document.expand:
            return document.text
        try:
            return Lexer(self.escape, plain_quotes=True).word(document.text, self.variables)
        except ExpansionError as err:
            raise step.node.fault(f"<<{document.name}: {err}") from err

    def words(self, step: Instruction, text: str) -> list[str]:
        """Expand a text that may become several words, or none."""
        try:
            return Lexer(self.escape).words(text, self.variables)
        except ExpansionError as err:
            raise step.node.fault(str(err)) from err

    def declared(self, step: Arg) -> Scope:
        """Return the scope after an ARG; each name sees those before it."""
        scope = self
        for written, default in step.pairs:
            name = scope.word(step, written)
            value = scope.given.get(name)
            if value is None:
                value = scope.inherited.get(name) if default is None else scope.word(step, default)
            if value is not None:
                scope = replace(scope, args={**scope.args, name: value})
        return scope

    def assigned(self, step: Env) -> Scope:
        """Return the scope after an ENV; all its values see the variables from before it."""
        new = {self.word(step, name): self.word(step, value) for name, value in step.pairs}
        return replace(self, env={**self.env, **new})
