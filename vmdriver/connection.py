"""The connection to libvirt. This is the only module that imports it, and it does so late.

Without a URI the embedded driver runs inside this process: no daemon, nothing of the host's own libvirt
is seen or touched.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Any

from vmdriver import slot as slots
from vmdriver.adoption import adopting
from vmdriver.errors import MachineFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LOG = "LIBVIRT_LOG_OUTPUTS"
_INSTALL = (
    "apt-get install --no-install-recommends "
    "libvirt-daemon libvirt-daemon-driver-qemu qemu-system-x86 qemu-utils"
)


class _Process:
    """What libvirt makes a fact of the whole process: its event loop, and the one embedded directory."""

    lock = threading.Lock()
    looping = False
    data: Path | None = None
    slot: slots.Slot | None = None


class Connection:
    """An open connection; a context manager.

    `data` is Tare's data directory, below which the embedded driver keeps its state; `uri` is any
    libvirt URI to use instead, such as `qemu:///system`. A process can use one data directory with
    the embedded driver for as long as it lives, which is libvirt's own limit.
    """

    def __init__(self, data: Path, uri: str | None = None) -> None:
        self._libvirt = _import()
        with _Process.lock:
            _start_loop(self._libvirt)
            root = None if uri else _embedded_root(data)
            self.root: Path | None = root
            self.uri = uri or f"qemu:///embed?root={root}"
            with translated(f"connecting to {self.uri}", hint=_hint(uri)):
                self._connection = self._libvirt.open(self.uri)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. Guests go on; the embedded directory stays this process's own."""
        with translated(f"closing {self.uri}"):
            self._connection.close()

    def create(self, xml: str, name: str) -> None:
        """Start a transient guest; returns when libvirt says that it runs."""
        adopted = adopting(self.root / f"run/qemu/{name}.pid") if self.root else contextlib.nullcontext()
        with translated(f"starting guest {name}"), adopted:
            self._connection.createXML(xml, 0)

    def save(self, name: str, file: Path) -> None:
        """Write a guest's memory and devices to `file` and end it (virDomainSave)."""
        with translated(f"saving guest {name}"):
            self._connection.lookupByName(name).save(str(file))

    def restore(self, file: Path, name: str) -> None:
        """Let the guest `name` go on from where it was saved; returns when libvirt says that it runs."""
        adopted = adopting(self.root / f"run/qemu/{name}.pid") if self.root else contextlib.nullcontext()
        with translated(f"restoring guest {name}"), adopted:
            self._connection.restore(str(file))

    def destroy(self, name: str) -> None:
        """End a guest at once. One that is gone already is no error."""
        with translated(f"ending guest {name}"):
            try:
                self._connection.lookupByName(name).destroy()
            except self._libvirt.libvirtError as err:
                # The guest may end between the look-up and the call, too.
                if err.get_error_code() not in _gone(self._libvirt):
                    raise

    def exists(self, name: str) -> bool:
        """Tell whether libvirt knows a guest of this name."""
        with translated("listing guests"):
            return name in [domain.name() for domain in self._connection.listAllDomains()]

    def versions(self) -> dict[str, str]:
        """Return the versions of libvirt and of the hypervisor behind it."""
        with translated("asking for versions"):
            return {
                "libvirt": _dotted(self._connection.getLibVersion()),
                "qemu": _dotted(self._connection.getVersion()),
            }


@contextlib.contextmanager
def translated(doing: str, hint: str = "") -> Iterator[None]:
    """Turn libvirt's errors into ours: the seam between the two."""
    libvirt = _import()
    try:
        yield
    except libvirt.libvirtError as err:
        message = " ".join(str(err.get_error_message() or err).split())
        raise _fault(doing, message, hint) from err


def _fault(doing: str, message: str, hint: str) -> MachineFault:
    if "No space left" in message:
        return MachineFault(
            f"{doing}: {message}", kind="host", hint="free some space, or choose another --root"
        )
    if "libvirt-qemu" in message:
        user = "useradd --system --user-group --no-create-home --shell /usr/sbin/nologin libvirt-qemu"
        return MachineFault(f"{doing}: {message}", kind="host", hint=user)
    return MachineFault(f"{doing}: {message}", kind="host" if hint else "failed", hint=hint)


def _import() -> Any:  # noqa: ANN401  (libvirt ships no types)
    # The embedded driver logs to standard error, where it would tear the progress display, and reads this
    # as it is loaded. Every error of its own reaches us as an exception.
    quiet = _LOG not in os.environ
    if quiet:
        os.environ[_LOG] = "4:file:/dev/null"
    try:
        import libvirt  # noqa: PLC0415  (80 ms, and only a process that starts guests should pay)
    except ImportError as err:
        raise MachineFault(f"libvirt can't be loaded: {err}", kind="host", hint=_INSTALL) from err
    finally:
        if quiet:
            del os.environ[_LOG]
    return libvirt


def _start_loop(libvirt: Any) -> None:  # noqa: ANN401
    if _Process.looping:
        return
    libvirt.registerErrorHandler(_silent, None)
    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(
        target=_loop, args=(libvirt.virEventRunDefaultImpl,), name="libvirt", daemon=True
    ).start()
    _Process.looping = True


def _loop(turn: Callable[[], None]) -> None:
    while True:
        turn()


def _silent(*_: object) -> None:
    """Print nothing: every error reaches the caller as an exception anyway."""


def _embedded_root(data: Path) -> Path:
    if os.geteuid() != 0:
        raise MachineFault("starting guests needs root", kind="host", hint="run as root, or give --connect")
    if _Process.slot is None:
        _Process.slot, _Process.data = slots.acquire(data.resolve()), data.resolve()
    elif _Process.data != data.resolve():
        raise MachineFault(
            f"this process uses libvirt's directories in {_Process.data}, so it can't use {data}",
            kind="usage",
            hint="use another process for another root",
        )
    return _Process.slot.root


def _hint(uri: str | None) -> str:
    return f"check the URI and that its daemon runs: virsh -c {uri} list" if uri else _INSTALL


def _gone(libvirt: Any) -> tuple[int, ...]:  # noqa: ANN401
    return (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID)


def _dotted(number: int) -> str:
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
