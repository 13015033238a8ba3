"""A new container on disk: docker's description of it, its OCI bundle, the files that it gets in /etc."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.container.kind import key
from runtime.engine import documents, reaper, rights
from runtime.engine.bundle import bundle
from runtime.engine.description import describe
from runtime.network import files

if TYPE_CHECKING:
    from runtime.engine.places import Places
    from runtime.engine.wanted import Wanted
    from runtime.image.image import Image


def create(places: Places, wanted: Wanted, image: Image, layers: tuple[Path, ...]) -> str:
    """Put a new container on disk; returns its full id. A fault leaves nothing but volumes behind."""
    allowed = rights.rights()
    allowed.check(wanted)
    container = secrets.token_hex(32)
    plan = describe(places, wanted, image, layers, container)
    config = bundle(plan, key(Path(places.run)), allowed)
    directory = Path(places.of(container))
    directory.mkdir(mode=0o710, parents=True)
    with documents.working_on(places, container):  # if we die, the next who wants the name may have it
        try:
            documents.claim(places, plan["Name"].removeprefix("/"), container)
            _write_files(wanted, plan, directory)
            documents.write(f"{directory}/plan.json", config)
            documents.write(f"{directory}/state.json", documents.fresh_state())
            documents.write(f"{directory}/container.json", plan)
        except BaseException:
            documents.remove(places, container)
            raise
    return container


def _write_files(wanted: Wanted, plan: dict[str, Any], directory: Path) -> None:
    if wanted.init:
        reaper.write(directory / "init")
    if plan["HostConfig"]["NetworkMode"] == "host":
        return
    name = plan["Config"]["Hostname"]
    (directory / "hosts").write_text(files.hosts(name, None, plan["ExtraHosts"]), encoding="utf-8")
    (directory / "hostname").write_text(files.hostname(name), encoding="utf-8")
    (directory / "resolv.conf").write_text(files.resolv_conf(wanted.dns), encoding="utf-8")
