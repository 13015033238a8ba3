"""`tare registry login` and `logout`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from bench.cli.registry_options import pick_access, server_options

if TYPE_CHECKING:
    from bench.cli.context import Context

_LONGEST = 64 << 10  # bytes of a password


@click.command()
@click.option("-u", "--username", metavar="USER", help="Who you are there; asked for on a terminal.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@server_options
@click.argument("server", required=False, default="")
@click.pass_obj
def login(
    context: Context, /, username: str | None, password_stdin: bool, server: str, **options: object
) -> None:
    """Check an account with a registry (default: the Docker Hub) and store it as docker does."""
    from runtime.registry import Account  # noqa: PLC0415 - urllib3, only where it is needed
    from runtime.registry import login as sign_in  # noqa: PLC0415 - as above

    domain = sign_in.server(server)
    user, password = _user(username, stdin=password_stdin), _password(stdin=password_stdin)
    done = sign_in.login(domain, Account(user, password), access=pick_access(options))
    if not done.checked:
        context.say(f"note: {domain} asks nobody for an account, so that this one could not be checked")
    context.say(f"logged in to {domain} as {user}; stored in {done.place}")


@click.command()
@click.argument("server", required=False, default="")
@click.pass_obj
def logout(context: Context, server: str) -> None:
    """Forget the account for a registry, wherever it is stored."""
    from runtime.registry import keyring  # noqa: PLC0415 - as above
    from runtime.registry import login as sign_in  # noqa: PLC0415 - as above

    domain = sign_in.server(server)
    places = keyring.forget(domain)
    for place in places:
        context.say(f"removed from {place}")
    if not places:
        context.say(f"not logged in to {domain}")


def _user(given: str | None, *, stdin: bool) -> str:
    if given is None and (stdin or not sys.stdin.isatty()):
        raise click.UsageError("--username is needed, since nobody can be asked for it")
    user: str = click.prompt("Username", err=True) if given is None else given
    if not user or ":" in user or not user.isprintable():
        raise click.UsageError(f"{user!r} is no user's name: it has no colon and no control characters")
    return user


def _password(*, stdin: bool) -> str:
    """Return the password. It is no option, since everybody can read the arguments of all processes."""
    if stdin:
        text = sys.stdin.buffer.read(_LONGEST).decode(errors="replace")
        password = text.removesuffix("\n").removesuffix("\r")
    elif sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, err=True)
    else:
        raise click.UsageError("nobody can be asked for the password; pipe it into --password-stdin")
    if not password:
        raise click.UsageError("the password is empty")
    if not password.isprintable() or "\ufffd" in password:
        raise click.UsageError("the password is no single line of UTF-8")
    return password
