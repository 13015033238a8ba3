"""How a person wants registries to be reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are to a registry: a name and a password, or an identity token (OAuth2's refresh token)."""

    user: str = ""
    password: str = ""
    token: str = ""

    def __repr__(self) -> str:
        """Show no secret: a representation ends up in logs."""
        return f"Account(user={self.user!r})"


@dataclass(frozen=True, slots=True)
class Access:
    """Options of one command.

    `verify` False takes any certificate, and plain HTTP too; `account` wins over the stored ones;
    `certificates` is a directory with the registry's `*.crt`, in place of docker's and podman's. `mirrors`,
    each `[http://]HOST[:PORT][/PATH]`, are asked before those of this host's configuration.
    """

    verify: bool = True
    account: Account | None = None
    certificates: Path | None = None
    mirrors: tuple[str, ...] = ()
