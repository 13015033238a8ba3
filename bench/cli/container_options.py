"""The options of `tare container run` and `create`, which are docker's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
LONGEST = 20  # characters; an exabyte in bytes has nineteen
MOST_CPUS = 8192  # NR_CPUS of the largest kernels


def size(text: str) -> int:
    """Parse bytes with docker's suffixes: 64m is 64 MiB."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([bkmgt]?)(?:i?b)?", text.lower())
    if match is None or len(text) > LONGEST:
        raise click.BadParameter(f"{text!r} is not a size, such as 64m or 1g")
    return int(float(match[1]) * _UNITS[match[2]])


def share(text: str) -> float:
    """Parse CPUs' worth of time, such as 0.5."""
    try:
        cpus = float(text)
    except ValueError:
        cpus = 0.0
    if not 0 < cpus < MOST_CPUS:  # nor is what is no number
        raise click.BadParameter(f"{text!r} is no share of CPUs, such as 0.5")
    return cpus


_OPTIONS = (
    click.option(
        "-m",
        "--memory",
        type=size,
        metavar="SIZE",
        help="Limit of memory and swap together, for example 64m.",
    ),
    click.option(
        "--memory-swap", type=size, metavar="SIZE", help="Limit of memory and swap, if not the same."
    ),
    click.option("--cpus", type=share, metavar="CPUS", help="CPUs' worth of time, for example 0.5."),
    click.option("-c", "--cpu-shares", type=int, help="Share of CPU time among others; 1024 is one's."),
    click.option("--cpuset-cpus", "cpuset", default="", help="CPUs to run on, for example 0-2,4."),
    click.option("--pids-limit", "pids", type=int, help="Most processes and threads."),
    click.option("--ulimit", multiple=True, metavar="NAME=SOFT[:HARD]", help="Limit of a resource."),
    click.option("--oom-score-adj", type=int, help="How soon it is killed when memory runs out."),
    click.option("--shm-size", type=size, metavar="SIZE", help="Size of /dev/shm; 64m if not given."),
    click.option("--sysctl", multiple=True, metavar="NAME=VALUE", help="Set a kernel parameter in it."),
    click.option("--device", multiple=True, metavar="HOST[:INSIDE[:rwm]]", help="Give it a device."),
    click.option("--privileged", is_flag=True, help="Give it all capabilities and devices, no filter."),
    click.option(
        "--network", "--net", "network", default="", help="none, host or bridge; none unless -p is given."
    ),
    click.option(
        "-p", "--publish", multiple=True, metavar="[[ADDR:]HOST:]PORT[/udp]", help="Publish a port."
    ),
    click.option("--add-host", multiple=True, metavar="NAME:ADDRESS", help="Add a line to /etc/hosts."),
    click.option("--dns", multiple=True, metavar="ADDRESS", help="Name server to use."),
    click.option(
        "-e", "--env", multiple=True, metavar="KEY=VALUE", help="Set a variable; KEY alone passes ours."
    ),
    click.option(
        "--env-file",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False),
        help="Read variables from a file.",
    ),
    click.option("-l", "--label", multiple=True, metavar="KEY=VALUE", help="Set a label."),
    click.option(
        "--label-file",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False),
        help="Read labels from a file.",
    ),
    click.option("-w", "--workdir", default="", help="Working directory in the container."),
    click.option("-u", "--user", default="", help="User and group, by name or number: USER[:GROUP]."),
    click.option("--group-add", multiple=True, metavar="GROUP", help="Add a group, by name or number."),
    click.option("--name", default="", help="Name of the container; the beginning of its id if not given."),
    click.option("-h", "--hostname", default="", help="Host name in the container."),
    click.option("--entrypoint", help="Program to run in place of the image's own."),
    click.option("--init", is_flag=True, help="Let a small process 1 pass signals on and reap orphans."),
    click.option("--read-only", "readonly", is_flag=True, help="Make the root file system read-only."),
    click.option("--tmpfs", multiple=True, metavar="PATH[:OPTIONS]", help="Mount a tmpfs."),
    click.option("--cap-add", multiple=True, metavar="CAP", help="Add a capability, or ALL."),
    click.option("--cap-drop", multiple=True, metavar="CAP", help="Drop a capability, or ALL."),
    click.option(
        "--security-opt",
        "security",
        multiple=True,
        help="no-new-privileges, seccomp=unconfined or a file, apparmor=PROFILE.",
    ),
    click.option(
        "-v",
        "--volume",
        "volumes",
        multiple=True,
        metavar="SRC:DST[:ro]",
        help="Mount a path of the host, or a volume by name.",
    ),
    click.option("--mount", multiple=True, metavar="type=…,source=…,target=…", help="The same, at length."),
    click.option("--no-new-privileges", is_flag=True, help="Set-uid programs give nothing."),
    click.option(
        "--restart", default="no", show_default=True, help="no, on-failure[:N], always or unless-stopped."
    ),
    click.option("--log-driver", default="json-file", show_default=True, help="json-file or none."),
    click.option("--log-opt", multiple=True, metavar="KEY=VALUE", help="max-size=10m, max-file=3."),
    click.option("--stop-signal", default="", help="Signal of `stop`; SIGTERM if not given."),
    click.option("--stop-timeout", type=int, help="Seconds before `stop` kills; 10 if not given."),
    click.option("-i", "--interactive", is_flag=True, help="Keep standard input open."),
    click.option("-t", "--tty", is_flag=True, help="Give it a terminal."),
    click.argument("image"),
    click.argument("args", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND [ARG]…]"),
)


detach_keys = click.option(
    "--detach-keys",
    default="",
    metavar="KEYS",
    help="Keys that leave it running; ctrl-p,ctrl-q if not given.",
)


def configured(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all of these options."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
