"""What planners of resources get: the directory of a controller for one container, and what it holds now."""

# pathlib stays out of the start path:
# ruff: noqa: PTH123

from __future__ import annotations

from runtime.cgroups.mounts import absent
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    Step = tuple[str, ...]


class Spot:
    """One controller's directory, `version` 1 or 2. It need not exist yet: then nothing is set in it."""

    __slots__ = ("directory", "version")

    def __init__(self, version: int, directory: str) -> None:
        self.version, self.directory = version, directory

    def file(self, name: str) -> str:
        """Path of a control file."""
        return f"{self.directory}/{name}"

    def write(self, name: str, text: str | int) -> Step:
        """Return the step that sets a control file."""
        return ("write", self.file(name), str(text))

    def read(self, name: str) -> str:
        """Text of a control file now; empty when there is none."""
        try:
            with open(self.file(name), encoding="utf-8", errors="replace") as file:
                return file.read().strip()
        except OSError:
            return ""

    def number(self, name: str) -> int | None:
        """Return the number in a control file now; None for "max" or when there is none."""
        text = self.read(name)
        return int(text) if text.lstrip("-").isdigit() else None


class Room:
    """The spots of one container: `spots` by controller; `lacking` says why there are none, if so.

    `used` collects the controllers that some field needs, `warnings` what could not be honoured and may be
    left out.
    """

    __slots__ = ("lacking", "rootless", "spots", "used", "warnings")

    def __init__(self, spots: dict[str, Spot], lacking: str = "", *, rootless: bool = False) -> None:
        self.spots, self.lacking, self.rootless = spots, lacking, rootless
        self.used: list[str] = []
        self.warnings: list[str] = []

    def spot(self, controller: str, where: str) -> Spot:
        """Spot that the field `where` needs; a host fault that names the field when there is none."""
        if self.lacking:
            raise RuntimeFault(f"{where}: {self.lacking}", kind="host", hint=_DELEGATE)
        found = self.spots.get(controller)
        if found is None and self.rootless:
            text = f"{where}: the {controller} controller is not delegated to this user"
            raise RuntimeFault(text, kind="host", hint=_DELEGATE)
        if found is None:
            raise absent(controller, where)
        if controller not in self.used:
            self.used.append(controller)
        return found


def unconverted(where: str) -> RuntimeFault:
    """Refusal of a v1 setting that v2 has no counterpart of (config-linux.md, "unified")."""
    return RuntimeFault(
        f"{where} has no counterpart in cgroup v2", kind="host", hint="remove it from config.json"
    )


_DELEGATE = "run it as root, or in a delegated cgroup: systemd-run --user --scope -p Delegate=yes …"
