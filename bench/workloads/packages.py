"""Debian packages into an image: apt runs in a container, and what it wrote becomes a layer."""

import os
import tempfile
from typing import IO

from runtime.container import ContainerSpec, Spawner
from runtime.container.spec import PATH
from runtime.errors import RuntimeFault
from runtime.image.commit import commit
from runtime.image.image import Image
from runtime.image.store import Store

SCRIPT = """set -e
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
apt-get update -q
apt-get install -y -q --no-install-recommends {packages}
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/cache/ldconfig/aux-cache
"""


def install(spawner: Spawner, store: Store, base: Image, packages: tuple[str, ...], reference: str) -> Image:
    """Return `base` with `packages`, as a new image named `reference`.

    The container shares the host's network. Raises RuntimeFault of kind `host` with apt's last words if they
    can't be installed; nothing is left then.
    """
    command = SCRIPT.format(packages=" ".join(packages))
    spec = ContainerSpec(
        id=f"apt-{os.getpid()}",
        layers=store.layer_paths(base),
        args=("/bin/sh", "-c", command),
        env=(PATH, *base.config.env),
        network="host",
    )
    with (
        tempfile.TemporaryFile() as log,
        open(os.devnull, "rb") as nothing,  # noqa: PTH123 - a device
        spawner.start(spec, stdin=nothing.fileno(), stdout=log.fileno(), stderr=log.fileno()) as apt,
    ):
        status = apt.wait()
        if status.shell_code or apt.upper is None:
            raise _failed(packages, status.shell_code, log)
        return commit(store, base, apt.upper, reference, created_by=f"apt-get install {' '.join(packages)}")


def _failed(packages: tuple[str, ...], status: int, log: IO[bytes]) -> RuntimeFault:
    log.seek(0)
    words = log.read().decode(errors="replace").strip().splitlines()
    return RuntimeFault(
        f"apt-get could not install {', '.join(packages)}: {words[-1] if words else f'status {status}'}",
        kind="host",
        hint="a Debian mirror has to be reachable; see /etc/apt on this host",
    )
