"""`tare container cp`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bench.cli.container_common import engine_id, places
from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from bench.cli.context import Context


@click.command("cp")
@click.option("-a", "--archive", is_flag=True, help="Keep owners.")
@click.option("-L", "--follow-link", is_flag=True, help="Copy what a link in SRC leads to.")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@click.pass_obj
def copy(context: Context, archive: bool, follow_link: bool, source: str, target: str) -> None:
    """Copy files to or from a container, running or not.

    One of SRC and DST is CONTAINER:PATH, the other a path of the host, or - for a tar on standard input or
    output. SRC/. is what is in SRC, beside what is in DST.
    """
    from runtime.engine import copying  # noqa: PLC0415 - it loads the image store's tar

    (left, inner), (right, outer) = _split(source), _split(target)
    if bool(left) == bool(right):
        raise RuntimeFault("one of SRC and DST must be CONTAINER:PATH", kind="usage", hint="and not both")
    name = engine_id(context, left or right)
    act = copying.copy_out if left else copying.copy_in
    act(places(context), name, inner, outer, follow=follow_link, owners=archive)


def _split(text: str) -> tuple[str, str]:
    name, colon, path = text.partition(":")
    return (name, path) if colon and name and not text.startswith((".", "/")) else ("", text)
