"""From what the user asked for to the documents of a container: docker's description, and an OCI bundle's."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime import network
from runtime.container.request import key
from runtime.container.spec import PATH, check
from runtime.engine import documents
from runtime.errors import RuntimeFault
from runtime.linux import capabilities
from runtime.network import files
from runtime.oci import default_seccomp, signals
from runtime.rootfs.plan import MASKED, READONLY

if TYPE_CHECKING:
    from runtime.engine.places import Places
    from runtime.image.image import Image

_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_QUIET = ["nosuid", "noexec", "nodev"]
_PERIOD = 100_000  # microseconds
_SECURITY = {"no-new-privileges", "no-new-privileges=true", "seccomp=unconfined"}
_MOST_RETRIES = 1_000_000


@dataclass(frozen=True)
class Wanted:
    """The options of `create`, as given; memory in bytes, `cpus` in processors."""

    image: str
    command: tuple[str, ...] = ()
    name: str = ""
    hostname: str = ""
    env: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    workdir: str = ""
    user: str = ""
    entrypoint: str | None = None
    tty: bool = False
    interactive: bool = False
    detach: bool = False
    remove: bool = False
    readonly: bool = False
    memory: int | None = None
    memory_swap: int | None = None
    cpus: float | None = None
    cpuset: str = ""
    pids: int | None = None
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    tmpfs: tuple[str, ...] = ()
    network: str = ""
    publish: tuple[str, ...] = ()
    add_host: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    restart: str = "no"
    stop_signal: str = ""
    stop_timeout: int | None = None
    no_new_privileges: bool = False


def create(places: Places, wanted: Wanted, image: Image, layers: tuple[Path, ...]) -> str:
    """Put a new container on disk; returns its full id. A fault leaves nothing but volumes behind."""
    container = secrets.token_hex(32)
    plan = _plan(places, wanted, image, layers, container)
    config = _bundle(wanted, plan, key(Path(places.run)))
    directory = Path(places.of(container))
    documents.claim(places, plan["Name"].removeprefix("/"), container)
    try:
        directory.mkdir(mode=0o710, parents=True)
        _write_files(wanted, plan, directory)
        documents.write(f"{directory}/plan.json", config)
        documents.write(f"{directory}/state.json", documents.fresh_state())
        documents.write(f"{directory}/container.json", plan)
    except BaseException:
        documents.remove(places, container)
        raise
    return container


def _plan(
    places: Places, wanted: Wanted, image: Image, layers: tuple[Path, ...], container: str
) -> dict[str, Any]:
    name, directory = wanted.name or container[:12], places.of(container)
    ports = [port for text in wanted.publish for port in network.parse(text)]
    mode = network.check(wanted.network or ("bridge" if ports else "none"), ports)
    entrypoint = image.config.entrypoint if wanted.entrypoint is None else _words(wanted.entrypoint)
    command = wanted.command or (image.config.cmd if wanted.entrypoint is None else ())
    if not entrypoint and not command:
        image.argv(())
    if wanted.restart != "no" and wanted.remove and wanted.detach:
        raise RuntimeFault("--restart and --rm can't go together", kind="usage", hint="leave one out")
    env = list(dict(item.split("=", 1) for item in (PATH, *image.config.env) if "=" in item).items())
    environment = [f"{key}={value}" for key, value in env]
    taken = {item.partition("=")[0] for item in wanted.env}
    environment = [item for item in environment if item.partition("=")[0] not in taken] + list(wanted.env)
    check(name, (*entrypoint, *command), tuple(environment))
    config: dict[str, Any] = {
        "Hostname": wanted.hostname or (container[:12] if mode != "host" else ""),
        "User": wanted.user or image.config.user,
        "Tty": wanted.tty, "OpenStdin": wanted.interactive,
        "StdinOnce": wanted.interactive and not wanted.detach,
        "Env": environment, "Cmd": list(command), "Image": wanted.image,
        "WorkingDir": wanted.workdir or image.config.working_dir or "/",
        "Entrypoint": list(entrypoint) or None,
        "Labels": {**image.config.labels, **wanted.labels},
        "StopSignal": wanted.stop_signal or image.config.stop_signal or "SIGTERM",
        "StopTimeout": wanted.stop_timeout,
        "ExposedPorts": image.config.exposed_ports,
    }  # fmt: skip
    signals.number(config["StopSignal"])
    if not config["WorkingDir"].startswith("/"):
        hint = f"try /{config['WorkingDir']}"
        raise RuntimeFault(
            f"working directory {config['WorkingDir']} is not absolute", kind="usage", hint=hint
        )
    argv = [*entrypoint, *command]
    return {
        "Id": container, "Created": documents.now(), "Name": f"/{name}", "Path": argv[0], "Args": argv[1:],
        "Image": str(image.digest), "Driver": "overlay2", "Platform": "linux", "Config": config,
        "HostConfig": _host(wanted, mode, ports), "Mounts": _volumes(places, wanted, image),
        "Layers": [str(layer) for layer in layers], "Published": list(wanted.publish),
        "ExtraHosts": dict(_pair(text) for text in wanted.add_host),
        "LogPath": f"{directory}/log.json", "HostsPath": f"{directory}/hosts",
        "HostnamePath": f"{directory}/hostname", "ResolvConfPath": f"{directory}/resolv.conf",
        "GraphDriver": {"Name": "overlay2", "Data": {
            "LowerDir": ":".join(str(layer) for layer in reversed(layers)), "UpperDir": f"{directory}/upper",
            "WorkDir": f"{directory}/work", "MergedDir": f"{directory}/rootfs"}},
    }  # fmt: skip


def _host(wanted: Wanted, mode: str, ports: list[network.Port]) -> dict[str, Any]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        place = {"HostIp": port.address, "HostPort": str(port.number or "")}
        bindings.setdefault(f"{port.container}/{port.protocol}", []).append(place)
    security = [*wanted.security, *(["no-new-privileges"] if wanted.no_new_privileges else [])]
    for text in security:
        if text.replace(":", "=") not in {
            "no-new-privileges",
            "no-new-privileges=true",
            "seccomp=unconfined",
        }:
            hint = "no-new-privileges or seccomp=unconfined"
            raise RuntimeFault(f"--security-opt {text} is not supported", kind="usage", hint=hint)
    return {
        "Binds": list(wanted.volumes) or None, "NetworkMode": str(mode), "PortBindings": bindings,
        "RestartPolicy": policy(wanted.restart), "AutoRemove": wanted.remove,
        "CapAdd": list(wanted.cap_add) or None, "CapDrop": list(wanted.cap_drop) or None,
        "ReadonlyRootfs": wanted.readonly, "SecurityOpt": security or None, "Memory": wanted.memory or 0,
        "MemorySwap": wanted.memory_swap or wanted.memory or 0, "NanoCpus": int((wanted.cpus or 0) * 1e9),
        "CpusetCpus": wanted.cpuset, "PidsLimit": wanted.pids, "GroupAdd": [], "Dns": list(wanted.dns),
        "ExtraHosts": list(wanted.add_host) or None, "Tmpfs": dict(_tmpfs(text) for text in wanted.tmpfs),
        "Privileged": False, "ShmSize": 64 << 20, "LogConfig": {"Type": "json-file", "Config": {}},
    }  # fmt: skip


def policy(text: str) -> dict[str, Any]:
    """Return docker's RestartPolicy for "no", "always", "unless-stopped" or "on-failure[:N]"."""
    name, colon, count = text.partition(":")
    if name not in {"no", "always", "unless-stopped", "on-failure"} or (colon and name != "on-failure"):
        hint = "no, always, unless-stopped or on-failure[:N]"
        raise RuntimeFault(f"there is no restart policy {text}", kind="usage", hint=hint)
    if colon and not (count.isdigit() and int(count) < _MOST_RETRIES):
        raise RuntimeFault(f"--restart {text}: {count!r} is no number of retries", kind="usage")
    return {"Name": name, "MaximumRetryCount": int(count) if count else 0}


