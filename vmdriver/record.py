"""What is written down about a guest before it exists, so that another process can clean up after ours."""

from __future__ import annotations

import errno
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from vmdriver.errors import MachineFault, from_os
from vmdriver.files import discard, temporary
from vmdriver.process import Identity, myself

if TYPE_CHECKING:
    from pathlib import Path

_TAKEN = (errno.EEXIST, errno.ENOTEMPTY)


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
        """Make the guest's directory, with the record in it from its first moment.

        A name in use is a MachineFault, kind `usage`.
        """
        fresh = temporary(self.directory)
        try:
            fresh.mkdir(parents=True)
            (fresh / "guest.json").write_text(json.dumps(asdict(self) | {"directory": str(self.directory)}))
            # Fails if the directory is there, since it is not empty then: rename(2), ENOTEMPTY.
            fresh.rename(self.directory)
        except OSError as err:
            discard(fresh)
            raise self._taken() if err.errno in _TAKEN else from_os(err, f"making {self.directory}") from err

    def _taken(self) -> MachineFault:
        hint = f"choose another name, or end it: tare vm destroy {self.name}"
        return MachineFault(f"there is a guest named {self.name}", kind="usage", hint=hint)


def own(name: str, flavour: str, run: Path, uri: str, root: Path | None) -> Record:
    """Return the record of a guest that this process is about to start."""
    return Record(name, flavour, run / "guests" / name, myself(), uri, str(root or ""))


def read(directory: Path) -> Record | None:
    """Return the record in a guest's directory, or None if the guest went away meanwhile."""
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
    directories = sorted(path for path in (run / "guests").glob("[!.]*") if path.is_dir())
    return tuple(record for directory in directories if (record := read(directory)))
