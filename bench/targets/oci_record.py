"""What is known of a container of an OCI runtime, on the disk before it exists, so that a prune finds it."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import BenchFault
from runtime.linux.processes import alive, start_time

PATIENCE = 60.0  # seconds for one command of the runtime
_RECORD = "record.json"
_LAST_WORDS = 300


def home(run: Path) -> Path:
    """Return where the records are below Tare's run root."""
    return run / "oci"


@dataclass(frozen=True)
class Record:
    """The container `name` of the program `runtime`, with its bundle and the runtime's own state."""

    home: Path
    name: str
    runtime: str

    @property
    def place(self) -> Path:
        """The container's directory, which is its bundle too."""
        return self.home / self.name

    def command(self, verb: str, *words: object) -> list[str]:
        """Return a command line of the runtime; its complaints go to the log in the bundle."""
        log = ("--log", self.place / "log", "--log-format", "json")
        return [str(word) for word in (self.runtime, "--root", self.place / "state", *log, verb, *words)]

    def write(self, config: dict[str, Any]) -> None:
        """Put the record and the bundle on the disk."""
        self.place.mkdir(parents=True)
        me = os.getpid()
        owner = {"runtime": self.runtime, "pid": me, "start": start_time(me)}
        (self.place / _RECORD).write_text(json.dumps(owner))
        (self.place / "config.json").write_text(json.dumps(config))

    def delete(self) -> None:
        """Kill and delete the container, if it is there, and forget it; BenchFault of kind `failed`."""
        if not self.place.exists():
            return
        words = self.command("delete", "--force", self.name)
        try:
            subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=PATIENCE)  # fmt: skip
        except (OSError, subprocess.SubprocessError) as err:
            if (self.place / "state" / self.name).exists():
                raise BenchFault(
                    f"{self.runtime} could not delete {self.name}: {self.complaint() or err}",
                    hint=f"by hand: {' '.join(words)}",
                    kind="failed",
                ) from err
        shutil.rmtree(self.place)

    def leftovers(self) -> Sequence[str]:
        """Name what is left on the disk."""
        return [f"directory {self.place}"] if self.place.exists() else []

    def complaint(self) -> str:
        """Return the last message in the runtime's log, which is JSON lines."""
        log = self.place / "log"
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        last = lines[-1] if lines else ""
        with suppress(ValueError, AttributeError):
            last = str(json.loads(last).get("msg", last))
        return last[-_LAST_WORDS:]


def prune(run: Path) -> list[str]:
    """Delete the containers whose owners are dead; returns their names."""
    parent, removed = home(run), []
    for place in sorted(parent.iterdir()) if parent.is_dir() else ():
        owner = _owner(place)
        if owner is None:  # killed between the directory and its record: nothing was started
            shutil.rmtree(place)
        elif not alive(owner["pid"], owner["start"]):
            Record(parent, place.name, owner["runtime"]).delete()
        else:
            continue
        removed.append(place.name)
    return removed


def _owner(place: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((place / _RECORD).read_text())
        return {"runtime": found["runtime"], "pid": int(found["pid"]), "start": int(found["start"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None
