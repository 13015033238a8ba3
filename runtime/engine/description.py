"""From what the user asked for to docker's description of a container: container.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime import network
from runtime.container.spec import PATH, check
from runtime.engine import documents, grammar
from runtime.engine.volumes import tmpfs, volumes
from runtime.errors import RuntimeFault
from runtime.oci import signals

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.engine.places import Places
    from runtime.engine.wanted import Wanted
    from runtime.image.image import Image

_SHM = 64 << 20


def describe(
    places: Places, wanted: Wanted, image: Image, layers: tuple[Path, ...], container: str
) -> dict[str, Any]:
    """Return the description; a usage fault names the option that can't be meant so."""
    name, directory = wanted.name or container[:12], places.of(container)
    ports = [port for text in wanted.publish for port in network.parse(text)]
    mode = network.check(wanted.network or ("bridge" if ports else "none"), ports)
    entrypoint, command = _command(wanted, image)
    if wanted.restart != "no" and wanted.remove and wanted.detach:
        raise RuntimeFault("--restart and --rm can't go together", kind="usage", hint="leave one out")
    environment = _environment(wanted, image)
    check(name, (*entrypoint, *command), tuple(environment))
    config = _config(wanted, image, environment, (entrypoint, command))
    config["Hostname"] = wanted.hostname or (container[:12] if mode != "host" else "")
    argv = [*entrypoint, *command]
    return {
        "Id": container, "Created": documents.now(), "Name": f"/{name}", "Path": argv[0], "Args": argv[1:],
        "Image": str(image.digest), "Driver": "overlay2", "Platform": "linux", "Config": config,
        "HostConfig": _host(wanted, mode, ports), "Mounts": volumes(places, wanted, image),
        "Layers": [str(layer) for layer in layers], "Published": list(wanted.publish),
        "ExtraHosts": dict(grammar.pair("--add-host", ":", text) for text in wanted.add_host),
        "LogPath": f"{directory}/log.json", "HostsPath": f"{directory}/hosts",
        "HostnamePath": f"{directory}/hostname", "ResolvConfPath": f"{directory}/resolv.conf",
        "GraphDriver": {"Name": "overlay2", "Data": {
            "LowerDir": ":".join(str(layer) for layer in reversed(layers)), "UpperDir": f"{directory}/upper",
            "WorkDir": f"{directory}/work", "MergedDir": f"{directory}/rootfs"}},
    }  # fmt: skip


def _command(wanted: Wanted, image: Image) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if wanted.entrypoint is None:
        entrypoint, command = image.config.entrypoint, wanted.command or image.config.cmd
    else:
        entrypoint, command = ((wanted.entrypoint,) if wanted.entrypoint else ()), wanted.command
    if not entrypoint and not command:
        image.argv(())  # says what is missing
    return entrypoint, command


def _environment(wanted: Wanted, image: Image) -> list[str]:
    env = dict(item.split("=", 1) for item in (PATH, *image.config.env) if "=" in item)
    taken = {item.partition("=")[0] for item in wanted.env}
    return [f"{key}={value}" for key, value in env.items() if key not in taken] + list(wanted.env)


def _config(
    wanted: Wanted, image: Image, environment: list[str], argv: tuple[tuple[str, ...], tuple[str, ...]]
) -> dict[str, Any]:
    entrypoint, command = argv
    config: dict[str, Any] = {
        "Hostname": "",
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
    return config


def _host(wanted: Wanted, mode: str, ports: list[network.Port]) -> dict[str, Any]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        place = {"HostIp": port.address, "HostPort": str(port.number or "")}
        bindings.setdefault(f"{port.container}/{port.protocol}", []).append(place)
    security = [*wanted.security, *(["no-new-privileges"] if wanted.no_new_privileges else [])]
    return {
        "Binds": list(wanted.volumes) or None, "NetworkMode": str(mode), "PortBindings": bindings,
        "RestartPolicy": grammar.policy(wanted.restart), "AutoRemove": wanted.remove,
        "CapAdd": list(wanted.cap_add) or None, "CapDrop": list(wanted.cap_drop) or None,
        "ReadonlyRootfs": wanted.readonly, "SecurityOpt": grammar.security(tuple(security)) or None,
        "Memory": wanted.memory or 0, "MemorySwap": wanted.memory_swap or wanted.memory or 0,
        "NanoCpus": int((wanted.cpus or 0) * 1e9), "CpuShares": wanted.cpu_shares or 0,
        "CpusetCpus": wanted.cpuset, "PidsLimit": wanted.pids,
        "Ulimits": [grammar.ulimit(text) for text in wanted.ulimit] or None,
        "Devices": [node for text in wanted.device for node in grammar.device(text)] or None,
        "Sysctls": dict(grammar.pair("--sysctl", "=", text) for text in wanted.sysctl) or None,
        "OomScoreAdj": wanted.oom_score_adj or 0, "GroupAdd": list(wanted.group_add) or None,
        "Dns": list(wanted.dns), "ExtraHosts": list(wanted.add_host) or None,
        "Tmpfs": dict(tmpfs(text) for text in wanted.tmpfs), "Init": wanted.init,
        "Privileged": wanted.privileged, "ShmSize": _SHM if wanted.shm_size is None else wanted.shm_size,
        "LogConfig": grammar.log(wanted.log_driver, wanted.log_opt),
    }  # fmt: skip
