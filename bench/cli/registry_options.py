"""The options with which every command that talks to a registry begins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.registry import Access


def server_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --tls-verify and --cert-dir."""
    return _TLS_VERIFY(_CERT_DIR(command))


def access_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --tls-verify, --creds and --cert-dir."""
    return _TLS_VERIFY(_CREDS(_CERT_DIR(command)))


_TLS_VERIFY = click.option(
    "--tls-verify",
    "tls_verify",
    type=bool,
    default=True,
    is_flag=False,
    flag_value=True,
    help="false: take any certificate, and plain HTTP.  [default: true]",
)
_CREDS = click.option(
    "--creds", metavar="USER[:PASSWORD]", help="The account to use, in place of a stored one."
)
_CERT_DIR = click.option(
    "--cert-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Take *.crt, *.cert and *.key from here.",
)


def pick_access(options: dict[str, Any]) -> Access:
    """Return the access that the options ask for; asks for a password that is missing."""
    from runtime.registry import Access  # noqa: PLC0415 - urllib3, only where it is needed

    return Access(
        verify=options["tls_verify"],
        account=_account(options.get("creds")),
        certificates=options["cert_dir"],
        mirrors=options.get("mirrors", ()),
    )


def _account(text: str | None) -> Any:  # noqa: ANN401 - Account is imported late
    from runtime.registry import Account  # noqa: PLC0415 - as above

    if text is None:
        return None
    user, colon, password = text.partition(":")
    return Account(user, password if colon else click.prompt("Password", hide_input=True, err=True))