def _words(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _pair(text: str) -> tuple[str, str]:
    name, colon, address = text.partition(":")
    if not colon or not name:
        raise RuntimeFault(f"--add-host {text} is not NAME:ADDRESS", kind="usage")
    return name, address


def _tmpfs(text: str) -> tuple[str, str]:
    path, _, options = text.partition(":")
    return path, options


def _volumes(places: Places, wanted: Wanted, image: Image) -> list[dict[str, Any]]:
    found = [_volume(places, text) for text in wanted.volumes]
    for path in image.config.volumes:
        if path not in {volume["Destination"] for volume in found}:
            found.append(_volume(places, path))
    return found


def _volume(places: Places, text: str) -> dict[str, Any]:
    parts = text.split(":")
    readonly = len(parts) == 3 and parts[2] == "ro"  # noqa: PLR2004 - source, target, mode
    if len(parts) > 3 or (parts[2:] and parts[2] not in {"ro", "rw"}):  # noqa: PLR2004
        raise RuntimeFault(
            f"volume {text!r} is not SRC:DST[:ro]", kind="usage", hint="for example /srv/data:/data:ro"
        )
    anonymous = len(parts) == 1
    source, target = (secrets.token_hex(32), parts[0]) if anonymous else parts[:2]
    if not target.startswith("/"):
        raise RuntimeFault(f"mount target {target} is not absolute", kind="usage", hint="for example /data")
    if anonymous or _VOLUME.fullmatch(source):
        path = Path(places.volume(source))
        path.mkdir(parents=True, exist_ok=True)
        return {"Type": "volume", "Name": source, "Source": str(path), "Destination": target,
                "Driver": "local", "Mode": "ro" if readonly else "",
                "RW": not readonly, "Anonymous": anonymous}  # fmt: skip
    path = Path(source).absolute()
    if not path.exists():
        hint = "create it first; nothing is created on the host by itself"
        raise RuntimeFault(f"mount source {path} does not exist", kind="usage", hint=hint)
    return {"Type": "bind", "Source": str(path), "Destination": target, "Mode": "ro" if readonly else "",
            "RW": not readonly, "Propagation": "rprivate"}  # fmt: skip


def _write_files(wanted: Wanted, plan: dict[str, Any], directory: Path) -> None:
    if plan["HostConfig"]["NetworkMode"] == "host":
        return
    name = plan["Config"]["Hostname"]
    (directory / "hosts").write_text(files.hosts(name, None, plan["ExtraHosts"]), encoding="utf-8")
    (directory / "hostname").write_text(files.hostname(name), encoding="utf-8")
    (directory / "resolv.conf").write_text(files.resolv_conf(wanted.dns), encoding="utf-8")


def resources(host: dict[str, Any]) -> dict[str, Any]:
    """Return linux.resources for docker's HostConfig."""
    found: dict[str, Any] = {}
    if host["Memory"]:
        found["memory"] = {"limit": host["Memory"], "swap": host["MemorySwap"] or host["Memory"]}
    cpu: dict[str, Any] = {}
    if host["NanoCpus"]:
        cpu = {"period": _PERIOD, "quota": host["NanoCpus"] * _PERIOD // 1_000_000_000}
    if host["CpusetCpus"]:
        cpu["cpus"] = host["CpusetCpus"]
    if cpu:
        found["cpu"] = cpu
    if host["PidsLimit"]:
        found["pids"] = {"limit": host["PidsLimit"]}
    return found


def _bundle(wanted: Wanted, plan: dict[str, Any], run: str) -> dict[str, Any]:
    host, config = plan["HostConfig"], plan["Config"]
    kept = _capabilities(wanted)
    kinds = ["pid", "ipc", "uts", "mount", "cgroup", *(["network"] if host["NetworkMode"] != "host" else [])]
    linux: dict[str, Any] = {
        "namespaces": [{"type": kind} for kind in kinds], "maskedPaths": list(MASKED),
        "readonlyPaths": list(READONLY),
        "cgroupsPath": f"engine-{run}-{plan['Id'][:20]}",
        "resources": {**resources(host), "devices": [{"allow": False, "access": "rwm"}]},
    }  # fmt: skip
    if "seccomp=unconfined" not in [text.replace(":", "=") for text in host["SecurityOpt"] or ()]:
        linux["seccomp"] = default_seccomp.profile(kept)
    environment = [*config["Env"], *(["TERM=xterm"] if config["Tty"] else [])]
    if config["Hostname"] and not any(item.startswith("HOSTNAME=") for item in environment):
        environment.append(f"HOSTNAME={config['Hostname']}")
    found = {
        "ociVersion": "1.2.0",
        "process": {
            "terminal": config["Tty"], "args": [plan["Path"], *plan["Args"]], "env": environment,
            "cwd": config["WorkingDir"],
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), kept),
            "noNewPrivileges": any(text.startswith("no-new") for text in host["SecurityOpt"] or ()),
        },
        "root": {"path": "rootfs", "readonly": host["ReadonlyRootfs"]},
        "mounts": _mounts(plan), "linux": linux,
    }  # fmt: skip
    if config["Hostname"]:
        found["hostname"] = config["Hostname"]
    return found


