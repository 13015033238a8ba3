"""Where this invocation keeps its data, and how it talks to the person."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from runtime.image.store import Store


@dataclass(frozen=True)
class Context:
    """Tare's two roots: `data` for what stays (images, disks, results), `run` for what is running."""

    data: Path
    run: Path

    @classmethod
    def at(cls, root: Path | None) -> "Context":
        """Return the roots below `root`, or the default ones of this user."""
        if root is not None:
            return cls(root.absolute(), root.absolute() / "run")
        if os.geteuid() == 0 and "XDG_DATA_HOME" not in os.environ:
            return cls(Path("/var/lib/tare"), Path("/run/tare"))
        home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "tare"
        runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}")
        return cls(home, Path("/run/tare") if os.geteuid() == 0 else runtime / "tare")

    @property
    def results(self) -> Path:
        """Where result files and reports go by default."""
        return self.data / "results"

    def store(self) -> Store:
        """Return the image store."""
        return Store(self.data / "images")

    def say(self, text: str) -> None:
        """Tell the person something that is not a result."""
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
