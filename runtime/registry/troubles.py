"""The errors of sockets, TLS and urllib3 in our words: the one seam where they are translated."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from urllib3.exceptions import HTTPError, LocationParseError, NewConnectionError, ProxyError, SSLError

from runtime.registry.faults import RegistryFault, TlsFault, Transient, broken

if TYPE_CHECKING:
    from collections.abc import Iterator

PROXY_HINT = "see HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
_HINT = "check the host's name and port, and whether a proxy is needed (HTTPS_PROXY)"


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turn what goes wrong in the block, an exchange with `url`, into `RegistryFault` or `Transient`."""
    host = urlsplit(url).netloc
    try:
        yield
    except SSLError as err:
        raise _insecure(host, err) from err
    except LocationParseError as err:
        raise broken(f"{url!r} is no URL that can be used") from err
    except NewConnectionError as err:
        raise Transient(RegistryFault(f"cannot connect to {host}: {_reason(err)}", hint=_HINT)) from err
    except ProxyError as err:
        fault = RegistryFault(f"no way to {host}: {_reason(err)}", hint=PROXY_HINT)
        raise Transient(fault) from err
    except (HTTPError, OSError) as err:
        fault = RegistryFault(f"the connection to {host} failed: {_reason(err)}", hint=_HINT)
        raise Transient(fault) from err


def _insecure(host: str, err: SSLError) -> RegistryFault:
    deepest, message = _deepest(err), f"no secure connection to {host}: {_reason(err)}"
    place = f"/etc/docker/certs.d/{host}/"
    if isinstance(deepest, ssl.SSLCertVerificationError):
        hint = f"put its authority's certificate into {place}ca.crt, or name a directory with --cert-dir; "
        return TlsFault(message, hint=hint + "or, if that is what you want, use --tls-verify=false")
    if isinstance(deepest, ssl.SSLError) and "ALERT" in (deepest.reason or ""):
        hint = f"it may want a certificate of ours: NAME.cert and NAME.key in {place}, or with --cert-dir"
        return TlsFault(message, hint=hint)
    hint = "if it has plain HTTP only, and that is what you want, use --tls-verify=false"
    return RegistryFault(message, hint=hint)


def _deepest(err: BaseException) -> BaseException:
    while True:
        cause = getattr(err, "original_error", None) or err.__cause__ or next(iter(err.args), None)
        if not isinstance(cause, BaseException):
            return err
        err = cause


def _reason(err: BaseException) -> str:
    deepest = _deepest(err)
    if isinstance(deepest, ssl.SSLCertVerificationError):
        return deepest.verify_message
    if isinstance(deepest, ssl.SSLError) and deepest.reason:
        return deepest.reason.replace("_", " ").lower()
    text = getattr(deepest, "strerror", None) or str(deepest)
    return str(text).rpartition(": ")[2] if isinstance(deepest, NewConnectionError) else str(text)
