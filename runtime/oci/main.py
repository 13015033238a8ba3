"""`tare-oci`: the command line that higher-level tools expect of a runtime, as far as it goes today.

Verbs and their output follow runc and the OCI runtime specification (runtime.md, features.md, config.md); a
verb that is not there is refused by its name, so that a caller never takes silence for success.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from runtime.container.records import Record, find, records
from runtime.container.spec import PATH
from runtime.errors import RuntimeFault
from runtime.linux import capabilities, namespaces
from runtime.rootfs import plan

SPECIFICATION = "1.2.0"
_REFUSED = (
    "create", "start", "run", "exec", "kill", "delete", "pause", "resume", "update", "events", "ps",
    "checkpoint",
)  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    try:
        print(_answer(*_parser().parse_known_args(argv)))  # noqa: T201
    except RuntimeFault as err:
        print(f"tare-oci: {err}", file=sys.stderr)  # noqa: T201
        if err.hint:
            print(f"  hint: {err.hint}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _answer(arguments: argparse.Namespace, extra: list[str]) -> str:
    run = Path(arguments.root)
    if arguments.verb in _REFUSED:
        hint = "run containers with tare container run"
        raise RuntimeFault(f"{arguments.verb} is not implemented by tare-oci", kind="usage", hint=hint)
    if extra:
        raise RuntimeFault(f"{arguments.verb} takes no {extra[0]}", kind="usage", hint="see tare-oci --help")
    if arguments.verb == "list":
        return json.dumps([_state(record) for record in records(run)], indent=2)
    if arguments.verb == "state":
        return json.dumps(_state(find(run, arguments.id)), indent=2)
    return json.dumps(features() if arguments.verb == "features" else specification(), indent=2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tare-oci",
        description="Tare's OCI runtime.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=_version())
    default = os.environ.get("TARE_ROOT")
    parser.add_argument(
        "--root", default=f"{default}/run" if default else "/run/tare", help="where records are"
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, text in (
        ("features", "what this runtime knows"),
        ("spec", "print a config.json"),
        ("list", "list"),
    ):
        verbs.add_parser(name, help=text)
    verbs.add_parser("state", help="state of one container").add_argument("id")
    for name in _REFUSED:
        verbs.add_parser(name, help=argparse.SUPPRESS).add_argument("rest", nargs=argparse.REMAINDER)
    return parser


def _version() -> str:
    try:
        own = version("tare")
    except PackageNotFoundError:
        own = "unknown"
    return f"tare-oci version {own}\nspec: {SPECIFICATION}"


def _state(record: Record) -> dict[str, Any]:
    """Return the state of a container (runtime.md, State); an abandoned one is stopped, with a note."""
    status = record.status if record.status in {"creating", "running"} else "stopped"
    notes = {**record.labels, **({"tare.abandoned": "true"} if record.status == "abandoned" else {})}
    return {
        "ociVersion": SPECIFICATION, "id": record.id, "status": status,
        "pid": record.pid if status == "running" else 0, "bundle": str(record.directory),
        "annotations": notes,
    }  # fmt: skip


def features() -> dict[str, Any]:
    """Return the features structure (features.md, features-linux.md)."""
    return {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": SPECIFICATION,
        "mountOptions": ["bind", "rbind", "ro", "rw", "nosuid", "nodev", "noexec"],
        "linux": {
            "namespaces": sorted(set(namespaces.FLAGS) - {"user"}),
            "capabilities": [f"CAP_{name}" for name in capabilities.NAMES],
            "cgroup": {"v1": True, "v2": True, "systemd": False},
            "seccomp": {"enabled": False},
        },
    }


def specification() -> dict[str, Any]:
    """Return a config.json with this runtime's defaults (config.md, config-linux.md)."""
    kept = [f"CAP_{name}" for name in capabilities.DEFAULT]
    isolated = ("pid", "network", "ipc", "uts", "mount", "cgroup")
    return {
        "ociVersion": SPECIFICATION,
        "process": {
            "terminal": False, "user": {"uid": 0, "gid": 0}, "args": ["sh"], "env": [PATH], "cwd": "/",
            "capabilities": {"bounding": kept, "effective": kept, "permitted": kept},
            "noNewPrivileges": False,
        },
        "root": {"path": "rootfs", "readonly": False},
        "hostname": "tare",
        "linux": {
            "namespaces": [{"type": name} for name in isolated],
            "maskedPaths": list(plan.MASKED),
            "readonlyPaths": list(plan.READONLY),
        },
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