def _capabilities(wanted: Wanted) -> list[str]:
    try:
        dropped, added = capabilities.mask(wanted.cap_drop), capabilities.mask(wanted.cap_add)
    except KeyError as err:
        hint = "names are as in capabilities(7), for example NET_ADMIN, or ALL"
        raise RuntimeFault(f"there is no capability {err.args[0]}", kind="usage", hint=hint) from err
    mask = (capabilities.mask(capabilities.DEFAULT) & ~dropped | added) & ((1 << capabilities.last() + 1) - 1)
    return [f"CAP_{name}" for bit, name in enumerate(capabilities.NAMES) if mask >> bit & 1]


def _mounts(plan: dict[str, Any]) -> list[dict[str, Any]]:
    host = plan["HostConfig"]["NetworkMode"] == "host"
    found = [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": _QUIET},
        _fresh("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _fresh(
            "/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"
        ),
        _fresh("/dev/shm", "tmpfs", *_QUIET, "mode=1777", "size=65536k"),  # noqa: S108 - a mount point
        _fresh("/dev/mqueue", "mqueue", *_QUIET),
        _fresh("/sys", "sysfs", *_QUIET, "ro"),
        _fresh("/sys/fs/cgroup", "cgroup", *_QUIET, "relatime", "ro"),
    ]
    own = {"/etc/hosts": "HostsPath", "/etc/resolv.conf": "ResolvConfPath", "/etc/hostname": "HostnamePath"}
    for target, name in own.items():
        source = target if host else plan[name]
        if not host or (target != "/etc/hostname" and Path(target).exists()):
            found.append(_bound(source, target, readonly=host))
    found += [_bound(one["Source"], one["Destination"], readonly=not one["RW"]) for one in plan["Mounts"]]
    for path, options in plan["HostConfig"]["Tmpfs"].items():
        found.append(_fresh(path, "tmpfs", "nosuid", "nodev", *filter(None, options.split(","))))
    return found


def _fresh(target: str, kind: str, *options: str) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": kind, "options": list(options)}


def _bound(source: str, target: str, *, readonly: bool) -> dict[str, Any]:
    options = ["rbind", "rprivate", *(["ro"] if readonly else [])]
    return {"destination": target, "type": "bind", "source": source, "options": options}
