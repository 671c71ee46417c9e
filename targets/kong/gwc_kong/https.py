"""TLS for clients, and the plain listener that only sends them there."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.diagnostics import Span
from gwc.ir import Gateway, Https, Secret
from gwc_kong.secrets import vault_reference
from gwc_kong.sharing import at

_SUITES = {"TLSv1.2": "intermediate", "TLSv1.3": "modern"}
"""Kong takes versions and ciphers from a suite: these two are forward secret and authenticated, whatever they agree on.
A setting of the versions alone would be overridden by the suite's."""

_HTTPS_PORT = 443


def settings(https: Https) -> Iterator[tuple[str, str, Span | None]]:
    spans = {name: origin.span for name, origin in https.provenance.items()}
    yield "KONG_SSL_CERT", https.certificate, spans.get("certificate")
    yield "KONG_SSL_CERT_KEY", _key(https.key), spans.get("key")
    yield "KONG_SSL_CIPHER_SUITE", _SUITES[https.min_version], spans.get("min_version")
    yield "KONG_SSL_SESSION_TICKETS", "off", None  # their key would be as old as the process, and open all it has seen


def _key(key: Secret) -> str:
    return key.name if key.source == "file" else vault_reference(key, "")


def redirect_config(gateway: Gateway) -> Iterator[tuple[str, object]]:
    """Where the plugin sends what comes without TLS: the hosts that are served, all of them where none are named."""
    https = gateway.listen.https
    if https is None or not https.redirect:
        return
    port = https.address.port
    yield "redirect_port", at(https, "redirect", "" if port == _HTTPS_PORT else f":{port}")
    if all(service.hosts for service in gateway.services):
        names = {host for service in gateway.services for host in service.hosts}
        yield "redirect_hosts", sorted(f"[{name}]" if ":" in name else name for name in names)
