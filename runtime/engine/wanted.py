"""What the user asked for: the options of `create`, as they were given."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Wanted:
    """The options of `create`, by docker's names; sizes in bytes, `cpus` in processors.

    What has a grammar of its own (volumes, ports, devices, limits) is still text here: `description` and the
    modules that it uses parse it, once.
    """

    image: str
    command: tuple[str, ...] = ()
    name: str = ""
    hostname: str = ""
    env: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    workdir: str = ""
    user: str = ""
    group_add: tuple[str, ...] = ()
    entrypoint: str | None = None
    init: bool = False
    tty: bool = False
    interactive: bool = False
    detach: bool = False
    remove: bool = False
    readonly: bool = False
    privileged: bool = False
    memory: int | None = None
    memory_swap: int | None = None
    cpus: float | None = None
    cpu_shares: int | None = None
    cpuset: str = ""
    pids: int | None = None
    ulimit: tuple[str, ...] = ()
    device: tuple[str, ...] = ()
    sysctl: tuple[str, ...] = ()
    oom_score_adj: int | None = None
    shm_size: int | None = None
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    mount: tuple[str, ...] = ()
    tmpfs: tuple[str, ...] = ()
    network: str = ""
    publish: tuple[str, ...] = ()
    add_host: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    restart: str = "no"
    stop_signal: str = ""
    stop_timeout: int | None = None
    no_new_privileges: bool = False
    log_driver: str = "json-file"
    log_opt: tuple[str, ...] = ()
