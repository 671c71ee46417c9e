"""Clusters: where a service's endpoints are, how they are reached, and in which proportion.

The connect timeout and the retry budget belong to a cluster in Envoy, so routes of one service that differ in them
have clusters of their own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import lru_cache

from gwc.derived import per_service
from gwc.ir import Address, Endpoint, Gateway, Route, Service, Upstream, UpstreamTls
from gwc.units import format_duration, format_share
from gwc_envoy import auth, breaker, cache_judge, health, tracing
from gwc_envoy.identity import data_source
from gwc_envoy.shared import Shared, shared
from gwc_envoy.xds import UNLIMITED, Json, address, duration, typed

IDLE_CONNECTION = 4.0
"""Seconds that an unused connection to a service is kept: less than the 5 s after which common servers close theirs,
so that no request meets a closing connection."""

HOST_TRUST = "/etc/ssl/certs/ca-certificates.crt"
"""The host's own trust store on Debian, Ubuntu, Alpine and in Envoy's images. Envoy does not start without it."""

_BALANCING = Shared(
    {
        "healthy_panic_threshold": {"value": 0},  # never send to an endpoint that is known to fail
        "locality_weighted_lb_config": {},
        "update_merge_window": "0s",  # an endpoint that fails is out of use at once
    }
)

_EACH_ENDPOINT = Shared({"per_endpoint_stats": True})

_Settings = tuple[float, float | None]


def _settings(route: Route) -> _Settings:
    return route.timeouts.connect, route.retries.budget if route.retries.attempts else None


def cluster_name(service: Service, route: Route) -> str:
    """The service's name; with its settings when routes of the service differ in them."""
    if not _differ(service):
        return service.name
    return f"{service.name}/{_told(*_settings(route))}"


@lru_cache(maxsize=1024)
def _told(connect: float, budget: float | None) -> str:
    waits = f"connect-{format_duration(connect)}"
    return waits if budget is None else f"{waits}/retries-{format_share(budget)}"


@per_service
def _differ(service: Service) -> bool:
    return len({_settings(route) for route in service.routes}) > 1


def outside(gateway: Gateway) -> Iterator[Json]:
    """Where what is no service's is asked, or told."""
    return (_outside(*where) for where in (*auth.fetched(gateway), *tracing.collector(gateway)))


def clusters(gateway: Gateway) -> Iterator[Json]:
    for service in gateway.services:
        named = {cluster_name(service, route): _settings(route) for route in service.routes}
        for name, settings in sorted(named.items()):
            yield _cluster(name, service, settings)


def _cluster(name: str, service: Service, settings: _Settings) -> Json:
    connect, budget = settings
    upstream = service.upstream
    return {
        "name": name,
        "connect_timeout": duration(connect),
        **_discovery(upstream),
        "lb_policy": "ROUND_ROBIN",
        "common_lb_config": _BALANCING,
        "circuit_breakers": caps(budget, upstream.concurrency),
        **breaker.cluster_fields(upstream),
        **({"track_cluster_stats": _EACH_ENDPOINT} if upstream.breaker is not None else {}),
        **health.cluster_fields(upstream),
        **breaker.metadata(upstream),
        "load_assignment": {
            "cluster_name": name,
            "endpoints": _endpoints(upstream),
        },
        "typed_extension_protocol_options": http_options(cache_judge.wanted(service)),
        **_transport(upstream),
    }


def _outside(name: str, scheme: str, host: str, port: int) -> Json:
    """Where an issuer's keys come from, or spans go; verified by the host's own trust store."""
    tls = UpstreamTls(ca=None, sni=None, client_certificate=None, client_key=None)
    where = Endpoint(scheme="https", address=Address(host=host, port=port), weight=1)
    upstream = Upstream(
        endpoints=(where,), tls=tls if scheme == "https" else None, concurrency=None, breaker=None, health=None
    )
    return {
        "name": name,
        "connect_timeout": "2s",
        **_discovery(upstream),
        "load_assignment": {"cluster_name": name, "endpoints": _endpoints(upstream)},
        **_transport(upstream),
    }


