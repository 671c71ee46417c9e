"""TLS for clients, and the plain listener that only sends them there."""

from __future__ import annotations

from gwc.ir import Gateway, Https
from gwc_envoy.access_log import NO_ROUTE
from gwc_envoy.identity import data_source
from gwc_envoy.xds import Json, pattern, typed

_VERSIONS = {"TLSv1.2": "TLSv1_2", "TLSv1.3": "TLSv1_3"}
_CIPHERS = [
    "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]",
    "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
]
"""Of TLS 1.2; forward secrecy and authenticated encryption alone. Those of 1.3 are all of that kind."""

_DEFAULT_PORT = 443
HANDSHAKE_TIMEOUT = "10s"
_HOST = r"(?i)([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?|\[[0-9a-f:.]+\])"
"""What may stand in a redirect, a name or an address; its port is taken off before."""


def transport(https: Https) -> Json:
    versions = {"tls_minimum_protocol_version": _VERSIONS[https.min_version], "tls_maximum_protocol_version": "TLSv1_3"}
    pair = {"certificate_chain": {"filename": https.certificate}, "private_key": data_source(https.key)}
    context = typed(
        "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context={
            "tls_params": {**versions, "cipher_suites": _CIPHERS},
            "tls_certificates": [pair],
            "alpn_protocols": ["h2", "http/1.1"],
        },
    )
    return {
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context},
        "transport_socket_connect_timeout": HANDSHAKE_TIMEOUT,
    }


def only_redirects(gateway: Gateway) -> bool:
    return gateway.listen.https is not None and gateway.listen.https.redirect


def redirects(https: Https, gateway: Gateway) -> Json:
    """Every request to a host that somebody serves is sent to HTTPS, with its target as it came."""
    hosts = {host for service in gateway.services for host in service.hosts}
    everywhere = any(not service.hosts for service in gateway.services)
    known = _redirect(https, _HOST if everywhere else _any_of(hosts))
    unknown = {"name": "unknown-host", "match": {"prefix": "/"}, "direct_response": {"status": 400}}
    routes = [{**route, "metadata": {"filter_metadata": NO_ROUTE}} for route in (known, unknown)]
    return {
        "name": "redirect",
        "virtual_hosts": [{"name": "redirect", "domains": ["*"], "routes": routes}],
    }


def _any_of(hosts: set[str]) -> str:
    names = "|".join(pattern(f"[{host}]" if ":" in host else host) for host in sorted(hosts))
    return rf"(?i)({names})\.?"


def _redirect(https: Https, host: str) -> Json:
    authority = {"name": ":authority", "string_match": {"safe_regex": {"regex": host}}}
    port = {} if https.address.port == _DEFAULT_PORT else {"port_redirect": https.address.port}
    where = {"https_redirect": True, **port, "response_code": "PERMANENT_REDIRECT"}
    return {"name": "redirect", "match": {"prefix": "/", "headers": [authority]}, "redirect": where}
