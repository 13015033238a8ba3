"""Runs the host's programs, so that a missing or failed one is told in one line."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from vmdriver.errors import MachineFault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PACKAGES = {
    "apt-cache": "apt",
    "apt-get": "apt",
    "busybox": "busybox-static",
    "dpkg": "dpkg",
    "grub-mkimage": "grub-pc-bin grub-common",
    "mke2fs": "e2fsprogs",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
}


def lacking(program: str) -> MachineFault:
    """Return the fault that says that `program` is not installed, with the line that installs it."""
    package = PACKAGES.get(program, program)
    return MachineFault(
        f"{program} is not installed", kind="host", hint=f"apt-get install --no-install-recommends {package}"
    )


def run(arguments: Sequence[str | Path], *, cwd: Path | None = None, doing: str) -> str:
    """Run a program to its end and return its standard output.

    Raises MachineFault, with the last line of the program's own complaint, if it is missing or fails;
    a full disk is recognised by its message, since programs don't pass errno on.
    """
    words = [str(word) for word in arguments]
    try:
        done = subprocess.run(  # noqa: PLW1510
            words, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
        )
    except FileNotFoundError as err:
        raise lacking(words[0]) from err
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise _failure(words[0], done.returncode, lines[-1] if lines else "", doing)
    return done.stdout


def _failure(program: str, status: int, complaint: str, doing: str) -> MachineFault:
    text = f"{doing}: {program} ended with {status}: {complaint}"
    if "No space left" in complaint or "Could not allocate block" in complaint:
        return MachineFault(text, kind="host", hint="free some space, or move everything with --root")
    return MachineFault(text, hint=f"run it again with {program} by hand to see all of its output")