def _discovery(upstream: Upstream) -> Json:
    """Names are resolved again when their records expire; a failed look-up is repeated soon."""
    if all(is_ip(endpoint.address.host) for endpoint in upstream.endpoints):
        return {"type": "STATIC"}
    return {
        "type": "STRICT_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "respect_dns_ttl": True,
        "dns_refresh_rate": "5s",
    }


def _endpoints(upstream: Upstream) -> list[Json]:
    found = ((endpoint.address, endpoint.weight) for endpoint in upstream.endpoints)
    return [_locality(index, where.host, where.port, weight) for index, (where, weight) in enumerate(found)]


@shared
def _locality(index: int, host: str, port: int, weight: int) -> Json:
    """Each endpoint is a locality of its own: its weight holds however many addresses its name has."""
    target: Json = {"address": address(host, port)}
    if not is_ip(host):
        target["hostname"] = host
    return {
        "locality": {"zone": f"{index:04}"},
        "load_balancing_weight": weight,
        "lb_endpoints": [{"endpoint": target}],
    }


@shared
def caps(budget: float | None, concurrency: int | None) -> Json:
    return {"thresholds": [threshold(budget, concurrency)]}


def threshold(budget: float | None, concurrency: int | None) -> Json:
    """No cap but the policy's. One retry may always run: a share of little traffic would be none."""
    caps: Json = {
        "max_connections": UNLIMITED,
        "max_pending_requests": UNLIMITED,
        "max_requests": UNLIMITED if concurrency is None else concurrency,
        "max_retries": UNLIMITED,
    }
    if budget is not None:
        caps["retry_budget"] = {"budget_percent": {"value": budget * 100}, "min_retry_concurrency": 1}
    return caps


@shared
def http_options(judging: bool) -> Json:
    """`judging`: what a service's answers say of being kept is noted."""
    filters = cache_judge.upstream_filters() if judging else []
    options = typed(
        "extensions.upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options={"idle_timeout": duration(IDLE_CONNECTION)},
        explicit_http_config={"http_protocol_options": {}},
        **({"http_filters": filters} if filters else {}),
    )
    return {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}


def _transport(upstream: Upstream) -> Json:
    if upstream.tls is None:
        return {}
    context = typed(
        "extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        **_server_name(upstream, upstream.tls),
        common_tls_context={
            **_own_certificate(upstream.tls),
            "validation_context": _validation(upstream, upstream.tls),
        },
    )
    return {"transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context}}


def _server_name(upstream: Upstream, tls: UpstreamTls) -> Json:
    """Without `sni` each endpoint is asked for its own name, and has to prove it."""
    if tls.sni is not None:
        return {"sni": tls.sni}
    if any(is_ip(endpoint.address.host) for endpoint in upstream.endpoints):
        return {}
    return {"auto_host_sni": True, "auto_sni_san_validation": True}


def _validation(upstream: Upstream, tls: UpstreamTls) -> Json:
    trust: Json = (
        {"trusted_ca": {"filename": tls.ca}} if tls.ca is not None else {"trusted_ca": {"filename": HOST_TRUST}}
    )
    names = [tls.sni] if tls.sni is not None else [endpoint.address.host for endpoint in upstream.endpoints]
    return {**trust, "match_typed_subject_alt_names": [_subject(name) for name in names]}


def _subject(name: str) -> Json:
    return {"san_type": "IP_ADDRESS" if is_ip(name) else "DNS", "matcher": {"exact": name}}


def _own_certificate(tls: UpstreamTls) -> Json:
    if tls.client_certificate is None or tls.client_key is None:
        return {}
    pair = {"certificate_chain": {"filename": tls.client_certificate}, "private_key": data_source(tls.client_key)}
    return {"tls_certificates": [pair]}


def is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
