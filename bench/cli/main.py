"""`tare`: finds the subcommand, imports only that, and turns faults into a line, a hint and an exit code."""

import errno
import importlib
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

import click

from bench import interrupts
from bench.cli.context import Context
from bench.errors import BenchFault
from runtime.errors import RuntimeFault
from vmdriver.errors import MachineFault

COMMANDS = {
    "run": "Measure scenarios on targets and write the result file and the report.",
    "list": "Show the scenarios, targets and claims there are, and what can run here.",
    "claims": "Measure what claims need, and give each a verdict with its evidence.",
    "compare": "Compare two runs, and say whether anything got worse.",
    "baseline": "Choose the run that others are compared with.",
    "history": "Show how figures went over the stored runs, and where they changed.",
    "results": "Look after the stored runs, and exchange them with other tools.",
    "report": "Make an HTML report from result files.",
    "chart": "Write one chart of a run as a picture or a page.",
    "container": "Run containers and look after them.",
    "image": "Look after the image store.",
    "registry": "Log in to registries, and look after what they hold.",
    "vm": "Run virtual machines and look after them.",
    "system": "Show this host, and remove what a crash left.",
}
EXIT_CODES = {"usage": 2, "missing": 2, "host": 3, "not-executable": 126, "not-found": 127}
INTERRUPTED = 130


class Commands(click.Group):
    """A group whose commands are modules, imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"bench.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; ends as SIGPIPE would when nobody reads: click would say 1, a failed run here."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the interpreter's last flush can't fail again
            sys.exit(128 + signal.SIGPIPE)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Show the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="TARE_ROOT",
    help="Keep all data and state here (default: /var/lib/tare and /run/tare for root).",
)
@click.version_option(package_name="tare", message="tare %(version)s")
@click.pass_context
def tare(ctx: click.Context, root: Path | None) -> None:
    """Measure what a container or a virtual machine costs, on this machine."""
    ctx.obj = Context.at(root)


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    interrupts.install()
    try:
        code = tare.main(prog_name="tare", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        fail("interrupted; everything that was started has been removed", "", INTERRUPTED)
    except (BenchFault, RuntimeFault, MachineFault) as fault:
        fail(str(fault), fault.hint, EXIT_CODES.get(fault.kind, 1))
    except OSError as error:
        _fail_by_host(error)


def fail(text: str, hint: str, code: int) -> NoReturn:
    """Print one line and a hint to standard error, and exit."""
    sys.stderr.write(f"tare: {text}\n")
    if hint:
        sys.stderr.write(f"  hint: {hint}\n")
    sys.exit(code)


def _fail_by_host(error: OSError) -> NoReturn:
    where = f"{error.filename}: " if error.filename else ""
    hints = {
        errno.ENOSPC: "make room on that file system, or use another with --root",
        errno.EACCES: "run it as root, or use a --root that you can write to",
        errno.EPERM: "run it as root",
        errno.EROFS: "use a --root that can be written to",
    }
    fail(f"{where}{error.strerror or error}", hints.get(error.errno or 0, "see the path in the message"), 3)
