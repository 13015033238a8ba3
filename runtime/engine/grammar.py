"""Options of `create` that have a grammar of their own, parsed into docker's HostConfig."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from runtime.engine import logfile
from runtime.errors import RuntimeFault
from runtime.oci.limits import RLIMITS

_MOST_RETRIES = 1_000_000
_UNLIMITED = (1 << 64) - 1
_FLAGS = {"no-new-privileges", "no-new-privileges=true", "seccomp=unconfined"}
_LOG_OPTIONS = {"max-size", "max-file"}
_LEAST_LOG = 4096  # bytes; less would turn the files over with every few lines


def policy(text: str) -> dict[str, Any]:
    """Return docker's RestartPolicy for "no", "always", "unless-stopped" or "on-failure[:N]"."""
    name, colon, count = text.partition(":")
    if name not in {"no", "always", "unless-stopped", "on-failure"} or (colon and name != "on-failure"):
        hint = "no, always, unless-stopped or on-failure[:N]"
        raise RuntimeFault(f"there is no restart policy {text}", kind="usage", hint=hint)
    if colon and not (count.isdigit() and int(count) < _MOST_RETRIES):
        raise RuntimeFault(f"--restart {text}: {count!r} is no number of retries", kind="usage")
    return {"Name": name, "MaximumRetryCount": int(count) if count else 0}


def security(texts: tuple[str, ...]) -> list[str]:
    """Return the --security-opt, each as NAME or NAME=VALUE; a seccomp profile by its absolute path."""
    found = []
    for text in texts:
        name, _, value = text.replace(":", "=", 1).partition("=")
        whole = f"{name}={value}" if value else name
        if name == "seccomp" and value not in {"", "unconfined"}:
            whole = f"seccomp={_profile(value)}"
        elif whole not in _FLAGS and not (name == "apparmor" and value):
            hint = "no-new-privileges, seccomp=unconfined or a file, apparmor=PROFILE"
            raise RuntimeFault(f"--security-opt {text} is not supported", kind="usage", hint=hint)
        found.append(whole)
    return found


def _profile(value: str) -> str:
    path = Path(value).absolute()
    if not path.is_file():
        raise RuntimeFault(f"seccomp profile {path} does not exist", kind="usage", hint="or unconfined")
    return str(path)


def ulimit(text: str) -> dict[str, Any]:
    """Parse NAME=SOFT[:HARD], such as nofile=1024:2048; -1 is no limit."""
    name, equals, values = text.partition("=")
    soft, colon, hard = values.partition(":")
    numbers = [soft, hard if colon else soft]
    if f"RLIMIT_{name.upper()}" not in RLIMITS or name != name.lower():
        known = ", ".join(sorted(limit.removeprefix("RLIMIT_").lower() for limit in RLIMITS))
        raise RuntimeFault(f"--ulimit {text}: there is no limit {name}", kind="usage", hint=known)
    if not equals or not all(number.isdigit() or number == "-1" for number in numbers):
        hint = "for example nofile=1024:2048"
        raise RuntimeFault(f"--ulimit {text} is not NAME=SOFT[:HARD]", kind="usage", hint=hint)
    low, high = (int(number) if number != "-1" else _UNLIMITED for number in numbers)
    if low > high:
        raise RuntimeFault(f"--ulimit {text}: the soft limit is above the hard one", kind="usage")
    return {"Name": name, "Soft": int(numbers[0]), "Hard": int(numbers[1])}


def rlimit(limit: dict[str, Any]) -> dict[str, Any]:
    """Return process.rlimits of a config.json for one of docker's Ulimits."""
    soft, hard = (limit[key] if limit[key] >= 0 else _UNLIMITED for key in ("Soft", "Hard"))
    return {"type": f"RLIMIT_{limit['Name'].upper()}", "soft": soft, "hard": hard}


def device(text: str) -> list[dict[str, str]]:
    """Parse HOST[:INSIDE[:rwm]]; a directory stands for all devices in it."""
    host, _, rest = text.partition(":")
    inside, _, access = rest.partition(":")
    if set(inside) <= set("rwm") and inside and not access:  # docker takes HOST:rwm too
        inside, access = "", inside
    if not host.startswith("/") or set(access) - set("rwm") or not (inside or host).startswith("/"):
        hint = "for example /dev/fuse or /dev/sda:/dev/xvda:r"
        raise RuntimeFault(f"--device {text} is not HOST[:INSIDE[:rwm]]", kind="usage", hint=hint)
    nodes = _nodes(host)
    if not nodes:
        raise RuntimeFault(f"--device {text}: {host} is no device", kind="usage", hint="see ls -l /dev")
    return [
        {"PathOnHost": node, "PathInContainer": (inside or host) + node[len(host) :],
         "CgroupPermissions": access or "rwm"}
        for node in nodes
    ]  # fmt: skip


def _nodes(path: str) -> list[str]:
    if not Path(path).is_dir():
        return [path] if is_device(path) else []
    found = [f"{here}/{name}" for here, _, names in os.walk(path) for name in sorted(names)]
    return [node for node in found if is_device(node)]


def is_device(path: str) -> bool:
    """Whether there is a device, or a link to one."""
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def log(driver: str, options: tuple[str, ...]) -> dict[str, Any]:
    """Return docker's LogConfig for --log-driver and --log-opt."""
    if driver not in {"json-file", "none"}:
        hint = "json-file or none"
        raise RuntimeFault(f"--log-driver {driver} is not supported", kind="usage", hint=hint)
    given = dict(text.partition("=")[::2] for text in options)
    unknown = sorted(set(given) - _LOG_OPTIONS)
    if unknown or (given and driver == "none"):
        word = (unknown or sorted(given))[0]
        raise RuntimeFault(f"--log-opt {word} is not supported", kind="usage", hint="max-size and max-file")
    if "max-size" in given and logfile.size(given["max-size"]) < _LEAST_LOG:
        hint = f"at least {_LEAST_LOG} bytes, for example 10m"
        raise RuntimeFault(f"--log-opt max-size={given['max-size']} is no size", kind="usage", hint=hint)
    files = given.get("max-file", "1")
    if not files.isdigit() or not 0 < int(files) < 1000:  # noqa: PLR2004 - a directory, not an archive
        raise RuntimeFault(f"--log-opt max-file={files} is no number of files", kind="usage", hint="1 to 999")
    if "max-file" in given and "max-size" not in given:
        raise RuntimeFault("--log-opt max-file needs max-size", kind="usage", hint="for example max-size=10m")
    return {"Type": driver, "Config": given}


def pair(option: str, separator: str, text: str) -> tuple[str, str]:
    """Parse NAME=VALUE or NAME:VALUE of an option."""
    name, found, value = text.partition(separator)
    if not found or not name:
        raise RuntimeFault(f"{option} {text} is not NAME{separator}VALUE", kind="usage")
    return name, value
