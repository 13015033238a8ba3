"""What `tare image build` is given: its options, which are docker's, and their types."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

if TYPE_CHECKING:
    from collections.abc import Callable


class Given(TypedDict):
    """The command line as click hands it over."""

    where: str
    file: str
    tags: tuple[str, ...]
    args: tuple[str, ...]
    labels: tuple[str, ...]
    target: str
    platform: str
    hosts: tuple[str, ...]
    network: str
    secrets: tuple[str, ...]
    agents: tuple[str, ...]
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    pull: bool
    no_cache: bool
    fresh: tuple[str, ...]
    outputs: tuple[str, ...]
    iidfile: Path | None
    metadata: Path | None
    progress: str
    quiet: bool


_PATH = click.Path(path_type=Path)
_OPTIONS = (
    click.option("-f", "--file", "file", default="", help="The Dockerfile, if elsewhere; - is stdin."),
    click.option("-t", "--tag", "tags", multiple=True, metavar="NAME[:TAG]", help="Name the image."),
    click.option("--build-arg", "args", multiple=True, metavar="NAME[=VALUE]", help="Set an ARG's value."),
    click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Add a label."),
    click.option("--target", default="", help="Stage to build; the last one if not given."),
    click.option("--platform", default="", metavar="OS/ARCH", help="Checked: only this machine's is built."),
    click.option("--add-host", "hosts", multiple=True, metavar="NAME:ADDRESS", help="A name for each RUN."),
    click.option(
        "--network",
        type=click.Choice(["default", "host", "none"]),
        default="default",
        help="The network of a RUN that names none.",
    ),
    click.option(
        "--secret", "secrets", multiple=True, metavar="id=ID[,src=FILE|,env=NAME]", help="For RUN --mount."
    ),
    click.option("--ssh", "agents", multiple=True, metavar="default|ID=SOCKET", help="For RUN --mount."),
    click.option("--cache-from", "sources", multiple=True, metavar="type=local,src=DIR", help="Import it."),
    click.option("--cache-to", "targets", multiple=True, metavar="type=local,dest=DIR", help="Export it."),
    click.option("--pull", is_flag=True, help="Pull base images though the store has them."),
    click.option("--no-cache", is_flag=True, help="Make every step anew."),
    click.option(
        "--no-cache-filter", "fresh", multiple=True, metavar="STAGE[,STAGE]", help="Make these stages anew."
    ),
    click.option(
        "-o",
        "--output",
        "outputs",
        multiple=True,
        metavar="DIR|-|type=TYPE[,dest=PATH]",
        help="Also put the result there: local, tar, oci.",
    ),
    click.option("--iidfile", type=_PATH, help="Write the image's digest to a file."),
    click.option("--metadata-file", "metadata", type=_PATH, help="Write what was made to a file, as JSON."),
    click.option(
        "--progress",
        type=click.Choice(["auto", "plain", "tty", "quiet"]),
        default="auto",
        help="How to show the steps; auto is tty on a terminal, else plain.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="Print nothing but the digest."),
)


def with_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a build; it gets what `Given` names."""
    for add in reversed(_OPTIONS):
        function = add(function)
    return function
