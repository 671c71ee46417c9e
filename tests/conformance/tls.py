"""The client's side of a gateway's TLS listener: what is offered, and what was agreed."""

from __future__ import annotations

import socket
import ssl
import threading
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from conformance.pki import SERVICE_NAME

REFUSED = "refused"
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class Tls:
    """What a client offers. `ca` is whom it trusts, `name` whom it asks for; `off` sends plain HTTP to the listener."""

    ca: Path
    alpn: tuple[str, ...] = ("http/1.1",)
    lowest: str = "TLSv1.2"
    highest: str = "TLSv1.3"
    ciphers: str | None = None
    name: str | None = SERVICE_NAME
    off: bool = False


class RefusedError(ConnectionError):
    """The handshake came to nothing."""


def shake_hands(sock: socket.socket, tls: Tls) -> ssl.SSLSocket:
    """The connection, encrypted; the certificate is always verified."""
    try:
        return _context(tls).wrap_socket(sock, server_hostname=tls.name or SERVICE_NAME)
    except (ssl.SSLError, ConnectionError) as error:
        sock.close()
        raise RefusedError(str(error)) from error


@cache
def _context(tls: Tls) -> ssl.SSLContext:
    """Old versions are offered knowingly, against the warnings of Python and the defaults of OpenSSL."""
    context = ssl.create_default_context(cafile=str(tls.ca))
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion[tls.lowest.replace(".", "_")]
        context.maximum_version = ssl.TLSVersion[tls.highest.replace(".", "_")]
    old = tls.lowest in ("TLSv1", "TLSv1.1")
    context.set_ciphers(tls.ciphers or ("ALL:@SECLEVEL=0" if old else "DEFAULT"))
    if tls.alpn:
        context.set_alpn_protocols(list(tls.alpn))
    return context
