"""Which steps make the root file system that a config.json asks for.

OCI runtime specification, config.md (Root, Mounts) and config-linux.md (Default Filesystems, Devices, Default
Devices, Rootfs Mount Propagation, Masked Paths, Readonly Paths), in the order of runc: mounts as listed,
devices, links; then the hooks may look; then the root is entered, and last everything turns read-only.
"""

# pathlib stays out of the start path:
# ruff: noqa: PTH112, PTH118

from __future__ import annotations

import os

from runtime.errors import RuntimeFault
from runtime.linux import mounts
from runtime.rootfs import oci_devices, oci_mounts
from runtime.rootfs.oci_options import PROPAGATION
from runtime.rootfs.oci_steps import Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.rootfs.oci_mounts import CgroupView


def plan(
    config: dict[str, Any],
    bundle: str,
    *,
    rootless: bool,
    cgroup: CgroupView | None = None,
    pivot: bool = True,
) -> list[Step]:
    """Return the steps; `cgroup` is what `oci_cgroups.view` says of the container's own cgroups.

    `bundle` is an absolute path. A RuntimeFault (usage, with the field's path) tells what can't be honoured.
    `rootless`, like a user namespace, means that devices are borrowed from the host instead of made.
    """
    linux = config.get("linux") or {}
    spaces = {space["type"]: space.get("path", "") for space in linux.get("namespaces") or ()}
    root = _root(config, bundle)
    if "mount" not in spaces:
        _needs_no_mounts(config, linux)
        return [Step("chroot", "root.path", root=root)]
    mapped = rootless or "user" in spaces
    found = [Step("root", "root.path", path=root, propagation=_first(linux), fd=-1)]
    for index, mount in enumerate(config.get("mounts") or ()):
        found += oci_mounts.steps(mount, f"mounts[{index}]", bundle, cgroup, own_cgroup="cgroup" in spaces)
    if _makes_devices(config):
        found += oci_devices.steps(linux.get("devices") or (), mapped=mapped)
    found += [
        Step("pause", "", moment="mounted"),
        Step("enter", "root.path", path=root, pivot=pivot),
        Step("pause", "", moment="entered"),
    ]
    return found + _closing(config, linux)


def _root(config: dict[str, Any], bundle: str) -> str:
    path = (config.get("root") or {}).get("path")
    if not path:
        raise RuntimeFault("root.path: is missing", kind="usage")
    real = os.path.realpath(os.path.join(bundle, path))
    if not os.path.isdir(real):
        raise RuntimeFault(f"root.path: {real} is not a directory", kind="usage")
    if real == "/":
        raise RuntimeFault("root.path: the host's own root can't be a container's", kind="usage")
    return real


def _needs_no_mounts(config: dict[str, Any], linux: dict[str, Any]) -> None:
    """Without a mount namespace everything that is mounted would stay mounted on the host."""
    wanted = [name for name in ("mounts",) if config.get(name)]
    wanted += ["root.readonly"] if config["root"].get("readonly") else []
    names = ("maskedPaths", "readonlyPaths", "devices", "rootfsPropagation")
    wanted += [f"linux.{name}" for name in names if linux.get(name)]
    if wanted:
        hint = 'add {"type": "mount"} to linux.namespaces'
        raise RuntimeFault(f"{wanted[0]}: needs a mount namespace", kind="usage", hint=hint)


def _propagation(linux: dict[str, Any]) -> tuple[int, bool] | None:
    name = linux.get("rootfsPropagation") or ""
    if not name:
        return None
    bare = name if name in PROPAGATION else name[1:]
    if bare not in PROPAGATION or (name != bare and name[0] != "r"):
        raise RuntimeFault(f"linux.rootfsPropagation: unknown value {name!r}", kind="usage")
    return PROPAGATION[bare], name != bare


def _first(linux: dict[str, Any]) -> int:
    """Return flags for the whole namespace: what the host mounts later may come in, nothing goes out."""
    flag, recursive = _propagation(linux) or (mounts.SLAVE, True)
    if (
        flag == PROPAGATION["unbindable"]
    ):  # nothing could be bound any more: only the root gets it, at the end
        return mounts.PRIVATE | mounts.REC
    return flag | (mounts.REC if recursive else 0)


def _makes_devices(config: dict[str, Any]) -> bool:
    """Whoever binds the host's /dev has devices, and would have files made in it, on the host."""
    for mount in config.get("mounts") or ():
        if os.path.normpath("/" + mount["destination"]).replace("//", "/") == "/dev":
            options = mount.get("options") or ()
            return not (mount.get("type") == "bind" or {"bind", "rbind"} & set(options))
    return True


def _closing(config: dict[str, Any], linux: dict[str, Any]) -> list[Step]:
    found = [Step("late", "mounts")]
    spread = _propagation(linux)
    if spread:
        found.append(Step("spread", "linux.rootfsPropagation", propagation=spread[0], recursive=spread[1]))
    for name, field in (("shield", "readonlyPaths"), ("cover", "maskedPaths")):
        for index, path in enumerate(linux.get(field) or ()):
            found.append(
                Step(name, f"linux.{field}[{index}]", path=_absolute(path, f"linux.{field}[{index}]"))
            )
    return [*found, Step("seal", "root.readonly")] if config["root"].get("readonly") else found


def _absolute(path: str, where: str) -> str:
    if not path.startswith("/"):
        raise RuntimeFault(f"{where}: {path!r} is not an absolute path", kind="usage")
    return path
