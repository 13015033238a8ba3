"""What is written down about a guest before it exists, so that another process can clean up after ours."""

from __future__ import annotations

import errno
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import msgspec

from vmdriver.errors import MachineFault, from_os
from vmdriver.files import discard, temporary
from vmdriver.process import Identity, myself

if TYPE_CHECKING:
    from pathlib import Path

_TAKEN = (errno.EEXIST, errno.ENOTEMPTY)


class _Fields(msgspec.Struct):
    """What has to be in guest.json."""

    name: str
    flavour: str
    owner: Identity
    uri: str
    root: str


class _Owned(msgspec.Struct):
    owner: Identity


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
    """Return the record in a guest's directory, or None if there is none: the guest is going away.

    Raises MachineFault, kind `corrupt`, when the record is damaged: a power cut took it, or somebody changed
    it. A crash of ours can't do that, since a record appears whole.
    """
    content = _content(directory)
    if content is None:
        return None
    try:
        fields = msgspec.json.decode(content, type=_Fields)
    except (msgspec.MsgspecError, UnicodeDecodeError) as err:
        raise MachineFault(
            f"the record {directory}/guest.json is damaged: {err}",
            kind="corrupt",
            hint="`tare system prune` ends and removes what nobody owns",
        ) from err
    return Record(fields.name, fields.flavour, directory, fields.owner, fields.uri, fields.root)


def owner_in(directory: Path) -> Identity | None:
    """Return the owner if at least that can be read in a damaged record."""
    try:
        return msgspec.json.decode(_content(directory) or b"", type=_Owned).owner
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def records(run: Path) -> tuple[Record, ...]:
    """Return the records of all guests below `run`, by name. One that is damaged is a fault, as in `read`."""
    return tuple(record for directory in directories(run) if (record := read(directory)))


def directories(run: Path) -> tuple[Path, ...]:
    """Return the directories of all guests below `run`, by name."""
    return tuple(sorted(path for path in (run / "guests").glob("[!.]*") if path.is_dir()))


def _content(directory: Path) -> bytes | None:
    path = directory / "guest.json"
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError:
        return b""
    except OSError as err:
        raise from_os(err, f"reading {path}") from err
