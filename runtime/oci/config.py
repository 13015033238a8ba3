"""config.json, read and checked at the edge: what is used has its type, the rest is refused by name.

Unknown properties are ignored (config.md, Extensibility); values that the specification knows and this
runtime does not honour are refused with their path.
"""

# pathlib stays out of the start path:
# ruff: noqa: PTH118, PTH123

from __future__ import annotations

import os

from runtime.errors import RuntimeFault
from runtime.process import lean_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Config = dict[str, Any]

_NO_ID = (1 << 32) - 1  # (uid_t) -1 means none
_USER = {"uid": int, "gid": int, "umask": int, "additionalGids": [int]}
_CAPABILITIES = {name: [str] for name in ("bounding", "effective", "inheritable", "permitted", "ambient")}
_PROCESS = {
    "terminal": bool, "consoleSize": {"height": int, "width": int}, "user": _USER, "args": [str],
    "env": [str],
    "cwd": str, "capabilities": _CAPABILITIES, "noNewPrivileges": bool, "oomScoreAdj": int,
    "apparmorProfile": str, "selinuxLabel": str, "rlimits": [{"type": str, "soft": int, "hard": int}],
}  # fmt: skip
_IDS = [{"containerID": int, "hostID": int, "size": int}]
_HOOK = [{"path": str, "args": [str], "env": [str], "timeout": int}]
_LINUX = {
    "namespaces": [{"type": str, "path": str}], "uidMappings": _IDS, "gidMappings": _IDS,
    "maskedPaths": [str], "readonlyPaths": [str], "rootfsPropagation": str, "cgroupsPath": str,
    "mountLabel": str, "sysctl": {}, "resources": {}, "seccomp": {}, "timeOffsets": {}, "personality": {},
    "devices": [
        {"path": str, "type": str, "major": int, "minor": int, "fileMode": int, "uid": int, "gid": int}
    ],
}  # fmt: skip
_CONFIG = {
    "ociVersion": str, "root": {"path": str, "readonly": bool}, "process": _PROCESS, "hostname": str,
    "domainname": str, "annotations": {}, "linux": _LINUX,
    "mounts": [
        {"destination": str, "source": str, "type": str, "options": [str], "uidMappings": _IDS,
         "gidMappings": _IDS}
    ],
    "hooks": dict.fromkeys(
        ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"), _HOOK
    ),
}  # fmt: skip
_CALLED = {str: "a string", bool: "true or false", int: "a whole number", dict: "an object", list: "a list"}
_REFUSED = (
    ("process", "selinuxLabel"), ("linux", "mountLabel"),
    ("linux", "intelRdt"), ("linux", "netDevices"), ("linux", "memoryPolicy"),
)  # fmt: skip


def read(bundle: str) -> bytes:
    """Return the bytes of a bundle's config.json."""
    try:
        with open(os.path.join(bundle, "config.json"), "rb") as file:
            return file.read()
    except FileNotFoundError as err:
        hint = "make one there with tare-oci spec, or name the bundle with --bundle"
        raise RuntimeFault(
            f"JSON specification file {err.filename} not found", kind="usage", hint=hint
        ) from err
    except OSError as err:
        raise RuntimeFault.from_os(err, f"read {err.filename}") from err


def parse(content: bytes) -> Config:
    """Return the checked configuration of a container."""
    try:
        found = lean_json.loads(content)
    except (ValueError, RecursionError) as err:
        raise _fault(f"is no JSON: {err}") from err
    check(found, _CONFIG, "")
    _version(found)
    _require(found, "root", "path")
    _require(found, "process", "cwd")
    program(found["process"])
    for section, name in _REFUSED:
        if (found.get(section) or {}).get(name):
            hint = "remove it: this runtime does not offer it"
            raise RuntimeFault(f"{section}.{name} is not supported", kind="usage", hint=hint)
    for index, mount in enumerate(found.get("mounts") or ()):
        if not mount.get("destination"):
            raise _fault(f"mounts[{index}].destination is missing")
        mount["destination"] = os.path.join("/", mount["destination"])  # (config.md, Mounts)
        _mappings(mount, f"mounts[{index}]")
    _mappings(found.get("linux") or {}, "linux")
    for name, text in (found.get("annotations") or {}).items():
        if not isinstance(text, str):
            raise _fault(f"annotations: the value of {name} must be a string")
    return dict(found)


def program(process: Config) -> None:
    """Check what a process needs to start, from config.json or a file given to exec (config.md, Process)."""
    check(process, _PROCESS, "process")
    if not process.get("args") or not process["args"][0]:
        raise _fault("process.args must name a program")
    if not str(process.get("cwd", "")).startswith("/"):
        raise _fault("process.cwd must be an absolute path")
    user = process.get("user") or {}
    for name, number in (("uid", user.get("uid")), ("gid", user.get("gid"))):
        _identity(f"process.user.{name}", number)
    for number in user.get("additionalGids") or ():
        _identity("process.user.additionalGids", number)
    for text in (*process["args"], *(process.get("env") or ()), process["cwd"]):
        if "\0" in text:
            raise _fault("process.args, env and cwd can't hold a NUL byte")
        try:
            os.fsencode(text)
        except UnicodeEncodeError as err:
            raise _fault("process.args, env and cwd can't hold half of a surrogate pair") from err


def _mappings(holder: Config, path: str) -> None:
    """Fault where one has not all of its numbers: none of them has a default, and 0 of the host is root."""
    for kind in ("uidMappings", "gidMappings"):
        for index, entry in enumerate(holder.get(kind) or ()):
            for key in _IDS[0]:
                if entry.get(key) is None:
                    raise _fault(f"{path}.{kind}[{index}].{key} is missing")


def _identity(path: str, number: int | None) -> None:
    if number is not None and not 0 <= number < _NO_ID:
        raise _fault(f"{path} must be a number from 0 to {_NO_ID - 1}, not {number}")


def check(value: Any, shape: Any, path: str) -> None:  # noqa: ANN401 - it may be anything
    """Fault unless `value` has the types of `shape`; null stands for an absent value."""
    wanted: Any = shape if isinstance(shape, type) else type(shape)
    if value is None and path:
        return
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise _fault(f"{path or 'its top level'} must be {_CALLED[wanted]}")
    if isinstance(shape, dict):
        for key, inner in shape.items():
            if key in value:
                check(value[key], inner, f"{path}.{key}" if path else key)
    elif isinstance(shape, list):
        for index, item in enumerate(value):
            if item is None:
                raise _fault(f"{path}[{index}] must not be null")
            check(item, shape[0], f"{path}[{index}]")


def _version(found: Config) -> None:
    version = found.get("ociVersion")
    if not version:
        raise _fault("ociVersion is missing")
    numbers = version.split("-")[0].split("+")[0].split(".")
    if len(numbers) != 3 or not all(number.isdigit() for number in numbers):  # noqa: PLR2004
        raise _fault(f"ociVersion {version!r} is no version")
    if numbers[0] != "1":
        raise _fault(f"ociVersion {version} is not supported: this runtime knows 1.0 to 1.2")


def _require(found: Config, section: str, name: str) -> None:
    if not found.get(section):
        raise _fault(f"{section} is missing")
    if not found[section].get(name):
        raise _fault(f"{section}.{name} is missing")


def _fault(text: str) -> RuntimeFault:
    return RuntimeFault(f"config.json: {text}", kind="usage", hint="see config.md of the OCI specification")
