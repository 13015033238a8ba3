"""Where the Dockerfiles of a package of Debian's are: it is installed, or its files are unpacked alone."""

from __future__ import annotations

import sys
from pathlib import Path

NAME = "golang-github-openshift-imagebuilder-dev"
_PLACE = "usr/share/gocode/src/github.com/openshift/imagebuilder"
PLACES = (Path("/", _PLACE), Path(sys.prefix, "share/imagebuilder", _PLACE))
ROOT = next((path for path in PLACES if path.is_dir()), PLACES[-1])
MISSING = "" if ROOT.is_dir() else f"needs the Dockerfiles of {NAME}, which ./bootstrap test unpacks"


def dockerfiles() -> list[Path]:
    """Return them all, none if they are not here."""
    files = (path for path in ROOT.rglob("*") if "dockerfile" in path.name.lower() and path.is_file())
    return sorted(path for path in files if path.suffix != ".go")
