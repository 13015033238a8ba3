"""`debian:bookworm`: a minimal Debian made by mmdebstrap from the host's own mirror."""

import errno
import os
import re
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, cast

from runtime.errors import RuntimeFault
from runtime.image import disk
from runtime.image.commit import Change, from_layer
from runtime.image.image import Image
from runtime.image.store import Store

CODENAME = "bookworm"
NAME = f"debian:{CODENAME}"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DEFAULT_MIRROR = "http://deb.debian.org/debian"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_RELEASED = 1686355200  # 2023-06-10, when bookworm came out: later times are set back to it
# What docker's own slim images leave out as well; licences stay.
_DPKG = (
    "path-exclude=/usr/share/man/man?/*",
    "path-exclude=/usr/share/locale/*/LC_MESSAGES/*",
    "path-exclude=/usr/share/doc/*/*",
    "path-include=/usr/share/doc/*/copyright",
)
_PACKAGES = dict.fromkeys(("setpriv", "unshare"), "util-linux")
# If we are killed, so is process 1 of a namespace that holds all that mmdebstrap started, dpkg in its chroot
# too. mmdebstrap alone would finish its work for nobody.
_LEASH = ("setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
_STAGES = re.compile(r"I: (running apt-get update|downloading|extracting|installing|cleaning|creating).*")


@dataclass(frozen=True, slots=True)
class Source:
    """A Debian archive as apt writes it; `suite` is bookworm or one of its companions."""

    uri: str
    suite: str

    def line(self) -> str:
        """Return the line for sources.list; the keyring is named, for hosts that are not Debian."""
        return f"deb [signed-by={_KEYRING}] {self.uri} {self.suite} main"


def build(store: Store, progress: Callable[[str], None]) -> Image:
    """Make `debian:bookworm`, about 130 MB unpacked, in some 20 s; `progress` hears each stage.

    apt works in it. The result depends on the archive's state alone: times are clamped to
    `SOURCE_DATE_EPOCH`, by default bookworm's release. No mmdebstrap, no network and a full disk are faults
    of kind `host`, and leave nothing behind.
    """
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or _RELEASED)
    with store.writing():
        with disk.scratch_directory(store.scratch) as scratch, _mmdebstrap(scratch, epoch, progress) as tar:
            layer = store.add_tar(tar)
        return from_layer(
            store,
            layer,
            NAME,
            config=Change(env={"PATH": _PATH}, cmd=("bash",)),
            created=datetime.fromtimestamp(epoch, UTC),
            created_by=f"tare image bootstrap {NAME}",
        )


def sources() -> list[Source]:
    """Return the archives of bookworm that the host's apt uses, or Debian's own mirror if it uses none."""
    listing = _ask(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    )
    found: dict[Source, None] = {}
    for line in listing.splitlines():
        uri, suite, component = (*line.split(), "", "", "")[:3]
        archive = uri.rstrip("/").rpartition("/")[2]
        if component == "main" and suite.split("-")[0] == CODENAME and archive.startswith("debian"):
            found[Source(uri.rstrip("/"), suite)] = None
    mirror_known = any(source.suite == CODENAME for source in found)
    return list(found) if mirror_known else [Source(_DEFAULT_MIRROR, CODENAME)]


def _proxies() -> list[str]:
    names = ["Acquire::http::Proxy", "Acquire::https::Proxy"]
    return [line for line in _ask(["apt-config", "dump", *names]).splitlines() if line and '""' not in line]


def _ask(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stdout
    except FileNotFoundError:
        return ""  # no apt here: mmdebstrap will say so if it needs it


def _command(archives: list[Source]) -> list[str]:
    https = any(source.uri.startswith("https:") for source in archives)
    # Docker mounts over both files; the host's own must not be part of the image.
    hook = '--customize-hook=: > "$1/etc/resolv.conf"; echo localhost > "$1/etc/hostname"'
    return [
        *(_LEASH if os.geteuid() == 0 else ()),
        *("mmdebstrap", "--variant=minbase", "--format=tar", hook),
        *(f"--dpkgopt={option}" for option in _DPKG),
        *(f"--aptopt={option}" for option in _proxies()),
        *(["--include=ca-certificates"] if https else []),
        *(CODENAME, "-"),
        *(source.line() for source in archives),
    ]


@contextmanager
def _mmdebstrap(scratch: Path, epoch: int, progress: Callable[[str], None]) -> Iterator[IO[bytes]]:
    """Yield the tar as it is made; a failure that shows at the end is a fault too."""
    _require("mmdebstrap", "setpriv", "unshare")
    archives = sources()
    progress(f"debian from {', '.join(archive.uri for archive in archives)}")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "TMPDIR": str(scratch), "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(
        _command(archives), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, bufsize=1 << 20
    )
    with process, _Log(process.stderr, progress) as log:
        try:
            yield cast("IO[bytes]", process.stdout)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise log.fault()


class _Log:
    """Reads what mmdebstrap says, so that it never waits for us, and keeps what went wrong."""

    def __init__(self, stream: IO[bytes] | None, progress: Callable[[str], None]) -> None:
        self._stream = stream
        self._progress = progress
        self._errors: deque[str] = deque(maxlen=20)
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> "_Log":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join()

    def fault(self) -> RuntimeFault:
        """Return why it failed, from its own words."""
        said = " ".join(self._errors)
        if "No space left on device" in said or "not enough free space" in said.lower():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        errors = [line for line in self._errors if line.startswith("E:")] or list(self._errors)[-3:]
        return RuntimeFault(
            f"mmdebstrap could not make {NAME}: {' '.join(errors)[:500] or 'it said nothing'}",
            kind="host",
            hint="check that the host's mirror answers (`apt-get update`) and that the network is up",
        )

    def _read(self) -> None:
        for raw in self._stream or ():
            line = raw.decode(errors="replace").strip()
            if _STAGES.match(line):
                self._progress(line.removeprefix("I: "))
            elif line and not line.startswith("I:"):
                self._errors.append(line)


def _require(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            raise RuntimeFault(
                f"there is no {program} on this host",
                kind="host",
                hint=f"install it: apt-get install {_PACKAGES.get(program, program)}",
            )
    if not _KEYRING.exists():
        raise RuntimeFault(
            f"Debian's archive keys are missing ({_KEYRING})",
            kind="host",
            hint="install them: apt-get install debian-archive-keyring",
        )
