"""Which certificates a registry may show, and which one we show: docker's and podman's `certs.d`."""

from __future__ import annotations

import ssl
from pathlib import Path

from runtime.errors import RuntimeFault

_PLACES = (Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d"))


def contexts(host: str, directory: Path | None, *, verify: bool) -> ssl.SSLContext:
    """Return the TLS context for `host` (with its port, as the directories are named).

    `*.crt` are authorities beside the system's, `NAME.cert` with `NAME.key` is a client's certificate
    (docker's and containers-certs.d(5)). A file that can't be used is a usage fault that names it.
    """
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for place in (directory,) if directory else tuple(place / host for place in _PLACES):
        for file in sorted(place.glob("*")) if place.is_dir() else ():
            _load(context, file)
    return context


def _load(context: ssl.SSLContext, file: Path) -> None:
    try:
        if file.suffix == ".crt":
            context.load_verify_locations(file)
        elif file.suffix == ".cert":
            context.load_cert_chain(file, file.with_suffix(".key"))
    except (OSError, ssl.SSLError) as err:
        raise RuntimeFault(f"cannot use the certificate {file}: {err}", kind="usage") from err
