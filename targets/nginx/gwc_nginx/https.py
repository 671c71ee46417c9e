"""TLS on the public listener, and the redirect from the plain one to it."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.ir import Gateway, Secret
from gwc.target import SecretOutput
from gwc_nginx.conf import Directive, d
from gwc_nginx.quoting import q

KEY_FILE = "secrets/tls.key"
"""Where a key from the environment will be: NGINX reads keys from files."""

_VERSIONS = ("TLSv1.2", "TLSv1.3")
_CIPHERS = ":".join(
    f"ECDHE-{key}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
)
"""Of TLS 1.2: those with forward secrecy and authenticated encryption. TLS 1.3 has no others."""

HOST = r"(?:[a-z0-9_][a-z0-9_.-]{0,252}|\[[0-9a-f:.]+\])"
"""A host as NGINX has it in $host, when it may stand in an address that clients are sent to."""

TARGET = r"/[!-~]*"
"""A request's target of the same kind: nothing that could end a line, or that is no address."""


def settings(gateway: Gateway) -> Iterator[Directive]:
    """For all servers alike. Without tickets a stolen key of one day opens no session of the day before."""
    https = gateway.listen.https
    if https is None:
        return
    versions = _VERSIONS[_VERSIONS.index(https.min_version) :]
    yield d("ssl_certificate", q(https.certificate), origin=(https, "certificate"))
    yield d("ssl_certificate_key", q(_key(https.key)), origin=(https, "key"))
    yield d("ssl_protocols", *versions, origin=(https, "min_version"))
    yield d("ssl_ciphers", _CIPHERS)
    yield d("ssl_prefer_server_ciphers", "off")
    yield d("ssl_session_cache", "shared:gwc_tls:4m")
    yield d("ssl_session_timeout", "1h")
    yield d("ssl_session_tickets", "off")


def secrets(gateway: Gateway) -> tuple[SecretOutput, ...]:
    https = gateway.listen.https
    if https is None or https.key.source != "env":
        return ()
    return (SecretOutput(KEY_FILE, (https.key,), _pem),)


def redirects(gateway: Gateway) -> bool:
    return gateway.listen.http is not None and gateway.listen.https is not None and gateway.listen.https.redirect


def port(gateway: Gateway) -> str:
    """As it follows the host in an address: nothing for the port that everybody assumes."""
    https = gateway.listen.https
    return "" if https is None or https.address.port == 443 else f":{https.address.port}"


def hosts(gateway: Gateway) -> tuple[str, ...] | None:
    """The hosts that are served, or None for all of them."""
    if not all(service.hosts for service in gateway.services):
        return None
    return tuple(sorted({host for service in gateway.services for host in service.hosts}))


def _key(secret: Secret) -> str:
    return KEY_FILE if secret.source == "env" else secret.name


def _pem(values: tuple[str, ...]) -> str:
    text = values[0].strip()
    if "PRIVATE KEY-----" not in text:
        raise ValueError("the key of listen.https is no private key in PEM")
    return text + "\n"
