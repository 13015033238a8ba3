"""A command's changes into an image: it runs in a container, and what it wrote becomes a layer.

Debian packages come in that way, through apt.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from runtime.container import ContainerSpec, Spawner
from runtime.container.spec import PATH
from runtime.errors import RuntimeFault
from runtime.image.commit import commit
from runtime.image.image import Image
from runtime.image.store import Store

MIRROR = "a Debian mirror has to be reachable; see /etc/apt on this host"
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
    spec = ContainerSpec(
        id=f"apt-{os.getpid()}",
        layers=store.layer_paths(base),
        args=("/bin/sh", "-c", SCRIPT.format(packages=" ".join(packages))),
        env=(PATH, *base.config.env),
        network="host",
    )
    with _ended(spawner, spec, f"apt-get install {' '.join(packages)}", MIRROR) as (upper, what):
        return commit(store, base, upper, reference, created_by=what)


def change(spawner: Spawner, store: Store, base: Image, command: str, reference: str) -> Image:
    """Return `base` with what a shell command wrote, as a new image; RuntimeFault if it fails."""
    args = ("/bin/sh", "-ec", command)
    spec = ContainerSpec(id=f"change-{os.getpid()}", layers=store.layer_paths(base), args=args)
    with _ended(spawner, spec, command, "`df` tells whether the disk is full") as (upper, what):
        return commit(store, base, upper, reference, created_by=what)


@contextmanager
def _ended(spawner: Spawner, spec: ContainerSpec, what: str, hint: str) -> Iterator[tuple[Path, str]]:
    with (
        tempfile.TemporaryFile() as log,
        open(os.devnull, "rb") as nothing,  # noqa: PTH123 - a device
        spawner.start(spec, stdin=nothing.fileno(), stdout=log.fileno(), stderr=log.fileno()) as box,
    ):
        status = box.wait()
        if status.shell_code or box.upper is None:
            raise RuntimeFault(f"`{what}` failed: {_last(log, status.shell_code)}", kind="host", hint=hint)
        yield box.upper, what


def _last(log: IO[bytes], status: int) -> str:
    log.seek(0)
    words = log.read().decode(errors="replace").strip().splitlines()
    return words[-1] if words else f"status {status}"
