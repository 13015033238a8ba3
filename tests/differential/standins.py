"""Stand-ins for the base images of the Dockerfiles, which nobody can fetch here: busybox, and a little more.

All but `busybox` itself have the host's bash, setcap and useradd with their libraries, and some users of
a Debian.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.image.bootstrap import bootstrap
from runtime.image.commit import Change, derive
from runtime.image.layer.entry import Directory, File

if TYPE_CHECKING:
    from runtime.image.store import Store

PLAIN = ("busybox", "busybox:buildroot-2014.02")
RICHER = (
    *("alpine", "alpine:3.5", "brimstone/ubuntu:14.04", "centos:7", "centos", "cpuguy83/ubuntu", "debian"),
    *("foo", "image", "ubuntu", "ubuntu:12.04", "ubuntu:14.04", "ubuntu:18.04"),
)
GOLANG, NGINX = ("golang", "golang:1.9"), ("nginx",)
_PROGRAMS = {"bash": "bin", "setcap": "sbin", "useradd": "usr/sbin"}
_USERS = {"bin": 1, "adm": 3, "lp": 4, "mail": 8}
_GROUPS = {"bin": 1, "adm": 4, "lp": 7, "mail": 12}


def make(store: Store) -> dict[str, tuple[str, ...]]:
    """Make the images; returns for the name that each has in the store all that it stands in for."""
    base = bootstrap(store, "busybox")
    derive(store, base, _files(), "stand-in/richer")
    richer = store.resolve("stand-in/richer")
    place = Change(working_dir="/go")
    derive(store, richer, {"go/src/kept": File(b"kept\n", 0o640, 7, 8)}, "stand-in/golang", config=place)
    derive(store, richer, {"etc/nginx/nginx.conf": b"events {}\n"}, "stand-in/nginx")
    found = {
        "busybox:latest": PLAIN, "stand-in/richer:latest": RICHER,
        "stand-in/golang:latest": GOLANG, "stand-in/nginx:latest": NGINX,
    }  # fmt: skip
    for source, names in found.items():
        for name in names:
            store.tag(source, name)
    return found


def _files() -> dict[str, File | bytes | Directory]:
    users = "".join(f"{name}:x:{uid}:{_GROUPS[name]}:{name}:/:/bin/false\n" for name, uid in _USERS.items())
    groups = "".join(f"{name}:x:{gid}:\n" for name, gid in _GROUPS.items())
    found: dict[str, File | bytes | Directory] = {
        "etc/passwd": f"root:x:0:0:root:/root:/bin/sh\n{users}".encode(),
        "etc/group": f"root:x:0:\n{groups}".encode(),
        "etc/shadow": File(b"root:*:19000::::::\n", 0o640),
    }
    for name, place in _PROGRAMS.items():
        program = Path(shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin") or f"/usr/bin/{name}")
        found[f"{place}/{name}"] = File(program.read_bytes(), 0o755)
        found |= {path: File(Path("/", path).read_bytes(), 0o755) for path in _libraries(program)}
    return found


def _libraries(program: Path) -> list[str]:
    done = subprocess.run(["ldd", program], check=True, capture_output=True, text=True)
    words = (word for line in done.stdout.splitlines() for word in line.split())
    return sorted({word.lstrip("/") for word in words if word.startswith("/")})
