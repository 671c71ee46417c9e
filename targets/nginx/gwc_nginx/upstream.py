"""Upstreams: a service's endpoints with their weights, names resolved again, certificates verified."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from gwc.ir import Endpoint, Gateway, Service, UpstreamTls
from gwc_nginx import breaker
from gwc_nginx.conf import Directive, block, d
from gwc_nginx.quoting import q
from gwc_nginx.values import remembered

ZONE = "gwc_names"
"""Where NGINX keeps the addresses that names stand for. A zone takes 32k before it holds anything, so all share one."""

_ROOM = (8 << 10, 8)
"""Its KiB: for any number of upstreams, and for each of their servers beside. A name takes one and a half, an address
that it stands for less than one; what is not used is no memory."""

_KEPT = "4s"
"""How long an unused connection is kept: less than the 5 s after which common servers close theirs."""

RESOLVER = "127.0.0.53 127.0.0.11"
"""Where names are asked: systemd-resolved's stub and Docker's own server. NGINX does not read /etc/resolv.conf."""


TRUST_STORE = "/etc/ssl/certs/ca-certificates.crt"
"""The authorities that the host trusts, where Debian, Ubuntu, Alpine and the official images keep them."""


@remembered
def is_name(host: str) -> bool:
    """Whether a host has to be resolved at run time. `localhost` never leaves the machine."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host != "localhost"
    return False


def has_names(gateway: Gateway) -> bool:
    return any(is_name(e.address.host) for s in gateway.services for e in s.upstream.endpoints)


def room(gateway: Gateway) -> Directive:
    """An upstream of nobody's, which says how large the zone is."""
    servers = sum(len(one) for service in gateway.services for _, one in _every(service) if _named(one))
    base, each = _ROOM
    nobody = d("server", "127.0.0.1:1", "down")
    return block("upstream", ZONE, of=(d("zone", ZONE, f"{base + each * servers}k"), nobody))


def _named(endpoints: tuple[Endpoint, ...]) -> bool:
    return any(is_name(endpoint.address.host) for endpoint in endpoints)


def upstreams(_: Gateway, service: Service, __: str) -> Iterator[Directive]:
    return (_upstream(name, endpoints) for name, endpoints in _every(service))


def _every(service: Service) -> Iterator[tuple[str, tuple[Endpoint, ...]]]:
    endpoints = service.upstream.endpoints
    yield service.name, endpoints
    yield from _others(service).values()
    if breaker.guarded(service):
        for index, endpoint in enumerate(endpoints):
            yield breaker.endpoint_name(service, index), (endpoint,)


def _upstream(name: str, endpoints: tuple[Endpoint, ...]) -> Directive:
    origin = (endpoints[0], "address")
    return block("upstream", name, origin=origin, of=(
        *((d("zone", ZONE),) if _named(endpoints) else ()),
        *(server(e) for e in endpoints),
        d("keepalive", "64"),
        d("keepalive_timeout", _KEPT),
    ))  # fmt: skip


def others(gateway: Gateway) -> dict[str, dict[str, str]]:
    """By service and address: the upstream of all its other endpoints, for the try after one at that address."""
    found = {s.name: {f":{address}": name for address, (name, _) in _others(s).items()} for s in gateway.services}
    return {service: alternatives for service, alternatives in found.items() if alternatives}


def _others(service: Service) -> dict[str, tuple[str, tuple[Endpoint, ...]]]:
    """Only for addresses: which one a name stood for is known to NGINX alone."""
    endpoints = service.upstream.endpoints
    if len(endpoints) == 1 or breaker.guarded(service) or not any(route.retries.attempts for route in service.routes):
        return {}
    return {
        str(e.address): (f"{service.name}.without.{i}", (*endpoints[:i], *endpoints[i + 1 :]))
        for i, e in enumerate(endpoints)
        if not is_name(e.address.host)
    }


def server(endpoint: Endpoint) -> Directive:
    """`max_fails=0`: NGINX would otherwise take an endpoint out after one failure, breaker or not."""
    extra = ("resolve",) if is_name(endpoint.address.host) else ()
    origin = (endpoint, "address")
    return d("server", q(str(endpoint.address)), f"weight={endpoint.weight}", "max_fails=0", *extra, origin=origin)


def scheme(service: Service) -> str:
    return service.upstream.endpoints[0].scheme


def verification(service: Service) -> tuple[Directive, ...]:
    """The name that the service's certificate must bear, and who must have signed it."""
    tls = service.upstream.tls
    if tls is None:
        return ()
    origin = (tls, "ca")
    return (
        d("proxy_ssl_verify", "on"),
        d("proxy_ssl_protocols", "TLSv1.2", "TLSv1.3"),
        d("proxy_ssl_verify_depth", "4"),
        d("proxy_ssl_server_name", "on"),
        d("proxy_ssl_trusted_certificate", q(tls.ca if tls.ca is not None else TRUST_STORE), origin=origin),
        d("proxy_ssl_name", q(server_name(service, tls)), origin=origin),
        *_own_certificate(tls),
    )


def server_name(service: Service, tls: UpstreamTls) -> str:
    """One name for all endpoints: the support table refuses a service whose endpoints differ in theirs."""
    return tls.sni if tls.sni is not None else service.upstream.endpoints[0].address.host


def _own_certificate(tls: UpstreamTls) -> tuple[Directive, ...]:
    if tls.client_certificate is None or tls.client_key is None or tls.client_key.source != "file":
        return ()
    return (
        d("proxy_ssl_certificate", q(tls.client_certificate)),
        d("proxy_ssl_certificate_key", q(tls.client_key.name)),
    )
