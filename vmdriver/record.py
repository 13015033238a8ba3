"""What is written down about a guest before it exists, so that another process can clean up after ours."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from vmdriver.errors import MachineFault, from_os
from vmdriver.files import replacing
from vmdriver.process import Identity, identify

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Record:
    """A guest's directory, the process that owns it, and the libvirt that runs it.

    `root` is the embedded driver's directory, empty where `uri` names a daemon. Everything else of a
    guest (sockets, overlays, log) is inside its directory `RUN/guests/NAME`.
    """

    name: str
    flavour: str
    directory: Path
    owner: Identity
    uri: str
    root: str

    def write(self) -> None:
        """Make the guest's directory and the record in it. A name in use is a MachineFault."""
        try:
            self.directory.parent.mkdir(parents=True, exist_ok=True)
            self.directory.mkdir()
        except FileExistsError as err:
            raise MachineFault(
                f"a guest named {self.name} exists",
                kind="usage",
                hint="choose another name, or tare vm destroy it",
            ) from err
        except OSError as err:
            raise from_os(err, f"making {self.directory}") from err
        with replacing(self.directory / "guest.json") as fresh:
            fresh.write_text(json.dumps(asdict(self) | {"directory": str(self.directory)}))


def own(name: str, flavour: str, run: Path, uri: str, root: Path | None) -> Record:
    """Return the record of a guest that this process is about to start."""
    owner = identify(os.getpid())
    if owner is None:
        raise MachineFault("/proc is not mounted", kind="host", hint="mount -t proc proc /proc")
    return Record(name, flavour, run / "guests" / name, owner, uri, str(root or ""))


def read(directory: Path) -> Record | None:
    """Return the record in a guest's directory, or None if its owner was killed before it was written."""
    try:
        fields = json.loads((directory / "guest.json").read_text())
        owner = Identity(fields["owner"]["pid"], fields["owner"]["start"])
        return Record(fields["name"], fields["flavour"], directory, owner, fields["uri"], fields["root"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError) as err:
        raise MachineFault(
            f"{directory}/guest.json is damaged: {err}",
            kind="corrupt",
            hint=f"end the guest, then rm -r {directory}",
        ) from err


def records(run: Path) -> tuple[Record, ...]:
    """Return the records of all guests below `run`, by name."""
    directories = sorted((run / "guests").glob("*/"))
    return tuple(record for directory in directories if (record := read(directory)))
