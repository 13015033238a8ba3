"""What the verbs of `tare container` share: exit codes as docker's, and finding a container by its name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from runtime.container import records
from runtime.engine import documents
from runtime.engine.places import Places
from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.cli.context import Context
    from runtime.container.records import Record

# Options of `docker run` that somebody may bring along, and that are not in container_options.py.
_DOCKERS = {
    "annotation", "attach", "blkio-weight", "blkio-weight-device", "cgroup-parent", "cgroupns", "cpu-count",
    "cpu-percent", "cpu-period", "cpu-quota", "cpu-rt-period", "cpu-rt-runtime", "cpuset-mems",
    "device-cgroup-rule", "device-read-bps", "device-read-iops", "device-write-bps", "device-write-iops",
    "disable-content-trust", "dns-option", "dns-search", "domainname", "expose", "gpus", "health-cmd",
    "health-interval", "health-retries", "health-start-period", "health-timeout", "io-maxbandwidth",
    "io-maxiops", "ip", "ip6", "ipc", "isolation", "kernel-memory", "link", "link-local-ip", "mac-address",
    "memory-reservation", "memory-swappiness", "network-alias", "no-healthcheck", "oom-kill-disable", "pid",
    "platform", "publish-all", "pull", "quiet", "runtime", "sig-proxy", "storage-opt", "userns", "uts",
    "volume-driver", "volumes-from",
}  # fmt: skip
_CODES = {"not-executable": 126, "not-found": 127}


class RunUsageError(click.UsageError):
    """A wrong command line of `run`: 125, so that it can't be taken for the container's own code."""

    exit_code = 125


class RunCommand(click.Command):
    """A command whose usage errors end with 125, as docker's do."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:  # noqa: ANN401 - click's signature
        """Parse the command line."""
        try:
            return super().make_context(*args, **kwargs)
        except click.NoSuchOption as err:
            name = err.option_name
            if name.lstrip("-") not in _DOCKERS:
                raise RunUsageError(err.format_message(), err.ctx) from err
            raise RunUsageError(f"{name} is docker's, and tare has nothing for it", err.ctx) from err
        except click.UsageError as err:
            raise RunUsageError(err.format_message(), err.ctx) from err


def places(context: Context) -> Places:
    """Return where the engine keeps things."""
    return Places(str(context.run), str(context.data))


def find(context: Context, text: str) -> str | Record:
    """Return the full id of a container, or the record of one that a benchmark runs."""
    try:
        return documents.resolve(places(context), text)
    except RuntimeFault as err:
        if err.kind != "missing":
            raise
    known = [record.id for record in records.records(context.run) if record.kind == "container"]
    if text in known:
        return records.find(context.run, text)
    listed = ", ".join([*documents.names(places(context)), *known]) or "none"
    raise RuntimeFault(f"there is no container {text}", kind="missing", hint=f"known: {listed}")


def engine_id(context: Context, text: str) -> str:
    """Return the full id; a fault for a benchmark's container, which takes only ps, stop, kill and rm."""
    found = find(context, text)
    if isinstance(found, str):
        return found
    raise RuntimeFault(
        f"{text} belongs to a benchmark", kind="usage", hint="it takes only ps, stop, kill and rm"
    )


def exit_with(work: Callable[[], int]) -> NoReturn:
    """Exit with what `work` returns; with 125, 126 or 127 when it was Tare that failed."""
    try:
        code = work()
    except (RuntimeFault, OSError) as err:
        failed(err)
    except KeyboardInterrupt:  # before there was a process 1 to pass it to
        code = 130
    sys.exit(code)


def failed(err: RuntimeFault | OSError) -> NoReturn:
    """Say what went wrong, and exit with 125, 126 or 127."""
    if isinstance(err, RuntimeFault):
        say(str(err), err.hint)
        sys.exit(_CODES.get(err.kind, 125))
    say(f"{err.filename or 'the host'}: {err.strerror or err}", "see the path in the message")
    sys.exit(125)


def say(message: str, hint: str) -> None:
    """Print a line, and a hint, to standard error."""
    click.echo(f"tare: {message}", err=True)
    if hint:
        click.echo(f"  hint: {hint}", err=True)
