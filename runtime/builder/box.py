"""The config.json of a RUN's container in a user namespace (OCI runtime-spec, config.md, config-linux.md)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.linux import capabilities
from runtime.oci.verbs.spec import specification
from runtime.process.accounts import Account
from runtime.rootfs.plan import Bind, Tmpfs

if TYPE_CHECKING:
    from runtime.builder.tree import Tree
    from runtime.container.spec import ContainerSpec

_HOST_FILES = ("/etc/resolv.conf", "/etc/hosts")
_NO_GROUP, _MEMBERS, _HOME = 0, 3, 5  # a number without entry has group 0; fields of group(5) and passwd(5)


def config(spec: ContainerSpec, tree: Tree, *, root: str) -> dict[str, Any]:
    """Return the document; `tree` is what is below the root, where names of users are looked up.

    A value error names a user that isn't there.
    """
    shared = spec.network == "host"
    found = specification(rootless=shared)
    linux, process = found["linux"], found["process"]
    linux["namespaces"] = [each for each in linux["namespaces"] if each["type"] not in {"user", "cgroup"}]
    for name in ("resources", "uidMappings", "gidMappings"):
        linux.pop(name, None)
    user, home = _user(tree, spec.user)
    names = [f"CAP_{name}" for name in capabilities.DEFAULT]
    process.pop("rlimits")
    process.update(
        terminal=False, args=list(spec.args), env=list(spec.env), cwd=spec.cwd, user=user,
        noNewPrivileges=False, capabilities=dict.fromkeys(("bounding", "effective", "permitted"), names),
    )  # fmt: skip
    if not any(item.startswith("HOME=") for item in spec.env):
        process["env"].append(f"HOME={home}")
    mounts = [each for each in found["mounts"] if each["type"] != "cgroup"]
    binds = [Bind(Path(path), path, readonly=True) for path in _HOST_FILES if shared and Path(path).exists()]
    found["mounts"] = [*mounts, *map(_mount, (*binds, *spec.mounts))]
    found["root"] = {"path": root, "readonly": False}
    found["hostname"] = spec.hostname
    return found


def _mount(mount: Bind | Tmpfs) -> dict[str, Any]:
    if isinstance(mount, Tmpfs):
        options = ["nosuid", "nodev", *mount.data.split(",")]
        return {"destination": mount.target, "type": "tmpfs", "source": "tmpfs", "options": options}
    options = ["rbind", "ro"] if mount.readonly else ["rbind"]
    return {"destination": mount.target, "type": "bind", "source": str(mount.source), "options": options}


def _user(tree: Tree, text: str) -> tuple[dict[str, Any], str]:
    """Return process.user and the home directory for "name", "uid", "name:group", "uid:gid" or nothing."""
    name, _, group = (text or "0").partition(":")
    entry = _entry(tree, "/etc/passwd", name, 7)
    if entry is None and not name.isdigit():
        raise ValueError(f"/etc/passwd of the image has no {name!r}")
    uid, gid, home = (int(entry[2]), int(entry[3]), entry[_HOME]) if entry else (int(name), _NO_GROUP, "")
    if group:
        found = _entry(tree, "/etc/group", group, 4)
        if found is None and not group.isdigit():
            raise ValueError(f"/etc/group of the image has no {group!r}")
        return _numbers(uid, int(found[2]) if found else int(group), []), home or "/"
    more = [int(each[2]) for each in _entries(tree, "/etc/group", 4) if entry and entry[0] in _members(each)]
    return _numbers(uid, gid, more), home or "/"


def _numbers(uid: int, gid: int, more: list[int]) -> dict[str, Any]:
    account = Account(uid, gid, more, "")
    return {"uid": account.uid, "gid": account.gid, "additionalGids": account.groups}


def _members(entry: list[str]) -> list[str]:
    return entry[_MEMBERS].split(",")


def _entry(tree: Tree, file: str, key: str, size: int) -> list[str] | None:
    return next((each for each in _entries(tree, file, size) if key in {each[0], each[2]}), None)


def _entries(tree: Tree, file: str, size: int) -> list[list[str]]:
    rows = [line.split(":") for line in tree.lines(file)]
    return [row for row in rows if len(row) >= size and row[2].isdigit()]
